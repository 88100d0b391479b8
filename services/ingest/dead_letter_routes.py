"""``/v1/dead-letters``: what could not be processed, for admins."""

from __future__ import annotations

import json
from base64 import b64encode
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Query, Request

from services.ingest.auth import Admin
from services.ingest.dead_letters import DeadLetters, DeadTopic, Found

_MOST = 500


def create_dead_letters_router(letters: DeadLetters, admin: Admin) -> APIRouter:
    """Return the routes; they need an admin's token as a bearer, for dead letters hold personal data."""
    router = APIRouter(tags=["dead-letters"])

    @router.get("/v1/dead-letters/{topic}", summary="The newest dead letters, newest first")
    async def listed(
        request: Request,
        topic: DeadTopic,
        limit: Annotated[int, Query(ge=1, le=_MOST)] = 50,
        before: Annotated[int | None, Query(ge=0, description="Those below this offset: the next page")] = None,
    ) -> dict[str, Any]:
        admin.check(request.headers)
        return {"dead_letters": [_told(found) for found in await letters.newest(topic, limit, before)]}

    @router.get("/v1/dead-letters/{topic}/{offset}", summary="One dead letter, whole")
    async def one(request: Request, topic: DeadTopic, offset: int) -> dict[str, Any]:
        admin.check(request.headers)
        found = await letters.one(topic, offset)
        return {**_told(found), "key": _shown(found.letter.key), "value": _shown(_body(found))}

    @router.post("/v1/dead-letters/{topic}/{offset}/replay", summary="Send one through again")
    async def replay(request: Request, topic: DeadTopic, offset: int) -> dict[str, Any]:
        admin.check(request.headers)
        found: dict[str, Any] = msgspec.to_builtins(await letters.replay(topic, offset))
        return found

    return router


def _told(found: Found) -> dict[str, Any]:
    letter = found.letter
    place = None if letter.offset < 0 else f"{letter.topic}/{letter.partition}/{letter.offset}"
    return {
        "topic": found.topic,
        "offset": found.offset,
        "at": letter.at,
        "reason": letter.reason,
        "detail": letter.detail,
        "source": letter.source,
        "record": place,
        "bytes": len(letter.value or b""),
    }


def _body(found: Found) -> bytes | None:
    """Return what was set aside; of a record of ours without its header."""
    value = found.letter.value
    return value[2:] if value is not None and found.letter.offset >= 0 and value[:2] == b"\x01\x00" else value


def _shown(value: bytes | None) -> Any:
    """Return JSON as it is, else the text, else ``{"base64": "…"}``."""
    if value is None:
        return None
    try:
        text = value.decode()
    except UnicodeDecodeError:
        return {"base64": b64encode(value).decode()}
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text
