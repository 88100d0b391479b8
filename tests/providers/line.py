"""LINE's Messaging API (developers.line.biz): the reference, and "Retry failed API requests"."""

from __future__ import annotations

import json

from tests.providers.base import Case
from tests.servers.provider import Asked, Face, Reply

USER = "U4af4980629aa39f5b0d1a5e3a1a2b3c4"


def take(asked: Asked, _number: int) -> Reply:
    # LINE's own ids of requests have nothing to do with the key; here they tell which two requests are one.
    request_id = asked.headers["x-line-retry-key"]
    body = {"sentMessages": [{"id": "461230966842064897", "quoteToken": "IStG5h1Tz7b"}]}
    return Reply(200, json.dumps(body).encode(), {"X-Line-Request-Id": request_id})


def repeat(asked: Asked) -> Reply:
    headers = {"X-Line-Request-Id": "another", "X-Line-Accepted-Request-Id": asked.headers["x-line-retry-key"]}
    return Reply(409, b'{"message": "The retry key is already accepted"}', headers)


LINE = Case(
    kind="line",
    channel="line",
    face=Face(accept=take, key=lambda asked: asked.headers["x-line-retry-key"], repeated=repeat),
    settings=lambda url: {"base_url": url, "token": "t0ken"},
    address=lambda _: USER,
    says=lambda asked: (asked.json()["to"], asked.json()["messages"][0]["text"]),
    refused=(
        Reply(400, b'{"message": "The request body has 2 error(s)", "details": [{"property": "messages[0].text"}]}'),
        Reply(413, b'{"message": "Payload Too Large"}'),
    ),
    dead=(
        (Reply(400, b'{"message": "Failed to send messages"}'), "invalid"),
        (Reply(400, b'{"message": "The property, \'to\', in the request body is invalid"}'), "invalid"),
    ),
    misconfigured=(
        Reply(401, b'{"message": "Authentication failed. Confirm that the access token is valid."}'),
        Reply(403, b'{"message": "Access to this API is not available for your account"}'),
        Reply(429, b'{"message": "You have reached your monthly limit."}'),
    ),
    later=(
        Reply(429, b'{"message": "The API rate limit has been exceeded. Try again later."}'),
        Reply(503),
    ),
    # Asked again by the same key, of which it takes one.
    unsure=(Reply(500, b'{"message": "Internal server error"}'), Reply(502), Reply(504)),
)
