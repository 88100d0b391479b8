"""One suite for every provider with an HTTP API: what it accepted, refused or left open is what its adapter says."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest

from services.dispatcher.channels.base import Provider
from services.dispatcher.channels.registry import KINDS
from services.dispatcher.errors import (
    AmbiguousError,
    DeadAddressError,
    MisconfiguredError,
    RefusedError,
    TemporaryError,
    UnavailableError,
)
from tests.providers import CASES
from tests.providers.base import ID, Case
from tests.servers.process import free_port
from tests.servers.provider import ProviderServer, Reply

NOT_BY_HTTP = {"smtp"}


def test_every_kind_of_provider_has_its_case() -> None:
    assert set(KINDS) == CASES.keys() | NOT_BY_HTTP


@pytest.fixture(params=sorted(CASES))
def case(request: pytest.FixtureRequest) -> Case:
    return CASES[request.param]


@pytest.fixture
async def server(case: Case) -> AsyncIterator[ProviderServer]:
    async with ProviderServer(case.face) as running:
        yield running


@pytest.fixture
async def provider(case: Case, server: ProviderServer) -> AsyncIterator[Provider]:
    made = case.make(server.url)
    yield made
    await made.close()


async def test_the_receiver_gets_what_was_rendered(case: Case, server: ProviderServer, provider: Provider) -> None:
    message = case.message(server.url)
    assert provider.takes(message.address)
    await provider.send(message)
    address, text = case.says(server.accepted[0])
    assert message.address.endswith(address)
    assert "Hello こんにちは" in text


async def test_every_request_says_who_asks(case: Case, server: ProviderServer, provider: Provider) -> None:
    await provider.send(case.message(server.url))
    assert {"Kikkake/0.1.0"} == {asked.headers["user-agent"] for asked in server.asked}


async def test_many_tasks_share_it(case: Case, server: ProviderServer, provider: Provider) -> None:
    messages = [case.message(server.url, command_id=f"{ID[:-2]}{number:02}") for number in range(20)]
    await asyncio.gather(*[provider.send(message) for message in messages])
    assert 20 == len(server.accepted)


async def test_closing_twice_is_harmless_and_it_opens_again(
    case: Case, server: ProviderServer, provider: Provider
) -> None:
    await provider.send(case.message(server.url))
    await provider.close()
    await provider.close()
    await provider.send(case.message(server.url, command_id=f"{ID[:-1]}2"))
    assert 2 == len(server.accepted)


async def test_a_repeat_of_a_command_is_one_message_where_it_says_so(
    case: Case, server: ProviderServer, provider: Provider
) -> None:
    message = case.message(server.url)
    first, second = await provider.send(message), await provider.send(message)
    assert (1 if provider.idempotent else 2) == len(server.accepted)
    if provider.idempotent:
        assert first.provider_id == second.provider_id or second.provider_id is None


def answers(of: Callable[[Case], tuple[Reply, ...]]) -> list[object]:
    return [
        pytest.param(case, reply, id=f"{case.kind}-{reply.status}-{number}")
        for case in CASES.values()
        for number, reply in enumerate(of(case))
    ]


async def ask(case: Case, *script: Reply) -> ProviderServer:
    """Send one message to a server that answers by ``script``, and return the server."""
    async with ProviderServer(case.face) as server:
        server.script(*script)
        provider = case.make(server.url)
        try:
            await provider.send(case.message(server.url))
        finally:
            await provider.close()
        return server


@pytest.mark.parametrize(("case", "reply"), answers(lambda case: case.refused))
async def test_a_final_refusal_is_final(case: Case, reply: Reply) -> None:
    with pytest.raises(RefusedError) as caught:
        await ask(case, reply)
    assert not isinstance(caught.value, DeadAddressError)


@pytest.mark.parametrize(("case", "reply"), answers(lambda case: tuple(reply for reply, _ in case.dead)))
async def test_a_dead_address_is_told_apart(case: Case, reply: Reply) -> None:
    with pytest.raises(DeadAddressError) as caught:
        await ask(case, reply)
    assert {id(one): why for one, why in case.dead}[id(reply)] == caught.value.why


@pytest.mark.parametrize(("case", "reply"), answers(lambda case: case.misconfigured))
async def test_what_refuses_us_is_no_fault_of_the_message(case: Case, reply: Reply) -> None:
    with pytest.raises(MisconfiguredError):
        await ask(case, reply)


@pytest.mark.parametrize(("case", "reply"), answers(lambda case: case.later))
async def test_a_refusal_for_now_is_temporary_and_says_when(case: Case, reply: Reply) -> None:
    with pytest.raises(TemporaryError) as caught:
        await ask(case, reply)
    assert caught.value.refused
    wanted = reply.headers.get("Retry-After")
    assert (None if wanted is None else int(wanted) * 1000) == caught.value.retry_after


@pytest.mark.parametrize(("case", "reply"), answers(lambda case: case.unsure))
async def test_an_answer_that_says_nothing_leaves_it_open(case: Case, reply: Reply) -> None:
    with pytest.raises(AmbiguousError):
        await ask(case, reply)


async def test_nobody_there_is_unavailable(case: Case) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    provider = case.make(url)
    with pytest.raises(TemporaryError) as caught:
        await provider.send(case.message(url))
    assert case.one_host == isinstance(caught.value, UnavailableError)
    await provider.close()


@pytest.mark.parametrize("trouble", ["hang", "accept_then_hang"])
async def test_no_answer_leaves_it_open(case: Case, server: ProviderServer, trouble: str) -> None:
    provider = case.make(server.url, timeout=0.4)
    server.script(trouble)  # type: ignore[arg-type]
    with pytest.raises(AmbiguousError):
        await provider.send(case.message(server.url))
    await provider.close()


@pytest.mark.parametrize("trouble", ["reset", "accept_then_reset"])
async def test_a_connection_that_is_cut_leaves_it_open(
    case: Case, server: ProviderServer, provider: Provider, trouble: str
) -> None:
    server.script(trouble)  # type: ignore[arg-type]
    with pytest.raises(AmbiguousError):
        await provider.send(case.message(server.url))
    await provider.send(case.message(server.url, command_id=f"{ID[:-1]}2"))


async def test_an_error_says_no_address_and_no_text(case: Case) -> None:
    leaky = Reply(400, b'{"message": "secret-person@example.com +819012345678 Hello"}')
    with pytest.raises(RefusedError) as caught:
        await ask(case, leaky)
    said = str(caught.value)
    assert "secret-person" not in said
    assert "+8190" not in said


async def test_a_slow_one_holds_up_nobody_else(case: Case, server: ProviderServer, provider: Provider) -> None:
    server.script("slow")
    slow = asyncio.create_task(provider.send(case.message(server.url)))
    while not server.asked:
        await asyncio.sleep(0)
    await provider.send(case.message(server.url, command_id=f"{ID[:-1]}2"))
    assert 1 == len(server.accepted)
    server.release()
    await slow
    assert 2 == len(server.accepted)
