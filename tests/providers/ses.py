"""Amazon SES, API v2 (docs.aws.amazon.com/ses/latest/APIReference-V2: "SendEmail", its errors, "Common Errors")."""

from __future__ import annotations

import json
from base64 import b64decode

from tests.providers.mail import FROM, MailCase, SentMail, parsed, saying
from tests.servers.provider import Asked, Face, Reply


def _error(status: int, kind: str, message: str = "", **headers: str) -> Reply:
    return Reply(status, json.dumps({"message": message}).encode(), {"x-amzn-ErrorType": kind, **headers})


def _accept(asked: Asked, number: int) -> Reply:
    return Reply(200, json.dumps({"MessageId": f"ses-{number}"}).encode())


def _mail(asked: Asked) -> SentMail:
    assert "/v2/email/outbound-emails" == asked.path
    assert "/eu-west-1/ses/aws4_request, SignedHeaders=content-type;host;" in asked.headers["authorization"]
    fields = asked.json()
    assert "feedback" == fields["ConfigurationSetName"]
    tags = {tag["Name"]: tag["Value"] for tag in fields["EmailTags"]}
    mail = parsed(b64decode(fields["Content"]["Raw"]["Data"]), tags.get("kikkake_reference"))
    assert fields["Destination"] == {"ToAddresses": [mail.recipient]}
    assert fields["FromEmailAddress"] == mail.sender[1]
    return mail


SES = MailCase(
    kind="ses",
    face=Face(accept=_accept),
    settings=lambda url: {
        "base_url": url,
        "from": FROM,
        "reply_to": "help@example.com",
        "region": "eu-west-1",
        "access_key": "AKIDEXAMPLE",
        "secret_key": "secret",
        "configuration_set": "feedback",
    },
    says=saying(_mail),
    mail=_mail,
    longest=40 * 1000 * 1000,
    refused=(
        _error(400, "BadRequestException", "Missing final '@domain'"),
        _error(400, "MessageRejected:http://internal.amazon.com/coral/com.amazonaws.sesv2/", "Illegal content"),
        Reply(413),
    ),
    misconfigured=(
        _error(400, "SendingPausedException", "Email sending is disabled."),
        _error(400, "AccountSuspendedException"),
        _error(400, "MailFromDomainNotVerifiedException"),
        _error(404, "NotFoundException", "Configuration set <feedback> does not exist."),
        _error(403, "InvalidSignatureException"),
        _error(403, "AccessDeniedException"),
        _error(
            400,
            "MessageRejected",
            "Email address is not verified. The following identities failed the check in region EU-WEST-1: a@b",
        ),
        Reply(400, b'{"__type":"com.amazon.coral.service#UnrecognizedClientException","message":"..."}'),
    ),
    later=(
        _error(429, "TooManyRequestsException", "Maximum sending rate exceeded."),
        _error(400, "ThrottlingException", "Daily message quota exceeded."),
        _error(400, "LimitExceededException"),
        _error(503, "ServiceUnavailable"),
    ),
    unsure=(_error(500, "InternalFailure"), Reply(504)),
)
