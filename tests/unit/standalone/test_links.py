"""A mail's links, from the decision to what they change: one process, its own HTTP, nothing stands in for anything."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Any

from httpx2 import ASGITransport, AsyncClient

from services.standalone.app import Standalone, compose
from services.standalone.settings import StandaloneSettings
from tests.dispatching import eventually

JOURNEY = """
schema: journey/v1
id: hello
version: 1
trigger: {type: event, event: Go}
entry: {reentry: {mode: always}}
policy: {topic: news}
steps:
  - id: mail
    send:
      channels: [email]
      template:
        email:
          subject: Hi
          text: Hello
          html: '<a href="https://shop.example/?a=1">Shop</a> <a href="{{ message.unsubscribe_url }}">Leave</a>'
  - id: hear
    wait_for:
      any: [{id: went, if: {message: {step: mail, was: clicked}}, then: [{id: end, exit: {reason: clicked}}]}]
      timeout: {after: 1d}
"""
PUBLIC = "http://m.shop.example"
PERSON = {"user-agent": "Mozilla/5.0 (Windows NT 10.0; Win64; x64) Chrome/131.0"}


def a_host(folder: Path) -> Standalone:
    journeys = folder / "journeys"
    journeys.mkdir()
    (journeys / "hello.yaml").write_text(JOURNEY)
    (journeys / "workspace.yaml").write_text("schema: workspace/v1\ntopics: {news: {name: {ja: お知らせ}}}\n")
    return compose(
        StandaloneSettings(
            data=folder / "data",
            journeys=journeys,
            durability="process",
            write_keys=("WK",),
            public_url=PUBLIC,
            link_secrets=("s" * 32,),
        )
    )


class Site:
    """The host's HTTP, as its contact and its operator use it."""

    def __init__(self, host: Standalone, http: AsyncClient) -> None:
        self._http = http
        self._admin = {"authorization": f"Bearer {host.credentials.admin_token}"}
        self._host = host

    async def call(self, kind: str, **said: Any) -> None:
        answer = await self._http.post(f"/v1/{kind}", json={"userId": "aki", **said}, headers={"x-write-key": "WK"})
        assert 200 == answer.status_code
        await self.applied()

    async def applied(self) -> None:
        """Return once everything in the log is applied."""
        async with asyncio.timeout(5):
            while (await self.known()).get("as_of", {"offset": 0})["offset"] < self._host.log.end("events", 0):
                await asyncio.sleep(0.001)

    async def mail(self) -> str:
        """Return the mail once its outcome is applied."""
        command = (await self.known())["messages"][0]["command_id"]
        await eventually(lambda: (row := self._host.deliveries.get(command)) is not None and row.status == "reported")
        await self.applied()
        answer = await self._http.get("/v1/inbox", headers=self._admin)
        return str(answer.json()["messages"][0]["html"])

    async def follow(self, url: str, method: str = "GET", **more: Any) -> Any:
        answer = await self._http.request(method, url.removeprefix(PUBLIC), headers=PERSON, **more)
        await self.applied()
        return answer

    async def known(self) -> Any:
        return (await self._http.get("/v1/contacts/aki", headers=self._admin)).json()


async def test_from_the_mail_to_what_its_links_change(tmp_path: Path) -> None:
    host = a_host(tmp_path)
    async with host.running(), AsyncClient(transport=ASGITransport(app=host.app), base_url="http://kikkake") as http:
        site = Site(host, http)
        await site.call("identify", traits={"email": "aki@shop.example"})
        await site.call("consent", topic="news", status="granted")
        await site.call("track", event="Go")
        click, leave, opened = re.findall(r'(?:href|src)="([^"]+)"', await site.mail())

        assert 200 == (await site.follow(opened)).status_code
        # A click this soon after the decision is a filter's, and leads on all the same.
        assert "https://shop.example/?a=1" == (await site.follow(click)).headers["location"]
        names = [event["event"] for event in (await site.known())["recent_events"]]
        assert ["Message Scanned", "Message Opened"] == names[:2]
        assert ["hello"] == [run["journey"] for run in (await site.known())["journeys"]]

        assert "お知らせ" in (await site.follow(leave)).text
        assert "granted" == (await site.known())["consent"]["news"]["status"]
        assert 200 == (await site.follow(leave, "POST", data={"List-Unsubscribe": "One-Click"})).status_code
        known = await site.known()
        assert "revoked" == known["consent"]["news"]["status"]
        assert [] == known["journeys"]

        await site.call("track", event="Go")
        assert "no_consent" == (await site.known())["messages"][0]["reason"]
