"""The write key and the admin token of a data folder: made once, kept in a private file."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

import msgspec

FILE = "credentials.json"


class Credentials(msgspec.Struct, frozen=True):
    """``write_key`` is public (it ships in pages), ``admin_token`` is a secret; 128 random bits or more each."""

    write_key: str
    admin_token: str


def load_credentials(folder: Path) -> Credentials:
    """Return the folder's credentials, making them at the first start."""
    path = folder / FILE
    if path.exists():
        return msgspec.json.decode(path.read_bytes(), type=Credentials)
    made = Credentials(f"wk_{secrets.token_hex(16)}", f"at_{secrets.token_urlsafe(32)}")
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(msgspec.json.encode(made))
    return made
