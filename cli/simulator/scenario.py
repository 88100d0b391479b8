"""A journey's test as data: what is given, what happens, and what is claimed. Times are ms since the epoch."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from cli.simulator.engine import Arrival, Saying
from shared.journeys.model import Journey


class Contact(msgspec.Struct, frozen=True, kw_only=True):
    """Who it happens to, as known before the scenario. ``consent`` by topic, or by ``topic/channel``.

    ``holdout`` and ``variants`` (by salt) stand in for the hashes that would decide.
    """

    id: str = "c1"
    traits: dict[str, Any] = {}
    consent: dict[str, str] = {}
    holdout: bool | None = None
    variants: dict[str, str] = {}


class Sends(msgspec.Struct, frozen=True, kw_only=True, tag="send"):
    """The message of ``step`` leaves; ``contains`` stands in one of its texts."""

    step: str
    at: int | None = None
    channel: str | None = None
    contains: str | None = None


class Exits(msgspec.Struct, frozen=True, kw_only=True, tag="exit"):
    """A run ends for ``reason``; ``regret`` are the steps whose messages would not have left, all of them."""

    reason: str
    at: int | None = None
    regret: tuple[str, ...] | None = None


class Skips(msgspec.Struct, frozen=True, kw_only=True, tag="skip"):
    """The message of ``step`` does not leave, for ``reason``."""

    step: str
    reason: str
    at: int | None = None


class NotEntered(msgspec.Struct, frozen=True, kw_only=True, tag="not_entered"):
    """The journey's trigger happens and starts no run, for ``reason``."""

    reason: str
    at: int | None = None


class NeverSends(msgspec.Struct, frozen=True, kw_only=True, tag="never"):
    """The message of ``step`` (None: any) never leaves."""

    step: str | None


class SendCount(msgspec.Struct, frozen=True, kw_only=True, tag="count"):
    """The message of ``step`` (None: any) leaves ``equals`` times."""

    step: str | None
    equals: int


class Calls(msgspec.Struct, frozen=True, kw_only=True, tag="call"):
    """``connector`` is called."""

    connector: str
    at: int | None = None


class Emits(msgspec.Struct, frozen=True, kw_only=True, tag="emit"):
    """The journey lets ``event`` happen."""

    event: str
    at: int | None = None


class TraitIs(msgspec.Struct, frozen=True, kw_only=True, tag="trait"):
    """At the end the contact's trait ``name`` is ``value``; None: it has none."""

    name: str
    value: Any


Form = Sends | Exits | Skips | NotEntered | NeverSends | SendCount | Calls | Emits | TraitIs


class Claim(msgspec.Struct, frozen=True):
    """One line of ``expect``."""

    line: int
    form: Form


class Scenario(msgspec.Struct, frozen=True, kw_only=True):
    """One scenario of a test file. ``until`` None: the clock runs until nothing is due, at most AT_MOST from start."""

    file: str
    name: str
    journey: Journey
    start: int
    contact: Contact
    arrivals: tuple[Arrival, ...]
    answers: tuple[Saying, ...] = ()
    claims: tuple[Claim, ...]
    until: int | None = None


def tagged(value: object) -> Iterator[msgspec.Struct]:
    """Yield the parts of a journey that are members of a union (its steps, conditions, ...), however deeply nested."""
    match value:
        case tuple() | list():
            for item in value:
                yield from tagged(item)
        case msgspec.Struct():
            if value.__struct_config__.tag is not None:
                yield value
            for field in value.__struct_fields__:
                yield from tagged(getattr(value, field))
        case _:
            return


def step_ids(journey: Journey) -> list[str]:
    """Return the id of each step of ``journey``, those inside blocks too."""
    return [step.id for step in tagged(journey.steps) if hasattr(step, "id")]


def kind(value: msgspec.Struct) -> object:
    """Return the word that tells ``value`` from the others of its union."""
    return value.__struct_config__.tag
