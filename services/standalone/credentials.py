"""The write key and the admin token of a data folder: made once, kept in a private file."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

import msgspec

from services.standalone.storage.folder import sync_folder
from shared.errors import ConfigurationError

FILE = "credentials.json"


class Credentials(msgspec.Struct, frozen=True):
    """``write_key`` is public (it ships in pages), ``admin_token`` is a secret; 128 random bits or more each."""

    write_key: str
    admin_token: str


def load_credentials(folder: Path) -> Credentials:
    """Return the folder's credentials, making them at the first start. Raises ConfigurationError.

    Only the one who holds the folder's lock may call this.
    """
    path = folder / FILE
    try:
        if path.exists():
            return msgspec.json.decode(path.read_bytes(), type=Credentials)
        made = Credentials(f"wk_{secrets.token_hex(16)}", f"at_{secrets.token_urlsafe(32)}")
        _write(path, msgspec.json.encode(made))
    except msgspec.DecodeError as error:
        raise ConfigurationError(
            f"{path} is not what was once written to it: put it back from a backup, or delete it, "
            "and the next start makes new keys"
        ) from error
    except OSError as error:
        raise ConfigurationError(f"cannot read or make {path}: {error.strerror}") from error
    return made


def read_credentials(folder: Path) -> Credentials | None:
    """Return the credentials of a folder that another process may use; None where there are none."""
    try:
        return msgspec.json.decode((folder / FILE).read_bytes(), type=Credentials)
    except (OSError, msgspec.DecodeError):
        return None


def _write(path: Path, content: bytes) -> None:
    """Make ``path`` with ``content``, whole or not at all, whenever the process or the power ends."""
    draft = path.with_suffix(".new")
    # One may lie there from a start that was killed.
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    draft.rename(path)
    sync_folder(path.parent)
