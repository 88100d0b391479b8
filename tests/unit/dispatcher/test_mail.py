"""A message as a mail: what no provider is asked, and how it is said without repeating it."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from services.dispatcher.channels.base import Attachment, Message
from services.dispatcher.channels.kinds import Settings
from services.dispatcher.channels.mail import Mailbox, compose, mail_settings, mails_of
from services.dispatcher.errors import DeadAddressError, RefusedError
from shared.errors import WordError
from tests.builders import at

SETTINGS = mail_settings("Shop 東京 <shop@example.com>", "help@example.com")
MESSAGE = Message(command_id="1", address="ann@example.com", parts={"subject": "s", "text": "t"}, at=at("12:00"))


def composed(**changes: Any) -> Any:
    return compose(msgspec.structs.replace(MESSAGE, **changes), SETTINGS)


def test_the_message_and_the_settings_make_the_mail() -> None:
    mail = composed(headers=(("List-Id", "<cart.example.com>"),))
    assert (Mailbox("shop@example.com", "Shop 東京"), Mailbox("help@example.com")) == (mail.sender, mail.reply_to)
    assert ("ann@example.com", "s", "t", None) == (mail.recipient, mail.subject, mail.text, mail.html)
    assert ("<1@example.com>", (("List-Id", "<cart.example.com>"),)) == (mail.message_id, mail.headers)


@pytest.mark.parametrize(
    "address", ["", "ann", "ann@", "@x.com", "a b@x.com", "a@x.com\n", "a@x,b@x", "a@x..com", "<a@x>"]
)
def test_an_address_that_is_none_is_dead_and_not_repeated(address: str) -> None:
    with pytest.raises(DeadAddressError) as caught:
        composed(address=address)
    assert "not an e-mail address" == str(caught.value)
    assert "invalid" == caught.value.why


@pytest.mark.parametrize("end", ["\r", "\n", "\r\n", "\0", "\u2028", "\ud800"])
@pytest.mark.parametrize("field", ["subject", "header", "file", "cid", "id"])
def test_nobody_ends_a_header_line(field: str, end: str) -> None:
    written = f"secret{end}Bcc: b@c"
    changes: dict[str, dict[str, Any]] = {
        "subject": {"parts": {"subject": written, "text": "t"}},
        "header": {"headers": (("X-Note", written),)},
        "file": {"attachments": (Attachment(written, "image/png", b""),)},
        "cid": {"attachments": (Attachment("a", "image/png", b"", cid=written),)},
        "id": {"command_id": written},
    }
    with pytest.raises(RefusedError) as caught:
        composed(**changes[field])
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "changes",
    [
        {"parts": {"subject": "s"}},
        {"headers": (("X: y", "z"),)},
        {"headers": (("", "z"),)},
        {"headers": (("X-Long", "z" * 901),)},
        {"attachments": (Attachment("a", "image/png; x=y", b""),)},
    ],
)
def test_what_is_no_mail_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(RefusedError):
        composed(**changes)


@pytest.mark.parametrize("text", ["Shop", "Shop <shop>", "a@x.com\nBcc: b@c", "Shop\r\n <a@x.com>", "店@example.com"])
@pytest.mark.parametrize("word", ["from", "reply_to"])
def test_whom_mails_are_from_is_one_address(word: str, text: str) -> None:
    words = {"from": "a@x.com", "reply_to": None, "feedback_id": None, "files_from": (), word: text}
    with pytest.raises(WordError, match=rf"^`{word}` is no address; write one, or 'Name <address>'$") as caught:
        mails_of(Settings("ours", words))
    assert word == caught.value.word


def test_whom_mails_are_from_is_asked_for_by_the_name_of_its_setting() -> None:
    with pytest.raises(WordError, match=r"^--email-from or KIKKAKE_EMAIL_FROM is no address; write"):
        mail_settings("Shop")
    with pytest.raises(WordError, match=r"^KIKKAKE_EMAIL_REPLY_TO is no address; write"):
        mail_settings("a@x.com", "Shop")


@pytest.mark.parametrize(
    ("changes", "headers"),
    [
        ({"topic": "news", "purpose": "marketing"}, {"List-Id": "<news.example.com>"}),
        ({"topic": "news", "purpose": "transactional"}, {}),
        ({}, {}),
    ],
)
def test_marketing_of_a_topic_is_a_list(changes: dict[str, Any], headers: dict[str, str]) -> None:
    assert headers == dict(composed(**changes).headers)


@pytest.mark.parametrize("name", ["shop", "our shop", "x" * 16, "a:b:c:d"])
def test_a_name_for_reports_is_one_that_gmail_takes(name: str) -> None:
    words = {"from": "shop@example.com", "reply_to": None, "feedback_id": name, "files_from": ()}
    with pytest.raises(WordError, match=r"^`feedback_id` is no name for reports; write 5 to 15"):
        mails_of(Settings("ours", words))
