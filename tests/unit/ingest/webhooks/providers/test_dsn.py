"""Mails that come back: whose they are is found in three places, and hard is what says that nobody is there."""

from __future__ import annotations

from time import process_time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ingest.webhooks.providers.dsn import hardness, parse
from shared.links.link import Link, url_of
from tests.unit.ingest.webhooks.providers.telling import ABOUT, REFERENCE, SEALS, Told

MAIL = "esp: {kind: mail, secret: {env: HUSH}}"
TOKEN = {"Authorization": "Bearer hush", "Content-Type": "message/rfc822"}

REPORT = """\
Return-Path: <>
From: MAILER-DAEMON@mx.example (Mail Delivery System)
To: {to}
Subject: Undelivered Mail Returned to Sender
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="XX"

--XX
Content-Type: text/plain

I'm sorry to have to inform you that your message could not be delivered.

--XX
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.example
{envelope}
Final-Recipient: rfc822; aki@shop.example
Action: {action}
Status: {status}
Diagnostic-Code: smtp; {diagnostic}

--XX
Content-Type: text/rfc822-headers

Subject: Your cart
{header}

--XX--
"""


def a_report(
    *,
    to: str = "bounces@m.shop.example",
    envelope: str = "",
    header: str = "",
    action: str = "failed",
    status: str = "5.1.1",
    diagnostic: str = "550 5.1.1 user unknown",
) -> bytes:
    text = REPORT.format(to=to, envelope=envelope, header=header, action=action, status=status, diagnostic=diagnostic)
    return text.replace("\n", "\r\n").encode()


VERP = f"b+{REFERENCE}@m.shop.example"
HARD = [("Message Bounced", {"bounce": "hard", "reason": "5.1.1"})]


def told(raw: bytes) -> list[tuple[str, dict[str, Any]]]:
    site = Told(MAIL)
    assert 200 == site.tell(raw, TOKEN)
    assert all(ABOUT.items() <= event.properties.items() for event in site.events)
    return site.said


@pytest.mark.parametrize(
    "where",
    [
        {"to": VERP},
        {"to": f'"Shop" <{VERP}>'},
        {"envelope": f"Original-Envelope-Id: {REFERENCE}\n"},
        {"header": f"X-Kikkake-Reference: {REFERENCE}"},
    ],
)
def test_whose_it_is_is_found_in_each_place(where: dict[str, str]) -> None:
    assert HARD == told(a_report(**where))


@pytest.mark.parametrize(
    "where",
    [
        {"envelope": f"Original-Envelope-Id: {REFERENCE}\n"},
        {"header": f"X-Kikkake-Reference: {REFERENCE}"},
        {"envelope": "Original-Envelope-Id: x\n", "header": f"X-Kikkake-Reference: {REFERENCE}"},
    ],
)
def test_an_address_in_small_letters_says_nothing_and_the_next_place_does(where: dict[str, str]) -> None:
    """Some mail servers write the part before the @ in small letters, by which a reference is none any more."""
    assert HARD == told(a_report(to=VERP.lower(), **where))


def test_a_report_without_a_reference_of_ours_is_counted() -> None:
    for where in ({}, {"to": "b+" + "x" * 50 + "@m.shop.example"}):
        site = Told(MAIL)
        assert 200 == site.tell(a_report(**where), TOKEN)
        assert ([], [], ["unknown_reference"]) == (site.events, site.letters, site.ignored)


@pytest.mark.parametrize(
    ("action", "expected"),
    [("delivered", ["Message Delivered"]), ("delayed", []), ("relayed", []), ("FAILED", ["Message Bounced"])],
)
def test_the_reports_action_decides(action: str, expected: list[str]) -> None:
    assert expected == [name for name, _ in told(a_report(to=VERP, action=action))]


