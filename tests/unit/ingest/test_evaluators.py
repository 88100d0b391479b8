"""How ingest finds the evaluator that owns a contact."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

import httpx2
import pytest
from structlog.testing import capture_logs

from services.ingest import evaluators as module
from services.ingest.errors import ContactUnavailableError
from services.ingest.evaluators import PATH, Evaluators
from services.ingest.settings import IngestSettings

TOKEN = "internal-token-of-the-services"
Reply = Callable[[str], httpx2.Response]
NOT_MINE = httpx2.Response(421, text="not_owner")


def knows(*keys: str) -> Reply:
    """Own every partition, and know these contacts."""
    return lambda key: httpx2.Response(200, text=f"<{key}>") if key in keys else httpx2.Response(204)


def says(status: int, text: str = "") -> Reply:
    return lambda _: httpx2.Response(status, text=text)


def broken(_key: str) -> httpx2.Response:
    raise httpx2.ConnectError("refused")


class Cluster(httpx2.AsyncBaseTransport):
    """Evaluators by host and port, each with its reply; notes who was asked for what."""

    def __init__(self, **workers: Reply) -> None:
        self.workers = {name.replace("_", ":"): reply for name, reply in workers.items()}
        self.asked: list[str] = []
        self.seen: list[httpx2.Request] = []

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        self.seen.append(request)
        name, key = f"{request.url.host}:{request.url.port}", (await request.aread()).decode()
        self.asked.append(name)
        if name in self.workers and self.workers[name] is not None:
            return self.workers[name](key)
        await asyncio.sleep(60)  # stopped: it takes connections and says nothing
        raise AssertionError


def asking(cluster: Cluster, *addresses: str, partitions: int = 1) -> Evaluators:
    async def resolve(host: str, _port: int) -> Sequence[str]:
        return {"all": ("a", "b", "c"), "none": (), "six": ("::1",)}.get(host, (host,))

    return Evaluators(addresses, TOKEN, partitions, resolve=resolve, transport=cluster)


async def test_all_are_asked_once_and_then_the_one_who_answered() -> None:
    cluster = Cluster(a_1=says(421), b_1=knows("u:1"), c_1=says(421))
    asked = asking(cluster, "all:1")
    assert b"<u:1>" == await asked.find("u:1")
    first, cluster.asked = sorted(cluster.asked), []
    assert b"<u:1>" == await asked.find("u:1")
    assert (["a:1", "b:1", "c:1"], ["b:1"]) == (first, cluster.asked)


async def test_whom_nobody_knows_is_known_to_be_nobody_by_the_owner_alone() -> None:
    cluster = Cluster(a_1=says(421), b_1=knows())
    assert await asking(cluster, "a:1", "b:1").find("u:1") is None


async def test_the_question_carries_the_token_and_no_id_in_its_url() -> None:
    cluster = Cluster(a_1=knows("u:1"))
    await asking(cluster, "a:1").find("u:1")
    [request] = cluster.seen
    assert ("POST", f"http://a:1{PATH}", f"Bearer {TOKEN}", b"u:1") == (
        request.method,
        str(request.url),
        request.headers["authorization"],
        request.content,
    )


@pytest.mark.parametrize("now", [says(421), says(503, "no_lease"), says(500), says(401), broken], ids=range(5))
async def test_an_owner_that_no_longer_answers_is_replaced_by_the_one_who_does(now: Reply) -> None:
    cluster = Cluster(a_1=knows("u:1"), b_1=says(421))
    asked = asking(cluster, "a:1", "b:1")
    await asked.find("u:1")
    cluster.workers |= {"a:1": now, "b:1": knows("u:1")}
    assert b"<u:1>" == await asked.find("u:1")
    cluster.asked = []
    await asked.find("u:1")
    assert ["b:1"] == cluster.asked


async def test_an_owner_that_closed_the_connection_is_asked_again() -> None:
    cluster = Cluster(a_1=knows("u:1"))
    asked = asking(cluster, "a:1")
    await asked.find("u:1")
    replies = iter([broken, knows("u:1")])

    def reply(key: str) -> httpx2.Response:
        return next(replies)(key)

    cluster.workers["a:1"] = reply
    assert b"<u:1>" == await asked.find("u:1")


@pytest.mark.parametrize(
    "addresses", [("a:1",), ("a:1", "b:1", "d:1"), ("none:1",), ()], ids=["one", "several", "no address", "none named"]
)
async def test_while_nobody_owns_the_partition_it_is_unavailable(addresses: tuple[str, ...]) -> None:
    cluster = Cluster(a_1=says(421), b_1=says(503, "moving"), d_1=broken)
    with pytest.raises(ContactUnavailableError):
        await asking(cluster, *addresses).find("u:1")


async def test_a_worker_that_says_nothing_is_waited_for_no_longer_than_the_patience(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The test's transport knows no time-outs of its own; the client's are set, and the patience is over all."""
    monkeypatch.setattr(module, "PATIENCE", 0.05)
    with pytest.raises(ContactUnavailableError):
        await asking(Cluster(), "a:1").find("u:1")


