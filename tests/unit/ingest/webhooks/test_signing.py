"""Signatures and tokens, by known answers."""

from __future__ import annotations

import base64

import pytest

from services.ingest.webhooks.signing import Signature, Token

# RFC 4231, test case 2.
KEY, DATA = b"Jefe", b"what do ya want for nothing?"
SHA256 = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({}, SHA256),
        ({}, SHA256.upper()),
        ({"prefix": "sha256="}, f"sha256={SHA256}"),
        ({"prefix": "SHA256="}, f"SHA256={SHA256}"),
        ({"encoding": "base64"}, base64.b64encode(bytes.fromhex(SHA256)).decode()),
        ({"algorithm": "sha1"}, "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79"),
    ],
)
def test_a_signature_is_an_hmac_of_the_bytes(options: dict[str, str], said: str) -> None:
    signature = Signature(secret=KEY, header="x-signature", **options)  # type: ignore[arg-type]
    assert signature.admits(DATA, {"x-signature": said}, {})
    assert not signature.admits(DATA + b"!", {"x-signature": said}, {})
    assert not signature.admits(DATA, {"x-signature": said[:-1]}, {})
    assert not signature.admits(DATA, {"x-signature": "\udcff"}, {})
    assert not signature.admits(DATA, {}, {})


def test_a_prefix_is_part_of_it() -> None:
    assert not Signature(secret=KEY, header="x", prefix="sha256=").admits(DATA, {"x": SHA256}, {})


def test_a_token_is_in_a_header_or_in_the_address() -> None:
    header, query = Token(secret=b"hush", header="x-token"), Token(secret=b"hush", query="key")
    assert header.admits(b"", {"x-token": "hush"}, {})
    assert not header.admits(b"", {"x-token": "hus"}, {"x-token": "hush"})
    assert query.admits(b"", {}, {"key": "hush"})
    assert not query.admits(b"", {"key": "hush"}, {})
    bearer = Token(secret=b"hush", header="authorization")
    assert bearer.admits(b"", {"authorization": "Bearer hush"}, {})
    assert not bearer.admits(b"", {"authorization": "Bearer"}, {})
