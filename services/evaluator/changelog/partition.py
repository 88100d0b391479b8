"""One partition's changelog while we own it: restore, claim, save epochs, repair what a stale writer overwrote."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import Callable, Iterable, Sequence

import msgspec
import structlog

from services.evaluator.changelog.image import Image
from services.evaluator.changelog.ports import FencedError, Writer
from services.evaluator.changelog.records import (
    CLAIM,
    META,
    Claim,
    Stamp,
    contact_record_key,
    decode_claim,
    encode_claim,
    encode_outbox,
    outbox_key,
)
from services.evaluator.changelog.rows import Rows
from services.evaluator.epoch import Epoch
from services.evaluator.meta import Meta, decode_meta, encode_meta
from shared.log import LogReader, LogRecord, LogRecreatedError, LogUnavailableError, Output, Publisher
from shared.messages.topics import CHANGELOG, INCARNATION_KEY

_LOG = structlog.get_logger(__name__)
_RETRY = 0.2
_FIRST_RECORDS = 16


class PartitionChangelog:
    """A ``ContactStore`` and ``EpochSaver`` on Kafka. Made by ``open_partition``."""

    def __init__(
        self,
        partition: int,
        image: Image,
        claim: Claim,
        writer: Writer,
        publisher: Publisher,
        may_act: Callable[[], bool],
    ) -> None:
        """``image`` holds the log up to and with our ``claim``; ``may_act`` is the lease."""
        self.partition = partition
        self.fenced = False
        self._image = image
        self._claim = claim
        self._writer = writer
        self._publisher = publisher
        self._may_act = may_act
        self._acknowledged = 0 if image.meta is None else decode_meta(image.meta).acknowledged
        # One write at a time: a repair beside an epoch would write rows of it before it, or older ones behind it.
        self._lock = asyncio.Lock()
        self._appending = False

    @property
    def image(self) -> Image:
        """What was written so far, as far as it is known here."""
        return self._image

    def unread(self, end: int) -> int | None:
        """Return from where on the log, whose end is ``end``, has what is not ours; None: it has nothing.

        While a batch of ours is on its way, what stands behind the last one may be that; its offset will tell.
        """
        image = self._image
        foreign = image.gap or (end > image.end and not self._appending)
        return image.next_offset if foreign else None

    def looked(self, end: int) -> None:
        """Note that everything before ``end`` was looked at, or is gone."""
        self._image.next_offset = max(self._image.next_offset, end)

    def load(self, contact: str) -> bytes | None:
        """Return the contact's row as last saved, or None."""
        return self._image.rows.load(contact)

    def load_meta(self) -> bytes | None:
        """Return the meta row as last saved, or None."""
        return self._image.meta

    def scan(self) -> Iterable[tuple[str, bytes]]:
        """Return every contact with its row."""
        return self._image.contacts()

    async def resend(self) -> int:
        """Publish again the outputs that may be missing, with the same ids; returns how many."""
        sent = 0
        for outbox in self._image.unacknowledged():
            await self._publish(outbox.outputs)
            self._note_acknowledged(outbox.epoch)
            sent += len(outbox.outputs)
        return sent

    async def save(self, epoch: Epoch) -> None:
        """Append rows, outbox and meta as one batch, then publish the outputs; returns when all are acknowledged."""
        async with self._lock:
            meta = msgspec.structs.replace(epoch.meta, term=self._claim.term, acknowledged=self._acknowledged)
            records: list[tuple[bytes, bytes | None]] = [
                (contact_record_key(contact), value) for contact, value in epoch.rows.items()
            ]
            if epoch.outputs:
                records.append((outbox_key(meta.epoch), encode_outbox(meta.epoch, epoch.outputs)))
            records.append((META, encode_meta(meta)))
            await self._append(records, meta.epoch)
            await self._publish(epoch.outputs)
            self._note_acknowledged(meta.epoch)

    async def repair(self) -> int:
        """Write again what a stale writer overwrote; returns how many records."""
        async with self._lock:
            overwritten = self._image.overwritten
            keys = sorted(overwritten)
            if not keys:
                return 0
            # Before writing: what is overwritten meanwhile, perhaps behind our record, is for the next repair.
            overwritten.clear()
            try:
                await self._append([(key, self._image.current(key)) for key in keys], self._epoch())
            except BaseException:
                overwritten.update(keys)
                raise
            _LOG.warning("changelog_repaired", partition=self.partition, records=len(keys))
            return len(keys)

    async def close(self) -> None:
        """Note that every output is acknowledged, so that the next owner sends nothing twice."""
        async with self._lock:
            if self._image.meta is None:
                return
            meta = decode_meta(self._image.meta)
            if meta.acknowledged != self._acknowledged and self._may_act() and not self.fenced:
                meta = msgspec.structs.replace(meta, acknowledged=self._acknowledged)
                await self._append([(META, encode_meta(meta))], meta.epoch)

    def observe(self, record: LogRecord) -> None:
        """Look at a record of the tail: a higher claim fences us, a lower term's record is to be repaired."""
        stamp = self._image.look(record)
        if record.key is None or stamp is None:
            return
        if record.key == CLAIM:
            if record.value is not None and decode_claim(record.value).owner != self._claim.owner:
                # Of two claims of one term the one that stands first wins; ours stood first, the other claims again.
                self.fenced = self.fenced or stamp.term > self._claim.term
        elif stamp.term < self._claim.term:
            self._image.overwritten.add(record.key)

    def _note_acknowledged(self, epoch: int) -> None:
        self._acknowledged = epoch
        self._image.acknowledged(epoch)

    def _epoch(self) -> int:
        return Meta().epoch if self._image.meta is None else decode_meta(self._image.meta).epoch

    async def _append(self, records: Sequence[tuple[bytes, bytes | None]], epoch: int) -> None:
        """Write one batch and note it; what was not acknowledged is in the log or not, and in the image it is not."""
        # As before the first attempt: it may stand in the log, and be read back from there, before it is answered.
        end = self._image.end
        while True:
            await self._wait_for_lease()
            self._appending = True
            try:
                stamp = Stamp(self._claim.term, epoch)
                first = await self._writer.append(self.partition, records, stamp)
            except LogUnavailableError as error:
                _LOG.warning("changelog_unavailable", partition=self.partition, error=str(error))
                await asyncio.sleep(_RETRY)
            except FencedError:
                self.fenced = True
                raise
            else:
                break
            finally:
                self._appending = False
        if first < end:
            raise LogRecreatedError(
                f"{CHANGELOG}/{self.partition} took an epoch at {first}, but it had {end} records: it was"
                " created anew or cut off while we ran. Stop all evaluators before one is started again"
            )
        self._image.saved(records, first, stamp)

    async def _publish(self, outputs: Sequence[Output]) -> None:
        while outputs:
            await self._wait_for_lease()
            try:
                await self._publisher.publish(outputs)
                break
            except LogUnavailableError as error:
                _LOG.warning("outputs_unavailable", partition=self.partition, error=str(error))
                await asyncio.sleep(_RETRY)

    async def _wait_for_lease(self) -> None:
        while not self._may_act() and not self.fenced:
            await asyncio.sleep(_RETRY)
        if self.fenced:
            raise FencedError(f"partition {self.partition} was claimed by another worker")


