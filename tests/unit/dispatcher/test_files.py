"""Files that go with a message: where they come from, and what is not even asked."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from services.dispatcher.channels import files
from services.dispatcher.channels.base import Attachment
from services.dispatcher.channels.files import Files
from services.dispatcher.errors import RefusedError, TemporaryError, UnavailableError
from shared.errors import ConfigurationError
from tests.servers.process import free_port
from tests.servers.provider import Face, ProviderServer, Reply

PDF = {"Content-Type": "application/pdf; charset=binary"}


@pytest.fixture
async def server() -> AsyncIterator[ProviderServer]:
    async with ProviderServer(Face(accept=lambda _asked, _number: Reply(200, b"%PDF", PDF))) as running:
        yield running


def parts(**words: str) -> dict[str, str]:
    return {"text": "t", "attachment.1.name": "invoice.pdf"} | {f"attachment.1.{k}": v for k, v in words.items()}


async def test_a_message_without_files_has_none() -> None:
    assert () == await Files(()).of({"subject": "s", "text": "t"})


async def test_a_file_is_fetched_from_where_it_may_be(server: ProviderServer) -> None:
    made = Files((server.url,))
    assert (Attachment("invoice.pdf", "application/pdf", b"%PDF"),) == await made.of(parts(url=f"{server.url}/a?b=c"))
    assert ("GET", "/a?b=c") == (server.asked[0].method, server.asked[0].path)
    assert "Kikkake/0.1.0" == server.asked[0].headers["user-agent"]
    await made.close()
    await made.close()


async def test_files_keep_their_order_and_what_is_said_of_them(server: ProviderServer) -> None:
    made = Files((server.url,))
    many = {f"attachment.{number}.name": f"{number}.png" for number in range(1, 11)}
    many |= {f"attachment.{number}.data": "eA==" for number in range(1, 10)}
    many |= {"attachment.10.url": server.url, "attachment.10.type": "image/png", "attachment.10.cid": "logo"}
    found = await made.of(many)
    await made.close()
    assert [f"{number}.png" for number in range(1, 11)] == [file.name for file in found]
    assert Attachment("10.png", "image/png", b"%PDF", "logo") == found[-1]
    assert Attachment("1.png", "image/png", b"x") == found[0]


@pytest.mark.parametrize(
    "url",
    [
        "https://files.example.com.evil.example/a",
        "https://files.example.com:8443/a",
        "http://files.example.com/a",
        "https://files.example.com@evil.example/a",
        "https://user:pw@files.example.com/a",
        "https://169.254.169.254/latest/meta-data",
        "file:///etc/passwd",
        "//files.example.com/a",
        "not a url\n",
        "",
    ],
)
async def test_no_other_origin_is_asked(url: str) -> None:
    with pytest.raises(RefusedError) as caught:
        await Files(("https://files.example.com",)).of(parts(url=url))
    assert "an attachment of an origin that `files_from` does not name" == str(caught.value)


async def test_it_follows_no_redirect(server: ProviderServer) -> None:
    server.script(Reply(302, headers={"Location": "http://127.0.0.1:1/secret"}))
    with pytest.raises(TemporaryError, match="HTTP 302"):
        await Files((server.url,)).of(parts(url=server.url))
    assert 1 == len(server.asked)


async def test_what_is_not_there_yet_may_be_later(server: ProviderServer) -> None:
    """And it says nothing of the provider of e-mail, which others' messages wait for."""
    server.script(Reply(404), Reply(503), "reset")
    made = Files((server.url, f"http://127.0.0.1:{free_port()}"))
    for _ in range(3):
        with pytest.raises(TemporaryError) as caught:
            await made.of(parts(url=server.url))
        assert not isinstance(caught.value, UnavailableError)
    await made.close()


async def test_it_does_not_wait_for_ever(server: ProviderServer) -> None:
    server.script("hang")
    with pytest.raises(TemporaryError, match="longer than"):
        await Files((server.url,), timeout=0.1).of(parts(url=server.url))


async def test_what_is_too_long_is_not_read_to_its_end(server: ProviderServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "_LONGEST", 3)
    with pytest.raises(RefusedError, match="longer than 3 bytes"):
        await Files((server.url,)).of(parts(url=server.url))
    with pytest.raises(RefusedError, match="longer than 3 bytes"):
        await Files(()).of(parts(data="eHh4eA=="))


@pytest.mark.parametrize("data", ["%PDF", "eHh4e", "eA==!"])
async def test_data_is_base64(data: str) -> None:
    with pytest.raises(RefusedError, match="not base64"):
        await Files(()).of(parts(data=data))


@pytest.mark.parametrize("origin", ["files.example.com", "https://", "ftp://x", "https://x/path", "https://u:p@x", ""])
def test_an_origin_is_one(origin: str) -> None:
    with pytest.raises(ConfigurationError, match="is no origin"):
        Files((origin,))
