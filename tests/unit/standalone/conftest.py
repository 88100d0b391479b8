"""A database in a fresh folder, and a clock that the test sets."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from services.standalone.storage.database import Database
from services.standalone.storage.log import SqliteLog


class SetClock:
    """Journey time as the test sets it."""

    def __init__(self) -> None:
        self.now = 1_000

    def __call__(self) -> int:
        return self.now


@pytest.fixture
def clock() -> SetClock:
    return SetClock()


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    opened = Database(tmp_path, "process")
    yield opened
    await opened.close()


@pytest.fixture
def log(database: Database, clock: SetClock) -> SqliteLog:
    return SqliteLog(database, clock)
