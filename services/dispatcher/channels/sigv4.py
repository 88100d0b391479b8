"""AWS Signature Version 4 of one POST (docs.aws.amazon.com, IAM, "Create a signed AWS API request").

Ours, because it is four HMACs: botocore, which has them too, is 31 MB of the descriptions of other services, and AWS's
own small package (aws-sdk-signers) asks for Python 3.12. The test has AWS's published example and what botocore signs.
"""

from __future__ import annotations

import hashlib
import hmac
from datetime import UTC, datetime
from urllib.parse import quote, urlsplit

import msgspec

_ALGORITHM = "AWS4-HMAC-SHA256"


class AwsKey(msgspec.Struct, frozen=True):
    """Who signs, and for which service where. ``token`` is of credentials that end."""

    access: str
    secret: str
    region: str
    service: str
    token: str = ""


def signed(key: AwsKey, url: str, body: bytes, headers: dict[str, str], at: int) -> dict[str, str]:
    """Return ``headers`` with those that sign the POST of ``body`` to ``url`` at ``at`` (ms, machine time)."""
    parts = urlsplit(url)
    moment = datetime.fromtimestamp(at // 1000, UTC).strftime("%Y%m%dT%H%M%SZ")
    made = {**headers, "Host": parts.netloc, "X-Amz-Date": moment}
    if key.token:
        made["X-Amz-Security-Token"] = key.token
    lines = sorted((name.lower(), " ".join(value.split())) for name, value in made.items())
    names = ";".join(name for name, _ in lines)
    request = "\n".join(
        [
            "POST",
            quote(parts.path or "/"),
            parts.query,
            *(f"{name}:{value}" for name, value in lines),
            "",
            names,
            hashlib.sha256(body).hexdigest(),
        ]
    )
    scope = f"{moment[:8]}/{key.region}/{key.service}/aws4_request"
    text = f"{_ALGORITHM}\n{moment}\n{scope}\n{hashlib.sha256(request.encode()).hexdigest()}"
    secret = f"AWS4{key.secret}".encode()
    for part in scope.split("/"):
        secret = hmac.digest(secret, part.encode(), "sha256")
    signature = hmac.digest(secret, text.encode(), "sha256").hex()
    made["Authorization"] = (
        f"{_ALGORITHM} Credential={key.access}/{scope}, SignedHeaders={names}, Signature={signature}"
    )
    return made
