"""Mailgun (documentation.mailgun.com: "Send an email in MIME format", "API Response Codes")."""

from __future__ import annotations

import json
from email import message_from_bytes, policy

from tests.providers.mail import FROM, MailCase, SentMail, parsed, saying
from tests.servers.provider import Asked, Face, Reply


def _error(status: int, message: str) -> Reply:
    return Reply(status, json.dumps({"message": message}).encode())


def _accept(asked: Asked, number: int) -> Reply:
    return Reply(200, json.dumps({"id": f"<mg-{number}@mg.example.com>", "message": "Queued. Thank you."}).encode())


def _mail(asked: Asked) -> SentMail:
    assert ("/v3/mg.example.com/messages.mime", "Basic YXBpOmtleQ==") == (asked.path, asked.headers["authorization"])
    form = message_from_bytes(
        f"Content-Type: {asked.headers['content-type']}\r\n\r\n".encode() + asked.body, policy=policy.HTTP
    )
    fields: dict[str, bytes] = {}
    for part in form.iter_parts():
        name = part.get_param("name", header="content-disposition")
        # A part of its own in this parser's eyes: what Mailgun reads is its bytes.
        fields[str(name)] = (
            part.get_content().as_bytes() if name == "message" else part.get_payload(decode=True)  # type: ignore[assignment]
        )
    reference = fields.get("v:kikkake_reference")
    mail = parsed(fields["message"], reference.decode() if reference else None)
    assert mail.recipient == fields["to"].decode()
    return mail


MAILGUN = MailCase(
    kind="mailgun",
    face=Face(accept=_accept),
    settings=lambda url: {
        "base_url": url,
        "from": FROM,
        "reply_to": "help@example.com",
        "key": "key",
        "domain": "mg.example.com",
    },
    says=saying(_mail),
    mail=_mail,
    longest=25 * 1000 * 1000,
    refused=(
        _error(400, "Need at least one of 'text' or 'html' parameters specified"),
        _error(413, "Message size is too big"),
    ),
    dead=((_error(400, "'to' parameter is not a valid address. please check documentation"), "invalid"),),
    misconfigured=(
        Reply(401, b"Forbidden"),
        _error(402, "Payment required"),
        _error(403, "Domain mg.example.com is not allowed to send: Please activate your Mailgun account."),
        _error(404, "Domain not found: mg.example.com"),
        _error(400, "'from' parameter is not a valid address. please check documentation"),
    ),
    later=(Reply(429, b'{"message":"Too many requests"}', {"Retry-After": "12"}), Reply(503)),
    unsure=(_error(500, "Internal Server Error"), Reply(502)),
)
