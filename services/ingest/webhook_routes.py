"""The endpoint of webhooks."""

from __future__ import annotations

from collections.abc import Mapping

from fastapi import APIRouter, Request, Response

from services.ingest.describe import describe_webhook
from services.ingest.errors import NotFoundError
from services.ingest.formats.base import OK
from services.ingest.intake import Intake
from services.ingest.webhooks.base import Hook
from services.ingest.webhooks.refusals import Refusals


def create_webhook_router(intake: Intake, hooks: Mapping[str, Hook], refusals: Refusals) -> APIRouter:
    """Return the route that takes the webhooks of ``hooks``, by name; ``refusals`` hears of those without an event."""
    router = APIRouter(tags=["webhooks"])

    async def take(request: Request, source: str) -> Response:
        """Take one webhook. 200 means that it was understood, or set aside as a dead letter; and is durable."""
        hook = hooks.get(source)
        if hook is None:
            error = NotFoundError("there is no webhook source of this name; webhooks.yaml names them")
            intake.count_refused(error.code)
            refusals.note("", error.code, str(error))
            raise error
        await intake.accept_webhook(request, hook, refusals)
        body, kind = hook.answer or (OK, "application/json")
        return Response(body, media_type=kind)

    router.add_api_route("/v1/webhooks/{source}", take, methods=["POST"], name="webhooks", **describe_webhook())
    return router
