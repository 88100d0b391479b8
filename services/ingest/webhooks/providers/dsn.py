"""Mails that come back: delivery reports (RFC 3464), complaints (RFC 5965), reports of no form, and unsubscriptions.

What is read of them is whose message it was and what became of it; the rest, with its addresses, is not kept.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from email import policy
from email.message import Message as Mail
from email.parser import BytesParser
from hashlib import sha256
from typing import Any

from services.ingest.body import Body
from services.ingest.webhooks.feedback import Told

REFERENCE_HEADER = "X-Kikkake-Reference"
"""The header of our mails that a report brings back where it was not sent to an address with the reference in it."""
BODY_BYTES = 256 * 1024
"""What is read of a mail: a report says what it has to say before the message that it brings back."""
_LETTERS = r"[A-Za-z0-9_-]{40,600}"
_SENT_TO = re.compile(rf"\bb\+({_LETTERS})@", re.IGNORECASE)
_BROUGHT_BACK = re.compile(rf"^>?[ \t]*{REFERENCE_HEADER}:[ \t]*({_LETTERS})[ \t]*\r?$", re.IGNORECASE | re.MULTILINE)
_STATUS = re.compile(r"(?<![\d.])([245]\.\d{1,3}\.\d{1,3})(?![\d.])")
_REPLY = re.compile(r"(?<![\d.-])([45])\d\d[ -]")
_NOBODY = re.compile(
    r"user unknown|unknown user|no such (?:user|mailbox|recipient|address)|does(?:n't| not) exist|no mailbox here"
    r"|invalid (?:recipient|mailbox)|recipient (?:address )?rejected: (?:user|undeliverable)"
    r"|unknown (?:recipient|address)",
    re.IGNORECASE,
)
_OURS = frozenset({"5.1.7", "5.1.8", "5.1.9"})
"""Of the statuses about addresses those that are about the sender's."""
_TO = ("X-Original-To", "Delivered-To", "Envelope-To", "To")
_MOST = 4
"""Addresses in which a reference is looked for."""


def parse(raw: bytes, _most: int) -> Body:
    """Return what a mail tells, as JSON: each of its fields may be missing."""
    found: dict[str, Any] = {"id": sha256(raw).hexdigest()}
    with suppress(RecursionError):  # mails within mails without end tell nothing
        mail = BytesParser(policy=policy.compat32).parsebytes(raw[:BODY_BYTES])
        text = raw[:BODY_BYTES].decode("latin-1")
        found |= {"references": _references(mail, text), "unsubscribe": _token(str(mail.get("Subject", "")))}
        found |= _report(mail, text)
    return Body({name: value for name, value in found.items() if value}, len(raw))


def read(said: dict[str, Any]) -> Iterator[Told]:
    """Yield what the report tells; nothing of a delay, or of a mail that is no report."""
    name = {"delivered": "Message Delivered", "failed": "Message Bounced", "abuse": "Message Complained"}.get(
        str(said.get("what"))
    )
    if name is not None:
        properties = {"bounce": said.get("bounce"), "reason": said.get("status")}
        yield Told(
            name, said.get("references"), str(said.get("id")), None, properties if name != "Message Complained" else {}
        )


def hardness(status: str, diagnostic: str) -> str:
    """Return ``hard`` where there is nobody at the address, by its enhanced status code (RFC 3463) or in words.

    Who has a full mailbox or refuses this mail for what is in it has an address all the same.
    """
    nobody = status.startswith("5.1.") and status not in _OURS
    said_so = not status.startswith("4") and _NOBODY.search(diagnostic) is not None
    return "hard" if nobody or status == "5.2.1" or said_so else "soft"


def _token(subject: str) -> str | None:
    """Return the token that is all of ``subject``, but for blanks at which it was folded."""
    text = "".join(subject.split())
    return text if re.fullmatch(_LETTERS, text) else None


def _references(mail: Mail, text: str) -> list[str]:
    """Return what may be the reference, the likeliest first: the address to which it came, its envelope, its header.

    A mail server on the way may write addresses in small letters; then what stands in the first place is none.
    """
    sent_to = [found[1] for name in _TO for value in mail.get_all(name, []) if (found := _SENT_TO.search(str(value)))]
    envelopes = [str(part["Original-Envelope-Id"]).strip() for part in _groups(mail) if part["Original-Envelope-Id"]]
    return [*sent_to[:_MOST], *envelopes[:1], *_BROUGHT_BACK.findall(text)[:1]]


def _report(mail: Mail, text: str) -> dict[str, Any]:
    """Return what happened: by the report's own fields, else by what its words hold of a status."""
    if any(part.get_content_type() == "message/feedback-report" for part in mail.walk()):
        kind = re.search(r"^Feedback-Type:\s*([\w-]+)", text, re.IGNORECASE | re.MULTILINE)
        return {"what": "abuse"} if kind and kind[1].lower() == "abuse" else {}
    for group in _groups(mail):
        action = str(group["Action"] or "").strip().lower()
        if action:
            status, diagnostic = str(group["Status"] or "").strip()[:12], str(group["Diagnostic-Code"] or "")
            bounce = hardness(status, diagnostic) if action == "failed" else None
            return {"what": action, "status": status, "bounce": bounce}
    if not _is_bounce(mail):
        return {}
    status = next(iter(_STATUS.findall(text)), "")
    reply = _REPLY.search(text)
    if (status or (reply[0] if reply else "")).startswith("4"):
        return {"what": "delayed"}
    return {"what": "failed", "status": status, "bounce": hardness(status, text)}


def _is_bounce(mail: Mail) -> bool:
    """Tell whether a mail without a report is one in words: from no sender, or from the mail server itself."""
    sender = f"{mail.get('Return-Path', '')} {mail.get('From', '')}".lower()
    return "<>" in sender or "mailer-daemon" in sender or "postmaster" in sender


def _groups(mail: Mail) -> Iterator[Mail]:
    """Yield the groups of fields of a delivery report: of the message first, then of each recipient."""
    for part in mail.walk():
        if part.get_content_type() == "message/delivery-status":
            groups = part.get_payload()
            yield from (group for group in groups if isinstance(group, Mail)) if isinstance(groups, list) else ()
