"""Amazon SES through SNS: the operator's topic alone, signed by Amazon's own certificate, fetched from Amazon alone."""

from __future__ import annotations

import datetime as dt
import json
from base64 import b64encode
from typing import Any

import httpx2
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA1, SHA256
from cryptography.hazmat.primitives.serialization import Encoding

from services.ingest.webhooks.base import Hook
from services.ingest.webhooks.feedback import Finder
from services.ingest.webhooks.providers import ses
from tests.unit.ingest.sites import NOW, Site
from tests.unit.ingest.webhooks.providers.telling import ABOUT, REFERENCE, SEALS

TOPIC = "arn:aws:sns:ap-northeast-1:123456789012:ses-feedback"
CERTIFICATE = "https://sns.ap-northeast-1.amazonaws.com/SimpleNotificationService-0123456789abcdef.pem"
SUBSCRIBE = "https://sns.ap-northeast-1.amazonaws.com/?Action=ConfirmSubscription&Token=t"
KEY = rsa.generate_private_key(65537, 2048)


def pem(key: Any = KEY) -> bytes:
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "sns.amazonaws.com")])
    begun = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    made = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    made = made.serial_number(1).not_valid_before(begun).not_valid_after(begun + dt.timedelta(days=365))
    return made.sign(key, SHA256()).public_bytes(Encoding.PEM)


class Amazon(Site):
    """A site that takes the topic, with what was asked of Amazon."""

    def __init__(self, certificate: bytes = pem(), *, away: bool = False) -> None:
        self.asked: list[str] = []
        self.ignored: list[str] = []
        finder = Finder(SEALS, self.ignored.append)

        async def fetch(url: str) -> bytes:
            self.asked.append(url)
            if away:
                raise httpx2.ConnectError("away")
            return certificate

        sns = ses.Sns(TOPIC, fetch)
        hook = Hook(
            name="ses", credentials=sns, prepare=sns.prepare, read=lambda posted: finder.calls("ses", ses.read(posted))
        )
        super().__init__(hooks={"ses": hook})

    def tell(self, body: dict[str, Any]) -> int:
        raw = json.dumps(body).encode()
        return self.http.post("/v1/webhooks/ses", content=raw, headers={"content-type": "text/plain"}).status_code


