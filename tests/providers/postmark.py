"""Postmark (postmarkapp.com/developer/api: "Send a single email" and the error codes of "Overview")."""

from __future__ import annotations

import json
from base64 import b64decode

from tests.providers.mail import FROM, MailCase, SentMail, person, saying
from tests.servers.provider import Asked, Face, Reply


def _error(code: int, message: str, status: int = 422) -> Reply:
    return Reply(status, json.dumps({"ErrorCode": code, "Message": message}).encode())


def _accept(asked: Asked, number: int) -> Reply:
    said = {"To": asked.json()["To"], "MessageID": f"pm-{number}", "ErrorCode": 0, "Message": "OK"}
    return Reply(200, json.dumps(said).encode())


def _mail(asked: Asked) -> SentMail:
    fields = asked.json()
    assert ("/email", "token") == (asked.path, asked.headers["x-postmark-server-token"])
    sender = person(fields["From"])
    assert sender is not None
    return SentMail(
        sender=sender,
        reply_to=person(fields.get("ReplyTo")),
        recipient=fields["To"],
        subject=fields["Subject"],
        text=fields.get("TextBody", ""),
        html=fields.get("HtmlBody", ""),
        headers={each["Name"]: each["Value"] for each in fields["Headers"]},
        files=tuple(
            (
                file["Name"],
                file["ContentType"],
                b64decode(file["Content"]),
                file.get("ContentID", "").removeprefix("cid:"),
            )
            for file in fields.get("Attachments", ())
        ),
        reference=fields.get("Metadata", {}).get("kikkake_reference"),
    )


POSTMARK = MailCase(
    kind="postmark",
    face=Face(accept=_accept),
    settings=lambda url: {"base_url": url, "from": FROM, "reply_to": "help@example.com", "token": "token"},
    says=saying(_mail),
    mail=_mail,
    longest=10 * 1024 * 1024,
    refused=(
        _error(300, "Provide either email TextBody or HtmlBody or both."),
        _error(402, "Invalid JSON"),
        _error(411, "Forbidden attachment type"),
        Reply(413),
    ),
    dead=(
        (
            _error(
                406,
                "You tried to send to recipient(s) that have been marked as inactive. Found inactive addresses: "
                "ann@example.com. Inactive recipients are ones that have generated a hard bounce, a spam complaint, "
                "or a manual suppression.",
            ),
            "unregistered",
        ),
        (_error(300, "Error parsing 'To': Illegal email domain 'x' in address 'ann@x'"), "invalid"),
        (_error(406, "Inactive recipient", 200), "unregistered"),
    ),
    misconfigured=(
        _error(10, "No Account or Server API tokens were supplied in the HTTP headers.", 401),
        _error(400, "The 'From' address you supplied is not a Sender Signature on your account."),
        _error(401, "Sender signature not confirmed"),
        _error(405, "Not allowed to send"),
        _error(412, "Account is Pending"),
        _error(413, "Account May Not Send"),
        _error(300, "Invalid 'From' address: 'sender@example.com'."),
        _error(1235, "The 'MessageStream' provided does not exist on this server."),
    ),
    later=(
        _error(429, "Rate Limit Exceeded", 429),
        _error(100, "Maintenance", 503),
        Reply(503, headers={"Retry-After": "9"}),
    ),
    unsure=(Reply(500, b'{"ErrorCode":600,"Message":"Server query exception"}'), Reply(504)),
)
