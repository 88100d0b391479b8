"""What the LINE adapter sends is what LINE's own SDK would send."""

from __future__ import annotations

import json
import subprocess

import pytest

from tests.providers.line import LINE
from tests.sdks.installed import FOLDER, PYTHON, python_packages
from tests.servers.fixtures import require
from tests.servers.provider import ProviderServer

pytestmark = pytest.mark.integration

BOX = {"type": "box", "layout": "vertical", "contents": [{"type": "text", "text": "こんにちは"}]}
MESSAGES = [
    {"type": "flex", "contents": {"type": "bubble", "body": BOX}},
    {"type": "sticker", "packageId": "446", "stickerId": "1988"},
    {
        "type": "image",
        "originalContentUrl": "https://shop.example/a.png",
        "previewImageUrl": "https://shop.example/a.png",
    },
]


async def test_lines_own_models_read_what_is_pushed_and_say_the_same() -> None:
    require(python_packages())
    async with ProviderServer(LINE.face) as server:
        provider = LINE.make(server.url)
        for parts in ({"text": "Hello こんにちは"}, {"text": "Your coupon", "messages": json.dumps(MESSAGES)}):
            await provider.send(LINE.message(server.url, parts=parts, command_id=str(len(server.accepted))))
        await provider.close()
        bodies = [asked.json() for asked in server.accepted]
    done = subprocess.run(  # noqa: ASYNC221  nothing else runs here
        [PYTHON, FOLDER / "senders/line_models.py"],
        input="\n".join(map(json.dumps, bodies)),
        capture_output=True,
        text=True,
        check=True,
    )
    assert [body | {"notificationDisabled": False} for body in bodies] == [
        json.loads(line) for line in done.stdout.splitlines()
    ]