def signed(fields: dict[str, str], key: Any = KEY, version: str = "2") -> dict[str, str]:
    """Return the message with its signature, over the names that Amazon documents, in their order."""
    names = ["Message", "MessageId", "Subject", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"]
    text = "".join(f"{name}\n{fields[name]}\n" for name in names if name in fields)
    hashed = SHA256() if version == "2" else SHA1()
    signature = b64encode(key.sign(text.encode(), padding.PKCS1v15(), hashed)).decode()
    return {**fields, "SignatureVersion": version, "Signature": signature, "SigningCertURL": CERTIFICATE}


def a_message(kind: str = "Notification", **more: str) -> dict[str, str]:
    return {"Type": kind, "MessageId": "n1", "TopicArn": TOPIC, "Timestamp": "2026-03-02T10:00:00.000Z", **more}


def about(kind: str, **details: Any) -> dict[str, str]:
    field = kind.lower()
    mail = {"tags": {"kikkake_reference": [REFERENCE]}, "timestamp": "2026-03-02T09:00:00.000Z"}
    event = {"eventType": kind, "mail": mail, field: {"timestamp": "2026-03-02T09:59:00.000Z", **details}}
    return a_message(Message=json.dumps(event))


@pytest.mark.parametrize("version", ["1", "2"])
@pytest.mark.parametrize(
    ("message", "name", "more"),
    [
        (about("Delivery"), "Message Delivered", {}),
        (
            about("Bounce", bounceType="Permanent", bounceSubType="General"),
            "Message Bounced",
            {"bounce": "hard", "reason": "General"},
        ),
        (about("Bounce", bounceType="Transient"), "Message Bounced", {"bounce": "soft"}),
        (about("Complaint"), "Message Complained", {}),
        (about("Open"), "Message Opened", {}),
        (about("Click", link="https://shop.example/"), "Message Clicked", {"url": "https://shop.example/"}),
    ],
)
def test_what_ses_says(message: dict[str, str], name: str, more: dict[str, str], version: str) -> None:
    site = Amazon()
    assert 200 == site.tell(signed(message, version=version))
    [event] = site.events
    assert (name, "aki", NOW - 60_000) == (event.name, event.user_id, event.timestamp)
    assert {**ABOUT, **more} == event.properties


def test_the_certificate_is_asked_for_once() -> None:
    site = Amazon()
    assert [200, 200] == [site.tell(signed(about("Delivery"))) for _ in range(2)]
    assert [CERTIFICATE] == site.asked
    assert 1 == len({event.message_id for event in site.events})


def test_a_subscription_of_the_topic_is_confirmed() -> None:
    site = Amazon()
    asking = a_message("SubscriptionConfirmation", Message="m", Token="t", SubscribeURL=SUBSCRIBE)
    assert 200 == site.tell(signed(asking))
    assert [CERTIFICATE, SUBSCRIBE] == site.asked
    assert [] == site.events


def test_a_subscription_that_is_not_signed_is_not() -> None:
    site = Amazon()
    asking = a_message("SubscriptionConfirmation", Message="m", Token="t", SubscribeURL=SUBSCRIBE)
    forged = signed(asking, rsa.generate_private_key(65537, 2048))
    assert 401 == site.tell(forged)
    assert [CERTIFICATE] == site.asked


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example/SimpleNotificationService-0123456789abcdef.pem",
        "https://sns.ap-northeast-1.amazonaws.com.evil.example/SimpleNotificationService-0123456789abcdef.pem",
        "https://evil.example/sns.ap-northeast-1.amazonaws.com/SimpleNotificationService-0123456789abcdef.pem",
        "https://sns.ap-northeast-1.amazonaws.com@evil.example/SimpleNotificationService-0123456789abcdef.pem",
        "https://sns.ap-northeast-1.amazonaws.com:8443/SimpleNotificationService-0123456789abcdef.pem",
        "http://sns.ap-northeast-1.amazonaws.com/SimpleNotificationService-0123456789abcdef.pem",
        "https://s3.amazonaws.com/bucket/SimpleNotificationService-0123456789abcdef.pem",
        "https://sns.ap-northeast-1.amazonaws.com/SimpleNotificationService-0123456789abcdef.pem?x=y",
        "https://sns.ap-northeast-1.amazonaws.com/other.pem",
        "file:///etc/passwd",
        "https://[",
        "https://sns.ap-northeast-1.amazonaws.com/SimpleNotificationService-\t0123456789abcdef.pem",
    ],
)
def test_nobody_but_amazon_is_asked(url: str) -> None:
    site = Amazon()
    assert 401 == site.tell({**signed(about("Bounce", bounceType="Permanent")), "SigningCertURL": url})
    assert ([], []) == (site.asked, site.events)


def test_a_subscription_leads_nowhere_but_to_amazon() -> None:
    site = Amazon()
    asking = a_message("SubscriptionConfirmation", Message="m", Token="t", SubscribeURL="https://10.0.0.1/")
    site.tell(signed(asking))
    assert [CERTIFICATE] == site.asked


def test_a_topic_of_somebody_else_is_refused_unasked() -> None:
    """Amazon signs for everybody's topics."""
    site = Amazon()
    other = {**about("Bounce", bounceType="Permanent"), "TopicArn": TOPIC.replace("1234", "9999")}
    assert 401 == site.tell(signed(other))
    assert ([], []) == (site.asked, site.events)


def test_what_was_changed_is_refused() -> None:
    site = Amazon()
    for name, value in (("Message", "x"), ("Timestamp", "x"), ("Signature", "x"), ("Type", "Other")):
        assert 401 == site.tell({**signed(about("Delivery")), name: value})
    assert [] == site.events


def test_while_amazon_cannot_be_asked_it_is_to_send_again() -> None:
    """SNS gives up on what is refused by a 4xx."""
    assert 503 == Amazon(away=True).tell(signed(about("Delivery")))


def test_what_is_no_object_is_refused() -> None:
    site = Amazon()
    for body in (b"[" * 100_000, b"[]", b"\xff"):
        assert 401 == site.http.post("/v1/webhooks/ses", content=body).status_code


def test_other_certificates_of_amazon_that_somebody_names_keep_out_none() -> None:
    site = Amazon()
    for number in range(20):
        url = CERTIFICATE.replace("ap-northeast-1", f"eu-west-{number % 9}").replace("0123", f"{number:04}")
        site.tell({**a_message(Message="{}"), "SigningCertURL": url})
    assert 200 == site.tell(signed(about("Delivery")))
    assert 1 == len(site.events)


def test_what_is_no_certificate_proves_nothing() -> None:
    assert 401 == Amazon(b"nonsense").tell(signed(about("Delivery")))
