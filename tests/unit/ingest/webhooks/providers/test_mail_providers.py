"""SendGrid, Mailgun and Postmark: who may tell, and what their words mean."""

from __future__ import annotations

import hashlib
import hmac
import json
from base64 import b64encode
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from services.ingest.webhooks.file import parse_webhooks
from shared.journeys.faults import JourneyFaultsError
from tests.unit.ingest.sites import NOW
from tests.unit.ingest.webhooks.providers.telling import ABOUT, REFERENCE, Told

KEY = ec.generate_private_key(ec.SECP256R1())
AT = NOW // 1000 - 60


def shown(key: Any) -> str:
    return b64encode(key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).decode()


# ---- SendGrid -----------------------------------------------------------------------------------------------------


def sendgrid() -> Told:
    return Told("esp: {kind: sendgrid, secret: {env: KEY}}", {"KEY": shown(KEY)})


def signed(events: Any, key: Any = KEY, at: str = "1772445600") -> tuple[bytes, dict[str, str]]:
    raw = json.dumps(events).encode()
    signature = b64encode(key.sign(at.encode() + raw, ec.ECDSA(SHA256()))).decode()
    head = "X-Twilio-Email-Event-Webhook-"
    return raw, {f"{head}Signature": signature, f"{head}Timestamp": at}


def an_event(kind: str, **more: Any) -> dict[str, Any]:
    return {
        "event": kind,
        "email": "aki@shop.example",
        "timestamp": AT,
        "sg_event_id": f"id-{kind}",
        "kikkake_reference": REFERENCE,
        **more,
    }


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        (an_event("delivered"), ("Message Delivered", {})),
        (an_event("open"), ("Message Opened", {})),
        (an_event("open", sg_machine_open=True), ("Message Scanned", {"what": "opened", "by": "apple_mail_privacy"})),
        (an_event("click", url="https://shop.example/"), ("Message Clicked", {"url": "https://shop.example/"})),
        (
            an_event("bounce", type="bounce", reason="550 5.1.1"),
            ("Message Bounced", {"bounce": "hard", "reason": "550 5.1.1"}),
        ),
        (an_event("bounce", type="blocked"), ("Message Bounced", {"bounce": "soft"})),
        (
            an_event("dropped", reason="Bounced Address"),
            ("Message Bounced", {"bounce": "hard", "reason": "Bounced Address"}),
        ),
        (an_event("dropped", reason="Spam Content"), ("Message Failed", {"reason": "Spam Content"})),
        (an_event("spamreport"), ("Message Complained", {})),
        (an_event("group_unsubscribe"), ("Unsubscribed", {})),
    ],
)
def test_what_sendgrid_says(event: dict[str, Any], expected: tuple[str, dict[str, str]]) -> None:
    site = sendgrid()
    assert 200 == site.tell(*signed([event]))
    assert [expected] == site.said
    [written] = site.events
    assert ("aki", AT * 1000) == (written.user_id, written.timestamp)
    assert ABOUT.items() <= written.properties.items()
    assert "shop.example" not in str(written.context)


def test_a_batch_is_taken_and_a_repeat_has_the_same_ids() -> None:
    site = sendgrid()
    batch = [an_event("processed"), an_event("delivered"), an_event("open"), {"event": "deferred"}, "nonsense"]
    for _ in range(2):
        assert 200 == site.tell(*signed(batch))
    assert ["Message Delivered", "Message Opened"] * 2 == [event.name for event in site.events]
    assert 2 == len({event.message_id for event in site.events})


@pytest.mark.parametrize("reference", [None, "", "forged" * 9, 5, REFERENCE[:-1], REFERENCE + "A"])
def test_what_is_about_no_message_of_ours_is_counted_and_nothing_else(reference: Any) -> None:
    site = sendgrid()
    assert 200 == site.tell(*signed([an_event("bounce", kikkake_reference=reference)]))
    assert ([], [], ["unknown_reference"]) == (site.events, site.letters, site.ignored)