async def open_partition(
    partition: int,
    *,
    owner: str,
    reader: LogReader,
    writer: Writer,
    publisher: Publisher,
    may_act: Callable[[], bool],
    rows: Rows,
    standby: Image | None = None,
) -> PartitionChangelog:
    """Restore the partition, claim it and send again what may be missing; ``owner`` is random, one per assignment.

    What ``rows`` has kept is continued, or the image of them that a ``standby`` has followed; they are discarded where
    they are not what the log says, and else the whole log is read.
    Whatever happens in between, the next call starts from the log again: nothing but claims and repeats is written.
    """
    incarnation = await read_incarnation(reader, partition)
    if standby is not None and not (standby.incarnation == incarnation and standby.rewind()):
        rows.discard("its standby was of another changelog, or had not come to the end of an epoch")
        standby = None
    image = standby or Image(rows, incarnation)
    begin = image.next_offset
    read = await _read_on(image, reader, partition)
    if image.unproved or image.spoilt:
        rows.discard("the changelog does not have the records that it was continued from, or they were stale")
        image, begin = Image(rows, image.incarnation), 0
        read += await _read_on(image, reader, partition)
    if image.meta is not None and decode_meta(image.meta).term > image.term:
        raise LogRecreatedError(
            f"{CHANGELOG}/{partition} has an epoch of a term that nobody has claimed in it: the topic was created anew"
            " beneath an evaluator that ran, and has the contacts of its last moments alone. Stop all evaluators,"
            " delete the topic and start them: they then say how to go on"
        )
    while True:
        read += await _read_on(image, reader, partition)
        claim = Claim(image.term + 1, owner)
        try:
            offset = await _claimed(writer, partition, claim)
        except FencedError:  # by a claim that the next turn reads
            continue
        while image.next_offset <= offset:
            read += await _read_on(image, reader, partition, offset)
        # Somebody else's claim of the same or a higher term stood before ours: it counts, so claim above it. One that
        # stands behind ours is for the tail to find: it fences us.
        if image.claim == claim:
            break
    changelog = PartitionChangelog(partition, image, claim, writer, publisher, may_act)
    resent = await changelog.resend()
    await changelog.repair()
    where = {"partition": partition, "term": claim.term, "begin": begin, "end": offset}
    _LOG.info("partition_restored", **where, read=read, resent=resent)
    return changelog


async def _claimed(writer: Writer, partition: int, claim: Claim) -> int:
    """Append ``claim`` and return its offset."""
    await writer.take_over(partition)
    record = (CLAIM, encode_claim(claim))
    while True:
        try:
            return await writer.append(partition, [record], Stamp(claim.term, 0))
        except LogUnavailableError as error:
            _LOG.warning("changelog_unavailable", partition=partition, error=str(error))
            await asyncio.sleep(_RETRY)


async def read_incarnation(reader: LogReader, partition: int) -> str:
    """Return the id of the changelog's partition: the value of its first record.

    Services that start at once may each have written one: it is the last of them, which compaction keeps.
    """
    found = await reader.read(CHANGELOG, partition, 0, _FIRST_RECORDS)
    first = [*itertools.takewhile(lambda record: record.key == INCARNATION_KEY, found)]
    return first[-1].value.hex() if first and first[-1].value else ""


async def _read_on(image: Image, reader: LogReader, partition: int, last: int | None = None) -> int:
    """Read up to the log's end, or up to and with the record at ``last``; return how many records that were."""
    read = 0
    async with contextlib.aclosing(reader.read_all(CHANGELOG, partition, image.next_offset)) as batches:
        async for batch in batches:
            records = batch if last is None else [record for record in batch if record.offset <= last]
            image.apply(records)
            read += len(records)
            if len(records) < len(batch):
                break
    return read
