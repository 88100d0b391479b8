"""Message encryption for web push (RFC 8291): what is pushed, only the browser that subscribed can read."""

from __future__ import annotations

from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDH,
    SECP256R1,
    EllipticCurvePrivateKey,
    EllipticCurvePublicKey,
)
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

# One record: what comes before it, the mark of the last record, and the tag stand in the 4096 bytes that every push
# service takes (RFC 8291, 4).
_RECORD = 4096
_LAST = b"\x02"
LARGEST = _RECORD - (16 + 4 + 1 + 65) - 1 - 16
"""Bytes that one message can say."""


def encrypt(plain: bytes, receiver: bytes, secret: bytes, *, key: EllipticCurvePrivateKey, salt: bytes) -> bytes:
    """Return ``plain`` for the browser with the public key ``receiver`` (65 bytes) and the ``secret`` (16 bytes).

    ``key`` and ``salt`` (16 bytes) are random and for this message alone. Raises ValueError for a key that is none.
    """
    shared = key.exchange(ECDH(), EllipticCurvePublicKey.from_encoded_point(SECP256R1(), receiver))
    sender = public_bytes(key)
    material = _derive(shared, secret, b"WebPush: info\x00" + receiver + sender, 32)
    content_key = _derive(material, salt, b"Content-Encoding: aes128gcm\x00", 16)
    nonce = _derive(material, salt, b"Content-Encoding: nonce\x00", 12)
    head = salt + _RECORD.to_bytes(4, "big") + len(sender).to_bytes(1, "big") + sender
    return head + AESGCM(content_key).encrypt(nonce, plain + _LAST, None)


def public_bytes(key: EllipticCurvePrivateKey) -> bytes:
    """Return the public half of ``key`` as a point, 65 bytes."""
    return key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


def _derive(material: bytes, salt: bytes, info: bytes, length: int) -> bytes:
    return HKDF(SHA256(), length, salt, info).derive(material)
