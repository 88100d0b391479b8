"""``python -m benchmarks.ingest.plain``: what one writes in an afternoon with FastAPI, pydantic and aiokafka.

The same answer for the same promise: 200 once every event of the request is acknowledged by all in-sync replicas. It
runs on the same server (uvicorn with httptools and uvloop) and producer, and checks a key; it leaves out what ingest
does besides (corrected time, limits, dead letters, metrics).
"""

from __future__ import annotations

import asyncio
import base64
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any, Literal

import uvicorn
from aiokafka import AIOKafkaProducer
from fastapi import FastAPI, HTTPException, Request
from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

from tests.load import WRITE_KEY

_KEY = "Basic " + base64.b64encode(f"{WRITE_KEY}:".encode()).decode()


class Call(BaseModel):
    """One call of Segment's."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True)

    type: Literal["track", "identify", "page", "screen", "group", "alias"] = "track"
    event: str | None = None
    message_id: str
    user_id: str | None = None
    anonymous_id: str | None = None
    properties: dict[str, Any] = {}
    traits: dict[str, Any] = {}
    context: dict[str, Any] = {}
    timestamp: datetime | None = None
    sent_at: datetime | None = None
    received_at: float | None = None


class Batch(BaseModel):
    """Many of them."""

    batch: list[Call]


def create_app(bootstrap: str, topic: str) -> FastAPI:
    """Return the application."""
    state: dict[str, AIOKafkaProducer] = {}

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        producer = AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all", enable_idempotence=True)
        await producer.start()
        state["producer"] = producer
        yield
        await producer.stop()

    app = FastAPI(lifespan=lifespan)

    async def send(call: Call) -> asyncio.Future[Any]:
        call.received_at = time.time()
        key = (call.user_id or call.anonymous_id or "").encode()
        return await state["producer"].send(topic, call.model_dump_json(by_alias=True).encode(), key)

    def check(request: Request) -> None:
        if request.headers.get("authorization") != _KEY:
            raise HTTPException(401)

    @app.post("/v1/track")
    async def track(call: Call, request: Request) -> dict[str, bool]:
        check(request)
        await (await send(call))
        return {"success": True}

    @app.post("/v1/batch")
    async def batch(body: Batch, request: Request) -> dict[str, bool]:
        check(request)
        await asyncio.gather(*[await send(call) for call in body.batch])
        return {"success": True}

    @app.get("/readyz")
    async def readyz() -> dict[str, bool]:
        return {"ready": "producer" in state}

    return app


def main() -> None:
    """Serve until a signal."""
    app = create_app(os.environ["PLAIN_BOOTSTRAP"], os.environ["PLAIN_TOPIC"])
    uvicorn.run(app, port=int(os.environ["PLAIN_PORT"]), log_level="warning", access_log=False)


if __name__ == "__main__":
    main()
