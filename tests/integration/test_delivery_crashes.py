"""kill -9 between every two steps of a delivery, for every kind of provider: 0 lost, 0 doubled where it knows a key.

Each life of the dispatcher is killed at one step of one command; the next one finds what that left behind, and goes on
to be killed at the next step of the next command. The last one lives.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
from collections import Counter
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pytest

from services.dispatcher.channels.registry import KINDS
from shared.messages.command import SendCommand
from shared.messages.outcome import Outcome
from tests.integration.dispatcher_worker import IN_HAND, PLACES
from tests.integration.test_dispatcher_kafka import World, check_repeats_agree, command_now, world
from tests.providers import CASES
from tests.providers.yaml import providers_yaml
from tests.servers.provider import ProviderServer

__all__ = ["world"]

pytestmark = pytest.mark.integration

LEASE = {"smtp_timeout": 0.5, "smtp_reply_timeout": 0.5}
"""So that a killed one's claims end soon: none of the providers is slower."""
TAKEN = ("answered", "before_settled")
"""Of the places where nobody can tell, those at which the provider has the message."""
KEYED = ("line", "webhook")
NEVER = "never"
ALL = (*PLACES, NEVER)
"""Each place, and that of the command at which nobody is killed."""


class Fake(NamedTuple):
    """A provider: what makes the command of a place, what it accepted, and its ``providers.yaml``."""

    command: Callable[[str], SendCommand]
    sent: Callable[[], Counter[str]]
    file: Path | None


def smtp(world: World) -> Fake:
    ids = {place: command_now(number).command_id for number, place in enumerate(ALL)}
    return Fake(
        lambda place: command_now(ALL.index(place)),
        lambda: Counter({place: world.mails()[name] for place, name in ids.items()}),
        None,
    )


@contextlib.asynccontextmanager
async def by_http(kind: str, folder: Path) -> AsyncIterator[Fake]:
    case = CASES[kind]
    async with ProviderServer(case.face) as server:

        def command(place: str) -> SendCommand:
            # A text of JSON, as the receiver of a webhook wants it.
            parts = {name: text if name == "url" else f'"[{place}]"' for name, text in case.parts.items()}
            address = {case.channel: case.address(server.url)}
            return command_now(
                ALL.index(place), channels=(case.channel,), addresses=address, content={case.channel: parts}
            )

        def sent() -> Counter[str]:
            texts = [case.says(asked)[1] for asked in server.accepted]
            return Counter({place: sum(f"[{place}]" in text for text in texts) for place in ALL})

        settings = {**case.settings(server.url), "timeout": 1}
        yield Fake(command, sent, providers_yaml(folder, kind, case.channel, settings))


@contextlib.asynccontextmanager
async def fake(kind: str, world: World, folder: Path) -> AsyncIterator[Fake]:
    if kind == "smtp":
        yield smtp(world)
        return
    async with by_http(kind, folder) as made:
        yield made


async def through_all_places(
    kind: str, world: World, folder: Path, **changes: Any
) -> tuple[dict[str, Outcome], Counter[str]]:
    """Return each place's outcome, and how often its message was accepted."""
    async with fake(kind, world, folder) as (command, sent, file):
        settings: dict[str, Any] = dict(LEASE) if file is None else {**LEASE, "providers": file}
        commands = {place: msgspec.structs.replace(command(place), **changes) for place in ALL}
        for done, place in enumerate(PLACES):
            failpoint = json.dumps({"place": place, "command_id": commands[place].command_id})
            program = ("tests.integration.dispatcher_worker", failpoint)
            with world.dispatcher(folder, program, **settings) as process:
                if kind not in KEYED:
                    # Else the former command may be in the provider's hands when this one kills its dispatcher.
                    await world.wait_for_outcomes(done)
                await world.command(commands[place])
                assert -signal.SIGKILL == await asyncio.to_thread(process.wait, 60), place
        with world.dispatcher(folder, **settings):
            await world.command(commands[NEVER])
            outcomes = await world.wait_for_outcomes(len(ALL), 120)
        check_repeats_agree(outcomes)
        places = {made.command_id: place for place, made in commands.items()}
        return {places[outcome.command_id]: outcome for outcome in outcomes}, sent()


@pytest.mark.parametrize(
    "kind", ["slack", *[pytest.param(kind, marks=pytest.mark.long) for kind in KINDS if kind != "slack"]]
)
async def test_killed_at_any_step_none_is_lost_and_none_doubled(kind: str, world: World, tmp_path: Path) -> None:
    """What nobody can tell is held, as marketing is; who knows a key is asked again, and all are sent once."""
    outcomes, sent = await through_all_places(kind, world, tmp_path)
    held = set() if kind in KEYED else set(IN_HAND)
    print(f"{kind} kills={len(PLACES)} ambiguous={sorted(held, key=PLACES.index)}")
    assert {place: "ambiguous" if place in held else "sent" for place in ALL} == {
        place: outcome.status for place, outcome in outcomes.items()
    }
    never = held - set(TAKEN)
    assert {place: 0 if place in never else 1 for place in ALL} == dict(sent)


@pytest.mark.long
@pytest.mark.parametrize("kind", ["smtp", "slack", "twilio"])
async def test_who_asks_for_a_retry_has_each_sent_and_that_one_twice_which_was_taken(
    kind: str, world: World, tmp_path: Path
) -> None:
    outcomes, sent = await through_all_places(kind, world, tmp_path, on_ambiguous="retry")
    assert dict.fromkeys(ALL, "sent") == {place: outcome.status for place, outcome in outcomes.items()}
    assert {place: 2 if place in TAKEN else 1 for place in ALL} == dict(sent)
