"""``GET /v1/inbox``: what was sent by channels that have no provider."""

from __future__ import annotations

from collections.abc import Mapping

from fastapi import APIRouter, Request

from services.dispatcher.channels.inbox import InboxChannel
from services.ingest.auth import Admin


def create_inbox_router(inboxes: Mapping[str, InboxChannel], admin: Admin) -> APIRouter:
    """Return the route; it needs an admin's token as a bearer, for messages hold personal data."""
    router = APIRouter()

    @router.get("/v1/inbox", summary="The newest messages, oldest first")
    async def inbox(request: Request) -> dict[str, list[dict[str, object]]]:
        admin.check(request.headers)
        return {
            "messages": [
                {"channel": name, "to": message.address, "command_id": message.command_id, **message.parts}
                for name, channel in inboxes.items()
                for message in channel.messages
            ]
        }

    return router
