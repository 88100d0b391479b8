"""``GET /v1/contacts/{id}`` of ``kikkake dev``, as a site's server and a call centre use it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.e2e.processes import Process, wait_until
from tests.e2e.scenario import WRITE_KEY, Client, write_journeys
from tests.servers.process import free_port

pytestmark = pytest.mark.integration

READ_TOKEN = "read-token-of-the-sites-server"


class Host:
    """``kikkake dev`` in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        port = free_port()
        arguments = ["cli", "dev", "--port", str(port), "--data", str(folder / "data"), "--durability", "process"]
        arguments += ["--journeys", str(write_journeys(folder)), "--write-key", WRITE_KEY, "--read-token", READ_TOKEN]
        self.process = Process("dev", arguments, {}, folder, port)
        self.url = f"http://127.0.0.1:{port}"

    def ask(self, contact: str, token: str = READ_TOKEN) -> httpx2.Response:
        return httpx2.get(f"{self.url}/v1/contacts/{contact}", headers={"Authorization": f"Bearer {token}"})

    def known(self, contact: str) -> Any:
        """Return the contact, nothing while it is not known."""
        answer = self.ask(contact)
        return answer.json() if answer.status_code == 200 else {}

    def messages(self, contact: str) -> list[tuple[str, str, str | None]]:
        return [(it["step"], it["status"], it["reason"]) for it in self.known(contact).get("messages", [])]


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    host = Host(tmp_path)
    try:
        host.process.start().ready()
        yield host
    finally:
        host.process.end()


def test_what_became_of_a_visitor_is_told_all_along(host: Host) -> None:
    client, tail = Client(host.url), host.process.tail
    client.post("track", anonymousId="v1", event="Product Added", properties={"name": "Kettle", "cart_id": "k"})
    wait_until(lambda: host.known("v1?anonymous=true"), "the visitor is known", 30, tail)
    visitor = host.known("v1?anonymous=true")
    assert {"user_id": None, "anonymous_ids": ["v1"]} == visitor["identifiers"]
    assert [("cart", "settle")] == [(it["journey"], it["step"]) for it in visitor["journeys"]]
    client.post("identify", anonymousId="v1", userId="u1", traits={"email": "aki@example.jp", "first_name": "Aki"})
    client.post("consent", userId="u1", topic="cart_reminders", status="granted")
    wait_until(lambda: host.known("v1?anonymous=true").get("id") == "u1", "the visitor is the user", 30, tail)
    user = host.known("u1")
    assert {"user_id": "u1", "anonymous_ids": ["v1"]} == user["identifiers"]
    assert [visitor["journeys"][0]["run_id"]] == [it["run_id"] for it in user["journeys"]]
    wait_until(lambda: ("remind_1", "sent", None) in host.messages("u1"), "the reminder was sent", 30, tail)
    client.post("track", userId="u1", event="Order Completed", properties={"total": 1})
    wait_until(lambda: host.known("u1")["journeys"] == [], "the purchase ended the journey", 30, tail)
    host.process.kill()
    host.process.start().ready()
    after = host.known("u1")
    assert ("remind_1", "sent", None) in host.messages("u1")
    assert "Order Completed" in [event["event"] for event in after["recent_events"]]


def test_why_a_message_was_not_sent_is_told(host: Host) -> None:
    client = Client(host.url)
    client.introduce("quiet1")
    client.fill_cart("quiet1")
    expected = ("remind_1", "skipped", "no_consent")
    wait_until(lambda: expected in host.messages("quiet1"), "the skip is told", 30, host.process.tail)


def test_only_who_may_read_is_answered(host: Host) -> None:
    client = Client(host.url)
    client.introduce("u1")
    wait_until(lambda: host.known("u1"), "the contact is known", 30, host.process.tail)
    assert [401, 401] == [host.ask("u1", token).status_code for token in (WRITE_KEY, "wrong")]
    assert (404, "unknown_contact") == ((answer := host.ask("u2")).status_code, answer.json()["code"])
    enrol = {"Authorization": f"Bearer {READ_TOKEN}", "Idempotency-Key": "1"}
    refused = httpx2.post(f"{host.url}/v1/journeys/cart/enrolments", headers=enrol, json={"userId": "u1"})
    assert 401 == refused.status_code, "a read token opens nothing else"