async def test_a_worker_that_says_nothing_holds_up_nobody_whom_another_owns() -> None:
    cluster = Cluster(b_1=knows("u:1"))
    assert b"<u:1>" == await asking(cluster, "a:1", "b:1").find("u:1")


async def test_a_visitor_who_turned_out_to_be_a_user_is_asked_for_as_the_user() -> None:
    def reply(key: str) -> httpx2.Response:
        return httpx2.Response(303, text="u:1") if key == "a:v" else knows("u:1")(key)

    assert b"<u:1>" == await asking(Cluster(a_1=reply), "a:1").find("a:v")


async def test_each_partition_has_its_own_owner() -> None:
    """u:0 and u:1 are in different ones of two (``partition_of``)."""
    owned = {"u:0": "a:1", "u:1": "b:1"}

    def worker(name: str) -> Reply:
        return lambda key: httpx2.Response(200, text=name) if owned[key] == name else NOT_MINE

    cluster = Cluster(a_1=worker("a:1"), b_1=worker("b:1"))
    asked = asking(cluster, "a:1", "b:1", partitions=2)
    assert [b"a:1", b"b:1"] == [await asked.find("u:0"), await asked.find("u:1")]
    cluster.asked = []
    assert [b"a:1", b"b:1"] == [await asked.find("u:0"), await asked.find("u:1")]
    assert ["a:1", "b:1"] == cluster.asked


async def test_a_refused_token_is_said_to_the_operator() -> None:
    with capture_logs() as logs, pytest.raises(ContactUnavailableError):
        await asking(Cluster(a_1=says(401)), "a:1").find("u:1")
    assert [("internal_token_refused", "a:1")] == [(line["event"], line["evaluator"]) for line in logs]


async def test_an_address_of_ipv6_is_written_as_one() -> None:
    cluster = Cluster(**{"::1_9100": knows("u:1")})
    cluster.workers = {"::1:9100": knows("u:1")}
    assert b"<u:1>" == await asking(cluster, "six:9100").find("u:1")


async def test_names_are_looked_up_and_one_that_is_unknown_has_no_address() -> None:
    assert ["127.0.0.1"] == list(await module._addresses("127.0.0.1", 1))
    assert () == await module._addresses("no-such-host.invalid", 1)


@pytest.mark.parametrize("given", ["evaluator", "evaluator:", ":9100", "evaluator:http"])
def test_an_address_without_host_or_port_is_refused(given: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KIKKAKE_WRITE_KEYS", "WK")
    monkeypatch.setenv("KIKKAKE_EVALUATORS", given)
    with pytest.raises(ValueError, match="each evaluator is host:port"):
        IngestSettings()


def test_the_settings_take_several_addresses_and_tokens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KIKKAKE_WRITE_KEYS", "WK")
    monkeypatch.setenv("KIKKAKE_EVALUATORS", "a:1, [::1]:2")
    monkeypatch.setenv("KIKKAKE_READ_TOKENS", "a-token-of-16-letters, b-token-of-16-letters")
    settings = IngestSettings()
    assert ("a:1", "[::1]:2") == settings.evaluators
    assert ["a-token-of-16-letters", "b-token-of-16-letters"] == [it.get_secret_value() for it in settings.read_tokens]
    monkeypatch.setenv("KIKKAKE_READ_TOKENS", "short")
    with pytest.raises(ValueError, match="at least 16 characters"):
        IngestSettings()
