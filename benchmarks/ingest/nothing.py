"""``python -m benchmarks.ingest.nothing``: reads each request to its end, answers 200, and does nothing else.

On the server that ingest and the plain handler run on: no ASGI application can cost less than this.
"""

from __future__ import annotations

import os

import uvicorn
from starlette.types import Receive, Scope, Send

_HEADERS = [(b"content-length", b"0")]


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    """Serve one ASGI connection."""
    if scope["type"] == "lifespan":
        for kind in ("startup", "shutdown"):
            await receive()
            await send({"type": f"lifespan.{kind}.complete"})
        return
    while (await receive()).get("more_body", False):
        pass
    await send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
    await send({"type": "http.response.body", "body": b""})


def main() -> None:
    """Serve until a signal."""
    uvicorn.run(app, port=int(os.environ["NOTHING_PORT"]), log_level="warning", access_log=False)


if __name__ == "__main__":
    main()
