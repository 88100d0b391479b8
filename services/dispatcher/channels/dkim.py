"""DKIM (RFC 6376): a mail's header that says which domain answers for it. For servers that do not sign by themselves.

Ours, on the keys of ``cryptography``: dkimpy computes RSA in Python, which took 7 ms of CPU time a mail against 0.3,
more than three times all else that is done for one. The tests let dkimpy verify.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Callable
from hashlib import sha256

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from shared.errors import WordError

_NEXT_FIELD = re.compile(rb"\r\n(?![ \t])")
_BLANKS = re.compile(rb"[ \t\r\n]+")
_DOMAIN = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,252})")
_LINE = 72


class Dkim:
    """Signs for ``domain`` with the key whose public half stands in DNS at ``selector._domainkey.domain``."""

    def __init__(self, domain: str, selector: str, key: str) -> None:
        """Raises WordError for a key that is no private key of RSA or Ed25519 in PEM."""
        for word, said in (("dkim_domain", domain), ("dkim_selector", selector)):
            if not _DOMAIN.fullmatch(said):
                raise WordError(word, f"`{word}` is no part of a name in DNS; write letters, digits, - and dots")
        algorithm, self._sign = _signer(key)
        self._head = f"v=1; a={algorithm}; c=relaxed/simple; d={domain}; s={selector};\r\n"

    def signed(self, mail: bytes) -> bytes:
        """Return ``mail`` (CRLF line ends) with its signature before it. Every header that it has is covered."""
        head, _, body = mail.partition(b"\r\n\r\n")
        # Of fields with one name a verifier takes the last first (RFC 6376, 5.4.2).
        fields = [_relaxed(field) for field in reversed(_NEXT_FIELD.split(head))]
        # Once more than there are: so nobody can add another sender that a mail program would rather show.
        names = ":".join([*(field.partition(b":")[0].decode() for field in fields), "from"])
        digest = b64encode(sha256(body.rstrip(b"\r\n") + b"\r\n").digest()).decode()
        line = f"DKIM-Signature: {self._head} h={names};\r\n bh={digest};\r\n b=".encode()
        signature = b64encode(self._sign(b"\r\n".join([*fields, _relaxed(line)]))).decode()
        folded = "\r\n ".join(signature[at : at + _LINE] for at in range(0, len(signature), _LINE))
        return line + folded.encode() + b"\r\n" + mail


def _relaxed(field: bytes) -> bytes:
    """Return ``field`` as both sides hash it (RFC 6376, 3.4.2)."""
    name, _, value = field.partition(b":")
    return name.strip().lower() + b":" + _BLANKS.sub(b" ", value).strip()


def _signer(pem: str) -> tuple[str, Callable[[bytes], bytes]]:
    try:
        key = load_pem_private_key(pem.encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        key = None
    if isinstance(key, Ed25519PrivateKey):
        ed25519 = key
        # RFC 8463, 3: what is signed is the hash.
        return "ed25519-sha256", lambda data: ed25519.sign(sha256(data).digest())
    if isinstance(key, RSAPrivateKey):
        rsa = key
        return "rsa-sha256", lambda data: rsa.sign(data, PKCS1v15(), SHA256())
    raise WordError("dkim_key", "`dkim_key` is no private key in PEM; give one of RSA or Ed25519")
