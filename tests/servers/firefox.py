"""A headless Firefox that visits one page, and the push service that it listens to, all on loopback.

Nothing drives the browser: the page subscribes by itself and tells what it got, and so does its service worker. (What
drives a Firefox from outside switches its push service off: RecommendedPreferences.sys.mjs.)
"""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from tests.providers.web_push import b64url, take
from tests.servers.process import ProcessServer
from tests.servers.provider import Asked

_PAGE = """<!doctype html><meta charset="utf-8"><title>Shop</title><script type="module">
const tell = (what) => fetch("/told", {method: "POST", body: what});
const second = () => new Promise((done) => setTimeout(done, 1000));
try {
  await navigator.serviceWorker.register("/worker.js");
  const worker = await navigator.serviceWorker.ready;
  // Until its push service runs, some seconds after the first page is shown, Firefox loses what it is asked for.
  let made;
  while (made === undefined)
    made = await Promise.race([worker.pushManager.subscribe({applicationServerKey: "%s"}), second()]);
  await tell(JSON.stringify(made));
} catch (error) {
  await tell(String(error));
}
</script>"""
_WORKER = """
self.addEventListener("install", () => self.skipWaiting());
self.addEventListener("activate", (event) => event.waitUntil(self.clients.claim()));
self.addEventListener("push", (event) =>
  event.waitUntil(fetch("/pushed", {method: "POST", body: event.data.text()})));
"""


class Firefox(ProcessServer):
    """Debian's Firefox without a window, with a new profile, on the page at ``url``."""

    name = "Firefox"

    def __init__(self, url: str, push_service: str) -> None:
        super().__init__()
        self._url = url
        self._settings: Mapping[str, object] = {
            "dom.push.serverURL": push_service,
            "dom.push.testing.allowInsecureServerURL": True,
            "dom.push.testing.ignorePermission": True,
            "network.proxy.type": 0,
            "dom.security.https_first": False,
            "browser.shell.checkDefaultBrowser": False,
            "browser.aboutwelcome.enabled": False,
            "datareporting.policy.dataSubmissionEnabled": False,
            "toolkit.telemetry.enabled": False,
            "app.normandy.enabled": False,
            "network.captive-portal-service.enabled": False,
            "network.connectivity-service.enabled": False,
            "extensions.update.enabled": False,
            "browser.safebrowsing.malware.enabled": False,
            "browser.safebrowsing.phishing.enabled": False,
            "browser.search.update": False,
            "services.settings.server": "data:,",
        }

    def _command(self) -> Sequence[str]:
        profile = self.data / "profile"
        profile.mkdir(exist_ok=True)
        lines = [f'user_pref("{name}", {json.dumps(value)});' for name, value in self._settings.items()]
        (profile / "user.js").write_text("\n".join(lines), encoding="utf-8")
        return ["firefox-esr", "--headless", "--no-remote", "--profile", str(profile), self._url]

    def _ready(self) -> bool:
        return True  # who waits for it waits for what its page tells


class PushService:
    """Mozilla's push service as far as one browser needs it (autopush's websocket; RFC 8030 for who pushes).

    ``told`` is what the page made of its subscription, ``pushed`` what its worker read, ``acknowledged`` the code with
    which the browser took each message: 100 delivered, 101 not decrypted.
    """

    def __init__(self, key: str, url: str) -> None:
        """``key``: the public VAPID key of whoever pushes, in base64url; ``url``: where this is served."""
        self.url = url
        self.told: asyncio.Queue[str] = asyncio.Queue()
        self.pushed: asyncio.Queue[str] = asyncio.Queue()
        self.acknowledged: asyncio.Queue[int] = asyncio.Queue()
        self._key = key
        self._channels: dict[str, str] = {}
        self._last = ("", b"")
        self._browser: WebSocket | None = None
        self.app: Any = Starlette(
            routes=[
                WebSocketRoute("/", self._listen),
                Route("/shop", lambda _: Response(_PAGE % self._key, media_type="text/html")),
                Route("/worker.js", lambda _: Response(_WORKER, media_type="text/javascript")),
                Route("/told", self._tell, methods=["POST"]),
                Route("/pushed", self._tell, methods=["POST"]),
                Route("/push/{channel}", self._push, methods=["POST"]),
            ]
        )

    async def _tell(self, request: Request) -> Response:
        into = self.told if request.url.path == "/told" else self.pushed
        into.put_nowait((await request.body()).decode())
        return PlainTextResponse("")

    async def _listen(self, browser: WebSocket) -> None:
        await browser.accept("push-notification")
        self._browser = browser
        with suppress(WebSocketDisconnect):
            while True:
                answer = self._answer(await browser.receive_json())
                if answer is not None:
                    await browser.send_json(answer)

    def _answer(self, said: dict[str, Any]) -> dict[str, Any] | None:
        match said["messageType"]:
            case "hello":
                return {"messageType": "hello", "status": 200, "uaid": secrets.token_hex(16), "use_webpush": True}
            case "register":
                channel = said["channelID"]
                self._channels[channel] = said["key"].rstrip("=")
                endpoint = f"{self.url}/push/{channel}"
                return {"messageType": "register", "status": 200, "channelID": channel, "pushEndpoint": endpoint}
            case "ack":
                for update in said["updates"]:
                    self.acknowledged.put_nowait(update["code"])
        return None

    async def _push(self, request: Request) -> Response:
        channel = request.path_params["channel"]
        if channel not in self._channels or self._browser is None:
            return Response(status_code=410)
        asked = Asked("POST", request.url.path, dict(request.headers), await request.body())
        if asked.headers["authorization"].rpartition("k=")[2] != self._channels[channel]:
            return Response(status_code=401)  # somebody else's subscription (RFC 8292, 4.2)
        reply = take(asked, 1)
        self._last = (channel, asked.body)
        await self._forward(channel, asked.body)
        return Response(status_code=reply.status)

    async def forge(self) -> None:
        """Give the browser the last message once more, with another last byte."""
        channel, body = self._last
        await self._forward(channel, body[:-1] + bytes([body[-1] ^ 1]))

    async def _forward(self, channel: str, body: bytes) -> None:
        assert self._browser is not None
        said = {"messageType": "notification", "channelID": channel, "version": secrets.token_hex(16), "ttl": 60}
        await self._browser.send_json({**said, "data": b64url(body), "headers": {"encoding": "aes128gcm"}})
