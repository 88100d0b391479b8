"""What a workspace says about events before they are written: their names, ids, shape, and consent to tracking."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from fnmatch import translate
from pathlib import Path
from typing import Any

import msgspec

from services.ingest.errors import InvalidEventError
from services.ingest.schemas import CONSENT_NAMES
from shared.catalogue.model import Catalogue
from shared.catalogue.reader import load_catalogue, standard
from shared.catalogue.validation import Doubt, Judge
from shared.clock import HOUR
from shared.journeys.faults import Fault, JourneyFaultsError
from shared.journeys.model import TRACKING
from shared.journeys.surroundings import load_workspace
from shared.journeys.workspace import Workspace
from shared.messages.event import Anonymised, Event
from shared.metrics import Metrics

Screen = Callable[[Event], Event | Anonymised | None]
"""Returns what of an event is written; None: nothing, and that is as it should be. Raises InvalidEventError."""

STATED = frozenset({"Segment Consent Preference Updated", "Segment Consent Preference"})
"""The events by which Segment's consent tools tell of a choice that was made."""


class Standards(msgspec.Struct, frozen=True):
    """What a folder of journeys says of events."""

    catalogue: Catalogue
    workspace: Workspace = Workspace()


def load_standards(folder: Path | None) -> Standards:
    """Return what ``folder`` says, None: what everybody has. Raises JourneyFaultsError with every fault."""
    if folder is None:
        return Standards(standard())
    faults: list[Fault] = []
    found = Standards(load_catalogue(folder, faults), load_workspace(folder, faults))
    if faults:
        raise JourneyFaultsError(faults)
    return found


class Screening:
    """A ``Screen`` by the standards of a workspace. What it finds is counted at once, also if the log then fails."""

    def __init__(self, standards: Standards, metrics: Metrics, new_id: Callable[[], str]) -> None:
        """``new_id`` gives random ids: those of events that shall belong to nobody."""
        self._judge = Judge(standards.catalogue)
        self._tracking = standards.workspace.tracking
        self._banned = _pattern(standards.workspace.banned_ids)
        self._metrics = metrics
        self._new_id = new_id

    def __call__(self, event: Event) -> Event | Anonymised | None:
        """Return what of ``event`` is written. Raises InvalidEventError for what the workspace refuses."""
        self._check_ids(event)
        if event.type == "consent":
            return event
        allowed = self._tracking.stated_in(event.context)
        if event.name in STATED and allowed is not None:
            return _as_consent(event, granted=allowed)
        name = self._judge.own_name(event.name)
        if name != event.name:
            event = msgspec.structs.replace(event, name=name)
        if allowed is False and self._tracking.concerns(name):
            return self._without_consent(event)
        self._check_shape(event)
        return event

    def silences(self, item: object, shared: Mapping[str, Any] | None) -> bool:
        """Tell whether a call that is refused says itself that it may not be tracked: then no dead letter keeps it.

        ``item`` is as it arrived, ``shared`` the context of its batch.
        """
        if not isinstance(item, dict) or item.get("type") == "consent":
            return False
        own, name = item.get("context"), item.get("event")
        context = {**(shared or {}), **(own if isinstance(own, dict) else {})}
        needless = isinstance(name, str) and not self._tracking.concerns(self._judge.own_name(name.strip()))
        if needless or self._tracking.stated_in(context) is not False:
            return False
        self._metrics.events_untracked.labels("dropped").inc()
        return True

    def passes(self, name: str, user_id: str | None, anonymous_id: str | None) -> bool:
        """Return whether an event is written as it is, whatever is in it, if that says nothing of a consent."""
        return not (
            self._judge.reads(name)
            or self._judge.own_name(name) != name
            or (self._banned is not None and any(self._banned.match(it) for it in (user_id, anonymous_id) if it))
        )

    def _check_ids(self, event: Event) -> None:
        if self._banned is None:
            return
        for field, value in (("userId", event.user_id), ("anonymousId", event.anonymous_id)):
            if value is not None and self._banned.match(value):
                raise InvalidEventError(f"{field} is an id that workspace.yaml bans", code="illegal_distinct_id")

    def _check_shape(self, event: Event) -> None:
        doubt = self._judge.doubt_properties(event.name, event.properties)
        if event.type == "identify":
            doubt = doubt or self._judge.doubt_traits(event.name, {**event.traits_once, **event.traits})
        if doubt is None:
            return
        self._metrics.catalogue_doubts.labels(doubt.event, doubt.code).inc()
        if doubt.mode == "reject":
            raise _refusal(event, doubt)

    def _without_consent(self, event: Event) -> Anonymised | None:
        anonymise = self._tracking.untracked == "anonymise" and event.type == "track"
        self._metrics.events_untracked.labels("anonymised" if anonymise else "dropped").inc()
        if not anonymise:
            return None
        kept = {name: event.properties[name] for name in self._tracking.keep if name in event.properties}
        at = min(event.timestamp, event.received_at)
        return Anonymised(id=self._new_id(), name=event.name, hour=at - at % HOUR, properties=kept)


def _refusal(event: Event, doubt: Doubt) -> InvalidEventError:
    return InvalidEventError(f"{event.name}: {doubt.message}", code=doubt.code)


def _as_consent(event: Event, *, granted: bool) -> Event:
    """Return the consent to tracking that ``event`` tells of."""
    status = "granted" if granted else "revoked"
    said = {"topic": TRACKING, "channel": None, "status": status}
    return msgspec.structs.replace(event, type="consent", name=CONSENT_NAMES[status], properties=said)


def _pattern(globs: tuple[str, ...]) -> re.Pattern[str] | None:
    return re.compile("|".join(map(translate, globs)), re.IGNORECASE) if globs else None
