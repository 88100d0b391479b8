"""Slack's incoming webhooks (docs.slack.dev, "Sending messages using incoming webhooks")."""

from __future__ import annotations

from tests.providers.base import Case
from tests.servers.provider import Face, Reply

SLACK = Case(
    kind="slack",
    channel="slack",
    face=Face(accept=lambda _asked, _number: Reply(200, b"ok")),
    settings=lambda url: {"hooks": f"{url}/services"},
    address=lambda url: f"{url}/services/T0/B0/x",
    says=lambda asked: (asked.path, asked.json()["text"]),
    refused=(Reply(400, b"invalid_payload"), Reply(400, b"no_text"), Reply(413)),
    dead=((Reply(404, b"no_service"), "unregistered"), (Reply(410, b"channel_is_archived"), "unregistered")),
    misconfigured=(Reply(403, b"action_prohibited"), Reply(302, headers={"Location": "https://example.com"})),
    later=(Reply(429, headers={"Retry-After": "30"}), Reply(503)),
    unsure=(Reply(500, b"rollup_error"), Reply(502), Reply(504)),
)
