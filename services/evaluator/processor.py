"""One partition's records to epochs: load, advance, collect. No input or output: the host makes epochs durable."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence

import msgspec

from services.evaluator.bounds import advance_bounded
from services.evaluator.builder import EpochBuilder
from services.evaluator.core.advance import abandon, advance, next_own
from services.evaluator.core.catalog import Catalog
from services.evaluator.core.occurrence import Applied, EventArrived, TimerDue
from services.evaluator.core.state import NEVER, ContactState
from services.evaluator.epoch import ContactStore, Epoch
from services.evaluator.heads import Heads
from services.evaluator.meta import Meta, decode_meta
from services.evaluator.row_cache import RowCache
from services.evaluator.rows import Head, Row, decode_row, encode_row, head_of, read_head
from shared.errors import BadMessageError
from shared.ids import short_hash
from shared.journeys.published import Live, ordered
from shared.log import LogRecord
from shared.messages import codec
from shared.messages.coordination import PREFIX
from shared.messages.event import Anonymised, Marker, Tick
from shared.messages.topics import INCARNATION_KEY

_ID_BYTES = 1024
"""Ingest takes ids of 200 characters. Longer ones would come back in every output."""
Catalogs = Callable[[Mapping[str, Live]], Catalog]
"""Makes the catalogue of the orders that a partition has read."""


class PartitionProcessor:
    """Applies one partition's log to its contacts, in order.

    After a crash it is made anew from what was saved; records applied before are recognised by their offset. If an
    epoch cannot be saved the processor is ahead of its store and must be thrown away.
    """

    def __init__(
        self,
        *,
        partition: int,
        catalog: Catalog,
        store: ContactStore,
        incarnation: str,
        on_error: Callable[[str, Exception], None] = lambda _action, _error: None,
        catalogs: Catalogs | None = None,
        indexed: bool = True,
    ) -> None:
        """``incarnation`` is the id of the source partition; ``on_error`` hears of what was dead-lettered.

        ``catalogs`` makes the catalogue of the orders that were read; None: it is ``catalog``, whatever is ordered.
        ``indexed`` False: whoever makes it goes through ``index`` before anything else.
        """
        self.partition = partition
        self._store = store
        self._on_error = on_error
        saved = store.load_meta()
        meta = Meta() if saved is None else decode_meta(saved)
        if meta.incarnation != incarnation:
            meta = msgspec.structs.replace(meta, incarnation=incarnation, next_offset=0)
        self._catalogs = catalogs
        self._heads = Heads()
        self._use(catalog if catalogs is None or not meta.live else catalogs(meta.live))
        if meta.catalog != self.catalog.number:
            meta = msgspec.structs.replace(meta, catalog=self.catalog.number, catalog_since=meta.log_time)
        self.meta = meta
        self._incarnation = short_hash(incarnation)
        self._rows = RowCache()
        self._due: dict[str, int] = {}  # as noted last, of the contacts of this epoch
        self.contacts = 0
        if indexed:
            for _ in self.index():
                pass

    def index(self) -> Generator[None]:
        """Look through all rows for what is due and who waits, a step at a time; nothing is saved meanwhile."""
        for contacts in self._heads.fill(self._store.scan()):
            self.contacts += contacts
            yield

    def _use(self, catalog: Catalog) -> None:
        self.catalog = catalog
        self._heads.number = catalog.number
        self._no_entries = msgspec.structs.replace(catalog, triggered_by={}, entered_by={})

    @property
    def next_due(self) -> int:
        """The earliest pending timer's due time, or NEVER."""
        return self._heads.timers.next_due()

    @property
    def timers(self) -> int:
        """How many timers are armed and neither fired nor cancelled."""
        counters = self.meta.counters
        return counters.timers_armed - counters.timers_fired - counters.timers_cancelled

    @property
    def unsettled(self) -> bool:
        """Whether a command of this partition has no outcome yet."""
        return bool(self._heads.pending)

    @property
    def commands_pending(self) -> int:
        """How many commands of this partition have no outcome yet."""
        return self._heads.pending.total()

    @property
    def holding(self) -> bool:
        """Whether commands are held back until the partition has caught up."""
        return bool(self._heads.held)

    @property
    def behind(self) -> int:
        """How many contacts have not adopted the catalogue yet."""
        return len(self._heads.behind)

    @property
    def has_due(self) -> bool:
        """Whether a timer is due before the log time."""
        return self._heads.timers.next_due() < self.meta.log_time

    def wants_tick(self, now: int) -> bool:
        """Tell whether a timer came due by the clock and only the log's time stands still: a Tick would fire it."""
        due = self._heads.timers.next_due()
        return due != NEVER and self.meta.log_time <= due < now

    def process(self, records: Sequence[LogRecord], *, caught_up: bool, fire: int = 0, at_end: bool = False) -> Epoch:
        """Apply a prefix of ``records`` (``Epoch.consumed`` tells how many) and return its epoch.

        ``caught_up`` False: the partition is behind, marketing commands are held in their contact's row. Records that
        were applied before change nothing, so that any of them may be offered again. If the epoch then has room, timers
        fire in it, as by ``fire(fire, caught_up=at_end)``.
        """
        build = self._begin()
        consumed = 0
        for record in records:
            if record.offset >= build.next_offset:
                if not self._apply(build, record, caught_up=caught_up):
                    break
                build.next_offset = record.offset + 1
            consumed += 1
            if build.full:
                break
        else:
            self._fire_due(build, fire, caught_up=at_end)
        return self._finish(build, consumed)

    def fire(self, limit: int, *, caught_up: bool) -> Epoch:
        """Fire the timers that are due before the log time, for up to ``limit`` contacts; returns their epoch.

        A contact with more of them than fit one epoch stays due.
        """
        build = self._begin()
        self._fire_due(build, limit, caught_up=caught_up)
        return self._finish(build, 0)

    def release(self, limit: int) -> Epoch:
        """Publish the commands held back of up to ``limit`` contacts; for a partition that has caught up."""
        build = self._begin()
        for contact in sorted(self._heads.held)[:limit]:
            row = self._row(build, contact)
            for command in row.held:
                build.command(command)
            self._put(build, contact, msgspec.structs.replace(row, held=()))
            if build.full:
                break
        return self._finish(build, 0)

    def sweep(self, limit: int, *, caught_up: bool) -> Epoch:
        """Let up to ``limit`` contacts adopt the catalogue. Who it is, and when, makes no difference to any of them."""
        build = self._begin()
        self._sweep(build, limit, caught_up=caught_up)
        return self._finish(build, 0, passing=True)

    def _begin(self) -> EpochBuilder:
        self._due.clear()
        return EpochBuilder(self.partition, self.meta)

    def _finish(self, build: EpochBuilder, consumed: int, *, passing: bool = False) -> Epoch:
        """Close the epoch; ``passing``: its contacts are not in use, and must not drive out those that are."""
        encoded = {contact: value or encode_row(row) for contact, (row, value) in build.rows.items()}
        epoch = build.finish(encoded, consumed)
        self.meta = epoch.meta
        for contact, value in encoded.items():
            self._rows.put(contact, (build.rows[contact][0], len(value), self._due[contact]), known_only=passing)
        return epoch

    def _apply(self, build: EpochBuilder, record: LogRecord, *, caught_up: bool) -> bool:
        """Apply ``record``; False: the epoch is full of the contact's timers that go first, so offer it again."""
        build.reach(record.timestamp)
        if record.key == INCARNATION_KEY:
            build.count(records=1, other=1)
            return True
        try:
            message = codec.EVENTS.decode(record.value)
            match message:
                case Tick() | Anonymised():
                    build.count(records=1, other=1)
                case Marker():
                    return self._order(build, message, caught_up=caught_up)
                case _:
                    return self._apply_to_contact(build, record, message, caught_up=caught_up)
        except Exception as error:  # noqa: BLE001 - whatever one record does, the partition goes on
            self._on_error("event_dead_lettered", error)
            build.count(records=1, dead_lettered=1)
            build.dead_letter(record, error)
        return True

    def _order(self, build: EpochBuilder, marker: Marker, *, caught_up: bool) -> bool:
        """Apply ``marker`` behind every timer that is due before it; False: those come first, so offer it again.

        The epoch ends with it: what follows is decided by another catalogue. Whoever has yet to adopt the present one
        does so first, or it would depend on the sweep for whom it has decided until then.
        """
        if self._catalogs is None or marker.number <= self.meta.change:
            build.count(records=1, other=1)
            return True
        while not build.full and self._fire_next(build, caught_up=caught_up):
            pass
        self._sweep(build, self.behind, caught_up=caught_up)
        if build.full:
            return False
        # It has been read also if nobody can carry it out, or it would be put into the log again and again.
        build.order(marker.number, self.meta.live, self.meta.catalog)
        live = ordered(self.meta.live, marker, build.log_time)
        self._use(self._catalogs(live))
        if self.catalog.number != self.meta.catalog:
            self._heads.adopt(self._store.scan(), but=build.rows)
            for contact, (row, _) in build.rows.items():
                self._note(contact, head_of(row))
        build.order(marker.number, live, self.catalog.number)
        build.count(records=1, other=1)
        return True

    def _apply_to_contact(self, build: EpochBuilder, record: LogRecord, message: Applied, *, caught_up: bool) -> bool:
        if record.key is None:
            raise BadMessageError("the record has no key, so no contact")
        if max(len(record.key), len(message.message_id)) > _ID_BYTES:
            raise BadMessageError(f"the record's key or message id is longer than {_ID_BYTES}")
        contact = record.key.decode()
        row = self._row(build, contact)
        if row.incarnation == self._incarnation and record.offset <= row.offset:
            build.count(records=1, repeated=1)
            return True
        before, row = row, self._fire(build, contact, row, caught_up=caught_up)
        if row is not before and build.full:
            return False
        # Before anything is taken from the result: a record that cannot be kept must leave nothing behind.
        bounded = advance_bounded(
            self.catalog,
            self._no_entries,
            row,
            EventArrived(message, build.log_time),
            lambda state: encode_row(Row(state, record.offset, self._incarnation)),
        )
        result, value = bounded.result, bounded.value
        if bounded.refused is not None:
            self._on_error("entry_refused", bounded.refused)
            build.dead_letter(record, bounded.refused)
        next_row = Row(result.state, record.offset, self._incarnation, row.held)
        taken = build.take(next_row, result, caught_up=caught_up)
        value = encode_row(taken) if taken.held else value
        build.grow(contact, len(value) - build.grown(contact))
        self.contacts += row.offset < 0 and not contact.startswith(PREFIX)
        build.applied(duplicate=result.duplicate)
        self._put(build, contact, taken, value)
        if not build.full:
            self._fire(build, contact, taken, caught_up=caught_up)
        return True

    def _fire_due(self, build: EpochBuilder, limit: int, *, caught_up: bool) -> None:
        for _ in range(limit):
            if build.full or not self._fire_next(build, caught_up=caught_up):
                return

    def _fire_next(self, build: EpochBuilder, *, caught_up: bool) -> bool:
        """Fire the timers of the contact that is due first before the log time; False: nobody is."""
        contact = self._heads.timers.first(build.log_time)
        if contact is not None:
            self._fire(build, contact, self._row(build, contact), caught_up=caught_up)
        return contact is not None

    def _sweep(self, build: EpochBuilder, limit: int, *, caught_up: bool) -> None:
        left = limit
        while left and self._heads.behind and not build.full:
            contact = next(reversed(self._heads.behind))
            self._note(contact, head_of(self._fire(build, contact, self._row(build, contact), caught_up=caught_up)))
            left -= 1

    def _fire(self, build: EpochBuilder, contact: str, row: Row, *, caught_up: bool) -> Row:
        """Fire the contact's timers that are due before the log time, those they arm included.

        In its place among them stands the adoption of the catalogue, by who has not yet. Ends early when the epoch is
        full, but never before the first: what was begun goes on.
        """
        if self._due[contact] >= build.log_time and row.state.adopted == self.catalog.number:
            return row  # as nearly always
        since = self.meta.catalog_since
        while (due := next_own(self.catalog, row.state, build.log_time, since=since)) is not None:
            try:
                result = advance(self.catalog, row.state, due)
            except Exception as error:  # noqa: BLE001 - a journey that raises loses its own run and no other
                self._on_error("timer_raised", error)
                result = abandon(self.catalog, row.state, due)
            if isinstance(due, TimerDue):
                build.late(build.log_time - due.timer.due)
            row = build.take(row, result, caught_up=caught_up)
            self._put(build, contact, row)
            if build.full:
                break
        return row

    def _row(self, build: EpochBuilder, contact: str) -> Row:
        """Return the contact's row as it stands within this epoch; an empty one for a contact never seen."""
        if contact in build.rows:
            return build.rows[contact][0]
        cached = self._rows.get(contact)
        if cached is not None:
            row, size, self._due[contact] = cached
        else:
            value = self._store.load(contact)
            row = Row(ContactState(contact=contact)) if value is None else decode_row(value)
            size = 0 if value is None else len(value)
            self._due[contact] = NEVER if value is None else read_head(value).next_due
        build.grow(contact, size)
        return row

    def _put(self, build: EpochBuilder, contact: str, row: Row, value: bytes | None = None) -> None:
        """Keep ``row``; ``value`` is its stored form where that is known already."""
        build.rows[contact] = row, value
        self._note(contact, head_of(row) if value is None else read_head(value))

    def _note(self, contact: str, head: Head) -> None:
        self._heads.note(contact, head, self._due[contact])
        self._due[contact] = head.next_due