@pytest.mark.parametrize(
    ("status", "diagnostic", "expected"),
    [
        ("5.1.1", "", "hard"),
        ("5.1.10", "", "hard"),
        ("5.1.8", "bad sender", "soft"),
        ("5.2.1", "mailbox disabled", "hard"),
        ("5.2.2", "mailbox full", "soft"),
        ("5.7.1", "blocked by policy", "soft"),
        ("5.0.0", "550 No such user here", "hard"),
        ("5.5.0", "550 Requested action not taken: mailbox unavailable", "soft"),
        ("4.2.1", "user unknown, try again", "soft"),
        ("", "550 unknown recipient", "hard"),
    ],
)
def test_hard_is_what_says_that_nobody_is_there(status: str, diagnostic: str, expected: str) -> None:
    assert expected == hardness(status, diagnostic)


QMAIL = f"""\
Return-Path: <>
From: MAILER-DAEMON@old.example
To: bounces@m.shop.example
Subject: failure notice

Hi. This is the qmail-send program at old.example.
I'm afraid I wasn't able to deliver your message to the following addresses.
This is a permanent error; I've given up. Sorry it didn't work out.

<aki@shop.example>:
Sorry, no mailbox here by that name. (#5.1.1)

--- Below this line is a copy of the message.

Subject: Your cart
X-Kikkake-Reference: {REFERENCE}
"""


def test_a_report_of_no_form_is_read_by_its_words() -> None:
    assert HARD == told(QMAIL.encode())
    later = QMAIL.replace("(#5.1.1)", "(#4.4.1) I will try again")
    assert [] == told(later.encode())


def test_an_answer_of_a_person_is_no_report() -> None:
    answer = f"From: aki@shop.example\nTo: {VERP}\nSubject: Re: Your cart\n\nError 550 5.1.1 user unknown? Thanks!\n"
    assert [] == told(answer.encode())


def test_a_complaint_is_one() -> None:
    report = a_report(to=VERP).replace(b"message/delivery-status", b"message/feedback-report")
    report = report.replace(b"Reporting-MTA: dns; mx.example", b"Feedback-Type: abuse")
    assert [("Message Complained", {})] == told(report)


def test_a_mail_with_a_token_as_its_subject_unsubscribes() -> None:
    link = Link("u:aki", "6a1f1f0e-8f0c-5b7e-8e0a-1c2d3e4f5a6b", "cart", 1, "remind", "email", 1, "news")
    token = url_of(SEALS, "", "unsubscribe", link).rpartition("/")[2]
    for subject in (token, f"{token[:60]}\r\n {token[60:]}"):  # mail programs fold long lines
        site = Told(MAIL)
        assert 200 == site.tell(f"From: a@b\r\nSubject: {subject}\r\n\r\n".encode(), TOKEN)
        assert ["Consent Revoked", "Unsubscribed"] == [event.name for event in site.events]
        assert "news" == site.events[0].properties["topic"]


def test_nobody_else_can_bounce() -> None:
    site = Told(MAIL)
    assert 401 == site.tell(a_report(to=VERP), {"Authorization": "Bearer other"})
    assert [] == site.publisher.outputs


def test_the_same_report_twice_is_one() -> None:
    site = Told(MAIL)
    for _ in range(2):
        site.tell(a_report(to=VERP), TOKEN)
    assert 1 == len({event.message_id for event in site.events})


@given(st.binary(max_size=400))
def test_whatever_is_sent_is_read(raw: bytes) -> None:
    found = parse(raw, 1).value
    assert isinstance(found, dict)
    assert all(isinstance(value, str) for value in found.values())


def nested(levels: int) -> bytes:
    """Return a mail with so many mails within each other."""
    return b"".join(f'Content-Type: multipart/mixed; boundary="b{n}"\n\n--b{n}\n'.encode() for n in range(levels))


@pytest.mark.parametrize(
    "raw", [nested(5_000), b"From: <>\n\n" + b"\n" * 200_000, b"From: <>\n\n" + b"> " * 100_000, b"b+" * 100_000]
)
def test_a_mail_that_is_made_to_take_long_does_not(raw: bytes) -> None:
    began = process_time()
    assert {"id"} <= set(parse(raw, 1).value)
    assert process_time() - began < 2.0


def test_nothing_of_the_mail_is_kept_but_what_it_tells() -> None:
    assert "aki" not in str(parse(a_report(to=VERP), 1).value)