def test_nobody_else_can_tell_for_sendgrid() -> None:
    site = sendgrid()
    raw, headers = signed([an_event("bounce")])
    other = signed([an_event("bounce")], ec.generate_private_key(ec.SECP256R1()))
    later = {**headers, "X-Twilio-Email-Event-Webhook-Timestamp": "1772445601"}
    garbled = {**headers, "X-Twilio-Email-Event-Webhook-Signature": "not base64!"}
    attempts = [(raw, {}), (raw + b" ", headers), other, (raw, later), (raw, garbled)]
    assert [401] * 5 == [site.tell(body, given) for body, given in attempts]
    assert [] == site.publisher.outputs


@pytest.mark.parametrize("key", ["nonsense", shown(rsa.generate_private_key(65537, 2048))])
def test_the_key_of_sendgrid_has_to_be_one(key: str) -> None:
    with pytest.raises(JourneyFaultsError, match="verification key"):
        Told("esp: {kind: sendgrid, secret: {env: KEY}}", {"KEY": key})


# ---- Mailgun ------------------------------------------------------------------------------------------------------


def from_mailgun(event: str, key: Any = b"hush", **more: Any) -> dict[str, Any]:
    digest = hmac.new(key, b"1772445540token", hashlib.sha256).hexdigest()
    data = {
        "event": event,
        "id": f"id-{event}",
        "timestamp": AT + 0.5,
        "user-variables": {"kikkake_reference": REFERENCE},
    }
    return {
        "signature": {"timestamp": "1772445540", "token": "token", "signature": digest},
        "event-data": {**data, **more},
    }


MAILGUN = "esp: {kind: mailgun, secret: {env: HUSH}}"


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (from_mailgun("delivered"), ("Message Delivered", {})),
        (from_mailgun("opened", **{"client-info": {"bot": "gmail"}}), ("Message Opened", {})),
        (
            from_mailgun("opened", **{"client-info": {"bot": "apple"}}),
            ("Message Scanned", {"what": "opened", "by": "apple_mail_privacy"}),
        ),
        (from_mailgun("clicked", url="https://shop.example/"), ("Message Clicked", {"url": "https://shop.example/"})),
        (
            from_mailgun("failed", severity="permanent", reason="bounce"),
            ("Message Bounced", {"bounce": "hard", "reason": "bounce"}),
        ),
        (from_mailgun("failed", severity="temporary"), ("Message Bounced", {"bounce": "soft"})),
        (from_mailgun("rejected"), ("Message Failed", {})),
        (from_mailgun("complained"), ("Message Complained", {})),
        (from_mailgun("unsubscribed"), ("Unsubscribed", {})),
    ],
)
def test_what_mailgun_says(body: dict[str, Any], expected: tuple[str, dict[str, str]]) -> None:
    site = Told(MAILGUN)
    assert 200 == site.tell(body)
    assert [expected] == site.said
    assert AT * 1000 + 500 == site.events[0].timestamp


def test_nobody_else_can_tell_for_mailgun() -> None:
    site = Told(MAILGUN)
    bodies: list[Any] = [
        from_mailgun("failed", b"other"),
        {},
        [],
        b"x",
        b"[" * 100_000,
        {"signature": 5},
        {"signature": {"timestamp": 1}},
    ]
    for body in bodies:
        assert 401 == site.tell(body)
    assert [] == site.publisher.outputs


def test_another_event_of_mailgun_is_acknowledged() -> None:
    site = Told(MAILGUN)
    assert 200 == site.tell(from_mailgun("accepted"))
    assert 200 == site.tell({**from_mailgun("opened"), "event-data": []})
    assert [] == site.publisher.outputs


# ---- Postmark -----------------------------------------------------------------------------------------------------

