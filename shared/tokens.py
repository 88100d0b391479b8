"""Secret bearer tokens, known by their hashes alone: no dump of the memory and no time of an answer shows one."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable, Mapping


class Tokens:
    """Some tokens, each of which opens the same door. Several let one be replaced without a gap."""

    def __init__(self, tokens: Iterable[str]) -> None:
        """Keep their hashes; none: nobody has the right one."""
        self._digests = tuple(digest_of(token) for token in tokens)

    def __bool__(self) -> bool:
        """Whether there is any."""
        return bool(self._digests)

    def open(self, headers: Mapping[str, str]) -> bool:
        """Tell whether ``headers`` carry one of them: ``Authorization: Bearer TOKEN``."""
        return which(headers, self._digests) is not None


def digest_of(token: str) -> bytes:
    """Return what is kept of ``token``: its SHA-256."""
    return hashlib.sha256(token.encode()).digest()


def which(headers: Mapping[str, str], digests: Iterable[bytes]) -> int | None:
    """Return the place in ``digests`` of the token that ``headers`` carry; None: of none."""
    scheme, _, token = headers.get("authorization", "").strip().partition(" ")
    given = digest_of(token.strip())
    # All of them, always: the time says nothing of which it was.
    found = [at for at, digest in enumerate(digests) if hmac.compare_digest(given, digest)]
    return found[0] if found and scheme.lower() == "bearer" else None
