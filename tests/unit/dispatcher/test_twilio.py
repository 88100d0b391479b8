"""What Twilio is told of a message, and which numbers are none."""

from __future__ import annotations

import base64
from typing import Any

import msgspec
import pytest

from services.dispatcher.errors import DeadAddressError, RefusedError
from shared.errors import ConfigurationError
from tests.builders import at
from tests.providers.base import Case
from tests.providers.twilio import ACCOUNT, TWILIO, TWILIO_WHATSAPP, form_of
from tests.servers.provider import Asked, ProviderServer


async def asked(case: Case, settings: dict[str, Any] | None = None, **message: Any) -> Asked:
    """Send one message and return what Twilio was asked."""
    async with ProviderServer(case.face) as server:
        provider = case.make(server.url, **(settings or {}))
        try:
            receipt = await provider.send(case.message(server.url, **message))
        finally:
            await provider.close()
        assert "SM00000000000000000000000000000001" == receipt.provider_id
        return server.accepted[0]


async def test_an_sms_is_a_form_to_the_account() -> None:
    said = await asked(TWILIO)
    assert f"/2010-04-01/Accounts/{ACCOUNT}/Messages.json" == said.path
    assert base64.b64encode(f"{ACCOUNT}:t0ken".encode()).decode() == said.headers["authorization"].removeprefix(
        "Basic "
    )
    assert {"To": "+819012345678", "From": "+15005550006", "Body": "Hello こんにちは"} == form_of(said)


async def test_an_api_key_logs_in_in_place_of_the_account_and_a_service_sends() -> None:
    said = await asked(TWILIO, {"api_key": "SK1", "from": "MG1"})
    assert b"SK1:t0ken" == base64.b64decode(said.headers["authorization"].removeprefix("Basic "))
    form = form_of(said)
    assert ("MG1", None) == (form["MessagingServiceSid"], form.get("From"))


async def test_whatsapp_names_its_numbers_so() -> None:
    for address in ("+819012345678", "whatsapp:+819012345678"):
        form = form_of(await asked(TWILIO_WHATSAPP, address=address))
        assert ("whatsapp:+819012345678", "whatsapp:+15005550006") == (form["To"], form["From"])
    form = form_of(await asked(TWILIO_WHATSAPP, {"from": "MG1"}))
    assert ("MG1", None) == (form["MessagingServiceSid"], form.get("From"))


async def test_a_template_of_whatsapps_is_sent_in_place_of_the_text() -> None:
    parts = {"text": "Hello", "content_sid": "HX1\n", "content_variables": ' {"1": "あ", "2": "\\"b\\""}'}
    form = form_of(await asked(TWILIO_WHATSAPP, parts=parts))
    assert ("HX1", {"1": "あ", "2": '"b"'}) == (form["ContentSid"], msgspec.json.decode(form["ContentVariables"]))
    assert "Body" not in form


@pytest.mark.parametrize("variables", ["", "[]", '{"1": 2}', '{"1": "a"'])
async def test_variables_that_are_no_object_of_texts_are_refused(variables: str) -> None:
    with pytest.raises(RefusedError, match="`content_variables`"):
        await asked(TWILIO_WHATSAPP, parts={"text": "Hello", "content_sid": "HX1", "content_variables": variables})


async def test_what_becomes_of_it_is_said_with_the_reference_and_to_nobody_without_one() -> None:
    there = {"callback_url": "https://hooks.example.com/v1/twilio"}
    form = form_of(await asked(TWILIO, there, reference="a+b/c="))
    assert "https://hooks.example.com/v1/twilio?reference=a%2Bb%2Fc%3D" == form["StatusCallback"]
    form = form_of(await asked(TWILIO, {"callback_url": "https://hooks.example.com/?key=1"}, reference="r"))
    assert "https://hooks.example.com/?key=1&reference=r" == form["StatusCallback"]
    assert "StatusCallback" not in form_of(await asked(TWILIO, there))
    assert "StatusCallback" not in form_of(await asked(TWILIO, reference="r"))


@pytest.mark.parametrize(("expires_at", "seconds"), [("12:10", "600"), ("23:59", "36000"), ("11:00", "1")])
async def test_it_waits_no_longer_than_it_is_worth(expires_at: str, seconds: str) -> None:
    assert seconds == form_of(await asked(TWILIO, expires_at=at(expires_at)))["ValidityPeriod"]


@pytest.mark.parametrize(
    ("address", "region", "number"),
    [
        ("+81 90-1234-5678", "", "+819012345678"),
        ("090-1234-5678", "JP", "+819012345678"),
        ("０９０ー１２３４ー５６７８", "JP", "+819012345678"),
        ("(415) 555-2671", "US", "+14155552671"),
        ("+819012345678", "US", "+819012345678"),
    ],
)
async def test_a_number_is_written_as_e164(address: str, region: str, number: str) -> None:
    assert number == form_of(await asked(TWILIO, {"region": region}, address=address))["To"]


@pytest.mark.parametrize(
    ("address", "region"), [("090-1234-5678", ""), ("12", "JP"), ("aki", "JP"), ("+81", ""), ("", "")]
)
async def test_what_is_no_number_is_dead_before_anybody_is_asked(address: str, region: str) -> None:
    with pytest.raises(DeadAddressError, match=r"^not a phone number$") as caught:
        await asked(TWILIO, {"region": region}, address=address)
    assert "invalid" == caught.value.why


async def test_a_text_becomes_no_more_sms_than_the_file_allows() -> None:
    await asked(TWILIO, {"max_segments": 2}, parts={"text": "a" * 306})
    with pytest.raises(RefusedError, match="3 SMS, and `max_segments` allows 2"):
        await asked(TWILIO, {"max_segments": 2}, parts={"text": "a" * 307})
    for case in (TWILIO, TWILIO_WHATSAPP):
        with pytest.raises(RefusedError, match="longer than 1600"):
            await asked(case, {"max_segments": 100}, parts={"text": "a" * 1601})


def test_a_region_is_a_country() -> None:
    with pytest.raises(ConfigurationError, match="such as JP"):
        TWILIO.make("http://127.0.0.1:1", region="Japan")