POSTMARK = "esp: {kind: postmark, secret: {env: LOGIN}}"
LOGIN = {"Authorization": f"Basic {b64encode(b'shop:hush').decode()}"}
WHEN = "2026-03-02T09:59:00Z"


def record(kind: str, **more: Any) -> dict[str, Any]:
    times = {"DeliveredAt": WHEN, "ReceivedAt": WHEN, "BouncedAt": WHEN, "ChangedAt": WHEN}
    return {"RecordType": kind, "MessageID": "m1", "Metadata": {"kikkake_reference": REFERENCE}, **times, **more}


def listed(why: str | None, origin: str, *, suppressed: bool = True) -> dict[str, Any]:
    """Return a change of Postmark's list of suppressed addresses."""
    return record("SubscriptionChange", SuppressSending=suppressed, SuppressionReason=why, Origin=origin)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (record("Delivery"), ("Message Delivered", {})),
        (record("Open"), ("Message Opened", {})),
        (record("Click", OriginalLink="https://shop.example/"), ("Message Clicked", {"url": "https://shop.example/"})),
        (record("Bounce", Type="HardBounce"), ("Message Bounced", {"bounce": "hard", "reason": "HardBounce"})),
        (record("Bounce", Type="SoftBounce"), ("Message Bounced", {"bounce": "soft", "reason": "SoftBounce"})),
        (record("SpamComplaint"), ("Message Complained", {})),
        (listed("ManualSuppression", "Recipient"), ("Unsubscribed", {})),
        (listed("HardBounce", "Recipient"), ("Address Suppressed", {"reason": "bounced"})),
        (listed("SpamComplaint", "Recipient"), ("Address Suppressed", {"reason": "complained"})),
    ],
)
def test_what_postmark_says(body: dict[str, Any], expected: tuple[str, dict[str, str]]) -> None:
    site = Told(POSTMARK)
    assert 200 == site.tell(body, LOGIN)
    assert [expected] == site.said
    assert NOW - 60_000 == site.events[0].timestamp


@pytest.mark.parametrize("body", [listed("ManualSuppression", "Customer"), listed(None, "Admin", suppressed=False)])
def test_what_people_of_ours_do_to_postmarks_list_is_about_no_message(body: dict[str, Any]) -> None:
    site = Told(POSTMARK)
    assert 200 == site.tell(body, LOGIN)
    assert ([], []) == (site.said, site.letters)


def test_nobody_else_can_tell_for_postmark() -> None:
    site = Told(POSTMARK)
    for given in ({}, {"Authorization": "Basic c2hvcDpodXNoIQ=="}, {"Authorization": "Bearer hush"}):
        assert 401 == site.tell(record("Bounce", Type="HardBounce"), given)
    assert [] == site.publisher.outputs


# ---- the file -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "fault"),
    [
        ("kind: mailgun", "`secret` is missing"),
        ("kind: ses", "`topic` is missing"),
        ("kind: twilio, secret: {env: HUSH}", "`url` is missing"),
        ("kind: line, secret: {env: HUSH}", "whose LINE's id it is"),
        ("kind: mailgun, secret: {env: HUSH}, url: x", "unknown key `url`; known: kind, secret"),
        ("kind: shopify, secret: {env: HUSH}, topic: x", "unknown key `topic`; known: consent, kind, secret"),
        ("kind: line, secret: {env: HUSH}, user_id: nobody.here", "unknown root `nobody`"),
    ],
)
def test_a_source_says_what_it_takes_and_nothing_else(source: str, fault: str) -> None:
    with pytest.raises(JourneyFaultsError, match=fault):
        Told(f"esp: {{{source}}}")


def test_feedback_needs_links() -> None:
    text = "schema: webhooks/v1\nsources: {esp: {kind: mailgun, secret: {env: HUSH}}}\n"
    with pytest.raises(JourneyFaultsError, match="KIKKAKE_LINK_SECRET"):
        parse_webhooks("webhooks.yaml", text, {"HUSH": "hush"})
