"""Twilio's Messages API (twilio.com/docs/messaging/api/message-resource, twilio.com/docs/api/errors)."""

from __future__ import annotations

import json
from dataclasses import replace
from urllib.parse import parse_qs

from tests.providers.base import Case
from tests.servers.provider import Asked, Face, Reply

ACCOUNT = "AC00000000000000000000000000000000"


def form_of(asked: Asked) -> dict[str, str]:
    return {name: value for name, [value] in parse_qs(asked.body.decode("ascii"), strict_parsing=True).items()}


def take(asked: Asked, number: int) -> Reply:
    form = form_of(asked)
    body = {"sid": f"SM{number:032x}", "status": "queued", "to": form["To"], "num_segments": "1", "error_code": None}
    return Reply(201, json.dumps(body).encode())


def error(status: int, code: int, **headers: str) -> Reply:
    said = {"code": code, "message": "…", "more_info": f"https://www.twilio.com/docs/errors/{code}", "status": status}
    return Reply(status, json.dumps(said).encode(), headers)


TWILIO = Case(
    kind="twilio",
    channel="sms",
    face=Face(accept=take),
    settings=lambda url: {"base_url": url, "account": ACCOUNT, "secret": "t0ken", "from": "+15005550006"},
    address=lambda _: "+819012345678",
    says=lambda asked: (form_of(asked)["To"], form_of(asked)["Body"]),
    refused=(error(400, 21408), error(400, 21617), error(400, 30034), error(400, 99999)),
    dead=(
        (error(400, 21211), "invalid"),
        (error(400, 21614), "invalid"),
        (error(400, 21610), "opted_out"),
    ),
    misconfigured=(error(401, 20003), error(404, 20404), error(400, 21606), error(400, 21703), error(403, 20005)),
    later=(error(429, 20429, **{"Retry-After": "1"}), error(429, 14107), error(400, 21611), Reply(503)),
    unsure=(error(500, 20500), Reply(502), Reply(504)),
)
TWILIO_WHATSAPP = replace(
    TWILIO,
    kind="twilio_whatsapp",
    channel="whatsapp",
    says=lambda asked: (form_of(asked)["To"].removeprefix("whatsapp:"), form_of(asked)["Body"]),
    refused=(error(400, 63016), error(400, 21617)),
    dead=((error(400, 63003), "invalid"), (error(400, 63024), "invalid"), (error(400, 21610), "opted_out")),
    misconfigured=(error(401, 20003), error(400, 63007)),
    later=(error(429, 63018), error(429, 63038), error(429, 20429)),
)
