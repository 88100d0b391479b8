"""Twilio and LINE: who may tell, and what their words mean."""

from __future__ import annotations

import hashlib
import hmac
import json
from base64 import b64encode
from typing import Any
from urllib.parse import urlencode

import pytest

from shared.ids import address_tag
from tests.unit.ingest.sites import NOW
from tests.unit.ingest.webhooks.providers.telling import REFERENCE, Told

URL = "https://m.shop.example/v1/webhooks/esp"
TWILIO = f"esp: {{kind: twilio, secret: {{env: HUSH}}, url: '{URL}'}}"
QUERY = f"?reference={REFERENCE}"


def from_twilio(secret: bytes = b"hush", /, **fields: str) -> tuple[bytes, dict[str, str]]:
    """Return the form as Twilio signs it: the address, and each field's name and value in the order of names."""
    signed = URL + QUERY + "".join(name + fields[name] for name in sorted(fields))
    signature = b64encode(hmac.new(secret, signed.encode(), hashlib.sha1).digest()).decode()
    return urlencode(fields).encode(), {"X-Twilio-Signature": signature}


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"MessageStatus": "delivered"}, [("Message Delivered", {})]),
        ({"MessageStatus": "read"}, [("Message Opened", {})]),
        (
            {"MessageStatus": "undelivered", "ErrorCode": "30003"},
            [("Message Bounced", {"bounce": "soft", "reason": "30003"})],
        ),
        (
            {"MessageStatus": "undelivered", "ErrorCode": "30005"},
            [("Message Bounced", {"bounce": "hard", "dead": "unregistered", "reason": "30005"})],
        ),
        (
            {"MessageStatus": "failed", "ErrorCode": "21610"},
            [("Message Bounced", {"bounce": "hard", "dead": "opted_out", "reason": "21610"})],
        ),
        ({"MessageStatus": "sent"}, []),
    ],
)
def test_what_twilio_says(fields: dict[str, str], expected: list[Any]) -> None:
    site = Told(TWILIO)
    assert 200 == site.tell(
        *from_twilio(MessageSid="SM1", To="+819012345678", Body="ご注文 & more", **fields), query=QUERY
    )
    assert expected == site.said


def test_nobody_else_can_tell_for_twilio() -> None:
    site = Told(TWILIO)
    raw, headers = from_twilio(MessageSid="SM1", MessageStatus="failed")
    assert 401 == site.tell(*from_twilio(b"other", MessageSid="SM1", MessageStatus="failed"), query=QUERY)
    assert 401 == site.tell(raw + b"&x=y", headers, query=QUERY)
    assert 401 == site.tell(raw, headers, query=QUERY + "A")
    assert 401 == site.tell(raw, {}, query=QUERY)
    assert [] == site.publisher.outputs


WRITTEN = f"esp: {{kind: twilio, secret: {{env: HUSH}}, url: '{URL}', user_id: \"'tel' + event.From\"}}"


def written(body: str, sender: str = "+819012345678", **more: str) -> tuple[bytes, dict[str, str]]:
    return from_twilio(MessageSid="SM9", SmsStatus="received", From=sender, To="+15005550006", Body=body, **more)


@pytest.mark.parametrize("word", ["STOP", " stop ", "Unsubscribe.", "QUIT", "停止", "配信停止。"])
def test_who_writes_stop_is_not_written_to_any_more(word: str) -> None:
    site = Told(WRITTEN)
    assert 200 == site.tell(*written(word), query=QUERY)
    [event] = site.events
    assert ("tel+819012345678", "Address Suppressed", "SM9") == (event.user_id, event.name, event.message_id)
    assert {"channel": "sms", "reason": "opted_out"} == event.properties


@pytest.mark.parametrize("word", ["START", "unstop", "yes", "再開"])
def test_who_writes_start_is_written_to_again_on_the_channel_where_they_did(word: str) -> None:
    site = Told(WRITTEN)
    assert 200 == site.tell(*written(word, "whatsapp:+819012345678"), query=QUERY)
    assert [("Suppression Lifted", {"channel": "whatsapp", "reason": "opted_out"})] == [
        (event.name, event.properties) for event in site.events
    ]


def test_what_twilio_found_in_a_message_counts_before_its_words() -> None:
    site = Told(WRITTEN)
    for words in ({"body": "arret", "OptOutType": "STOP"}, {"body": "stop", "OptOutType": "HELP"}):
        assert 200 == site.tell(*written(**words), query=QUERY)
    assert ["Address Suppressed"] == [event.name for event in site.events]


@pytest.mark.parametrize("text", ["please stop", "When does it arrive?", ""])
def test_other_messages_are_nobodys_business(text: str) -> None:
    site = Told(WRITTEN)
    assert 200 == site.tell(*written(text), query=QUERY)
    assert ([], []) == (site.events, site.letters)


def test_without_a_word_whose_numbers_they_are_nothing_is_read_of_what_people_write() -> None:
    site = Told(TWILIO)
    assert 200 == site.tell(*written("STOP"), query=QUERY)
    assert ([], []) == (site.events, site.letters)


def test_twilio_is_told_to_write_nothing_back() -> None:
    raw, headers = written("STOP")
    answer = Told(WRITTEN).http.post(f"/v1/webhooks/esp{QUERY}", content=raw, headers=headers)
    assert ("text/xml; charset=utf-8", b"<Response/>") == (answer.headers["content-type"], answer.content)


def test_nobody_else_can_write_stop_for_somebody() -> None:
    site = Told(WRITTEN)
    raw, _ = written("STOP")
    assert 401 == site.tell(raw, {"X-Twilio-Signature": ""}, query=QUERY)
    assert [] == site.publisher.outputs


LINE = "esp: {kind: line, secret: {env: HUSH}, user_id: \"'line-' + event.source.userId\"}"


def from_line(*events: Any, secret: bytes = b"hush") -> tuple[bytes, dict[str, str]]:
    raw = json.dumps({"destination": "U0", "events": events}).encode()
    return raw, {"X-Line-Signature": b64encode(hmac.new(secret, raw, hashlib.sha256).digest()).decode()}


def line_event(kind: str) -> dict[str, Any]:
    return {
        "type": kind,
        "timestamp": NOW - 5,
        "webhookEventId": f"01-{kind}",
        "source": {"type": "user", "userId": "U77"},
    }


def test_who_leaves_a_line_account_is_not_written_to_until_they_come_back() -> None:
    site = Told(LINE)
    assert 200 == site.tell(*from_line(line_event("unfollow"), line_event("message"), line_event("follow"), "x"))
    left, back = site.events
    assert ("line-U77", "Address Suppressed", NOW - 5) == (left.user_id, left.name, left.timestamp)
    assert {"channel": "line", "reason": "unregistered", "address_tag": address_tag("line", "U77")} == left.properties
    assert ("Suppression Lifted", {"channel": "line"}) == (back.name, back.properties)


def test_nobody_else_can_tell_for_line() -> None:
    site = Told(LINE)
    assert 401 == site.tell(*from_line(line_event("unfollow"), secret=b"other"))
    assert [] == site.publisher.outputs
