"""``GET /v1/inbox``: what was sent by channels that have no provider."""

from __future__ import annotations

import hmac
from collections.abc import Mapping

from fastapi import APIRouter, Header, HTTPException

from services.dispatcher.channels.inbox import InboxChannel


def create_inbox_router(inboxes: Mapping[str, InboxChannel], admin_token: str) -> APIRouter:
    """Return the route; it needs the admin token as a bearer, for messages hold personal data."""
    router = APIRouter()

    @router.get("/v1/inbox", summary="The newest messages, oldest first")
    async def inbox(authorization: str = Header(default="")) -> dict[str, list[dict[str, object]]]:
        if not hmac.compare_digest(authorization.encode(), f"Bearer {admin_token}".encode()):
            raise HTTPException(401, "give the admin token: Authorization: Bearer TOKEN")
        return {
            "messages": [
                {"channel": name, "to": message.address, "command_id": message.command_id, **message.parts}
                for name, channel in inboxes.items()
                for message in channel.messages
            ]
        }

    return router
