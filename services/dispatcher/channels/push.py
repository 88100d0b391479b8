"""What the push services have in common: the forms of tokens, keys of P-256, urgency, a notification's data."""

from __future__ import annotations

import re
from collections.abc import Mapping

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from services.dispatcher.channels.base import Message
from services.dispatcher.errors import RefusedError

# Apple: "device tokens are of variable length; do not hard-code their size". They have had 32 bytes, and 100 at most.
_APNS_TOKEN = re.compile(r"[0-9a-fA-F]{64,200}")
_FCM_TOKEN = re.compile(r"[A-Za-z0-9_:.%-]{32,4096}")


def is_apns_token(address: str) -> bool:
    """Return whether ``address`` has the form of a token of Apple's."""
    return _APNS_TOKEN.fullmatch(address) is not None


def is_fcm_token(address: str) -> bool:
    """Return whether ``address`` has the form of a registration token of Firebase's."""
    return _FCM_TOKEN.fullmatch(address) is not None and not is_apns_token(address)


def is_urgent(message: Message) -> bool:
    """Return whether it may wake a device: marketing waits until somebody looks at it."""
    return message.purpose == "transactional"


def data_of(message: Message) -> Mapping[str, str]:
    """Return what the app gets beside what is shown: the ``url`` to open, and the message's id."""
    url = message.parts.get("url")
    return {"message_id": message.command_id} | ({"url": url} if url else {})


def not_larger(size: int, most: int) -> None:
    """Raise RefusedError where the payload's ``size`` is over ``most`` bytes."""
    if size > most:
        raise RefusedError(f"larger than {most} bytes")


def signing_key(pem: str) -> EllipticCurvePrivateKey:
    """Return the private key of the curve P-256 in ``pem``. Raises ValueError for anything else."""
    try:
        key = load_pem_private_key(pem.encode(), password=None)
    except (TypeError, UnsupportedAlgorithm) as error:  # TypeError: it has a password
        raise ValueError(type(error).__name__) from error
    if isinstance(key, EllipticCurvePrivateKey) and isinstance(key.curve, SECP256R1):
        return key
    raise ValueError("of another kind")
