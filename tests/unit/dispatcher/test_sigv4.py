"""The signature of AWS: what its published example and botocore 1.44.5 sign."""

from __future__ import annotations

from services.dispatcher.channels.sigv4 import AwsKey, signed
from tests.builders import at

KEY = AwsKey("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "eu-west-1", "ses")
URL = "https://email.eu-west-1.amazonaws.com/v2/email/outbound-emails"
SCOPE = "AKIDEXAMPLE/20260302/eu-west-1/ses/aws4_request"


def signature(key: AwsKey, url: str, body: str, headers: dict[str, str], now: int) -> str:
    return signed(key, url, body.encode(), headers, now)["Authorization"].rpartition("Signature=")[2]


def test_it_signs_as_botocore_does() -> None:
    made = signed(KEY, URL, '{"a":"こ"}'.encode(), {"Content-Type": "application/json"}, at("12:00"))
    assert "20260302T120000Z" == made["X-Amz-Date"]
    assert (
        f"AWS4-HMAC-SHA256 Credential={SCOPE}, SignedHeaders=content-type;host;x-amz-date, "
        "Signature=1be44cd104be872e97a36b49a025ba3252ecff1a1cdb402f5b0875a473e78f4b"
    ) == made["Authorization"]


def test_it_signs_the_token_of_credentials_that_end() -> None:
    key = AwsKey(KEY.access, KEY.secret, KEY.region, KEY.service, "the/token==")
    made = signed(key, URL, '{"a":"こ"}'.encode(), {"Content-Type": "application/json"}, at("12:00"))
    assert "the/token==" == made["X-Amz-Security-Token"]
    assert made["Authorization"].endswith("3a62658feb22cc3412cffe08e74490bbbbbf4e89b1d73581d3152024bbc532a4")


def test_it_signs_as_the_published_example_does() -> None:
    """AWS's Signature Version 4 test suite, ``post-vanilla``."""
    key = AwsKey("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "us-east-1", "service")
    assert "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b" == signature(
        key, "https://example.amazonaws.com/", "", {}, 1_440_938_160_000
    )
