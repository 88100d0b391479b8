"""SendGrid (twilio.com/docs/sendgrid, "Mail Send": requests, answers and "Errors")."""

from __future__ import annotations

from base64 import b64decode

from tests.providers.mail import FROM, MailCase, SentMail, saying
from tests.servers.provider import Asked, Face, Reply


def _error(status: int, message: str, field: str | None = None) -> Reply:
    said = '{"errors":[{"message":"%s","field":%s,"help":null}]}' % (message, f'"{field}"' if field else "null")  # noqa: UP031
    return Reply(status, said.encode(), {"Content-Type": "application/json"})


def _mail(asked: Asked) -> SentMail:
    fields = asked.json()
    assert ("/v3/mail/send", "Bearer SG.key") == (asked.path, asked.headers["authorization"])
    reply_to = fields.get("reply_to")
    content = {each["type"]: each["value"] for each in fields["content"]}
    assert sorted(content, reverse=True) == list(content), "SendGrid refuses text behind the page"
    return SentMail(
        sender=(fields["from"].get("name", ""), fields["from"]["email"]),
        reply_to=(reply_to.get("name", ""), reply_to["email"]) if reply_to else None,
        recipient=fields["personalizations"][0]["to"][0]["email"],
        subject=fields["subject"],
        text=content.get("text/plain", ""),
        html=content.get("text/html", ""),
        headers=fields.get("headers", {}),
        files=tuple(
            (file["filename"], file["type"], b64decode(file["content"]), file.get("content_id", ""))
            for file in fields.get("attachments", ())
        ),
        reference=fields["custom_args"].get("kikkake_reference"),
    )


SENDGRID = MailCase(
    kind="sendgrid",
    face=Face(accept=lambda _asked, number: Reply(202, headers={"X-Message-Id": f"sg-{number}"})),
    settings=lambda url: {"base_url": url, "from": FROM, "reply_to": "help@example.com", "key": "SG.key"},
    says=saying(_mail),
    mail=_mail,
    longest=30 * 1024 * 1024,
    refused=(
        _error(400, "The subject is required.", "subject"),
        _error(400, "Bad Request"),
        Reply(413, b'{"errors":[{"message":"Payload Too Large"}]}'),
    ),
    dead=((_error(400, "Does not contain a valid address.", "personalizations.0.to.0.email"), "invalid"),),
    misconfigured=(
        _error(401, "The provided authorization grant is invalid, expired, or revoked"),
        _error(401, "Maximum credits exceeded"),
        _error(403, "The from address does not match a verified Sender Identity.", "from"),
        _error(400, "The from email does not contain a valid address.", "from.email"),
    ),
    later=(
        Reply(429, b'{"errors":[{"field":null,"message":"too many requests"}]}', {"Retry-After": "3"}),
        _error(503, "The SendGrid v3 Web API is not available."),
    ),
    unsure=(_error(500, "An error occurred on a SendGrid server."), Reply(502)),
)
