"""One SQLite file with one writer and group commit: everything that waits shares one commit.

The queue lives on the event loop and needs no lock: a batch goes to the writer thread, and what arrives
meanwhile is the next batch. A change runs under its own savepoint, so one that raises takes nothing with it.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeVar

from services.standalone.storage.folder import claim_folder
from services.standalone.storage.schema import upgrade
from shared.errors import ConfigurationError
from shared.log import LogUnavailableError

Durability = Literal["full", "process"]
T = TypeVar("T")
Change = Callable[[sqlite3.Connection], T]

FILE_NAME = "kikkake.db"

# "full" syncs the write-ahead log at each commit; NORMAL leaves it to the kernel, which outlives the process.
_SYNCHRONOUS: dict[Durability, str] = {"full": "FULL", "process": "NORMAL"}

# A batch's commit is what its members wait for: 16 MiB is some 0.1 s on a plain disk.
BATCH_CHANGES = 4096
BATCH_BYTES = 16 * 1024 * 1024

# Errors of one statement, not of the disk: the change that made it is wrong and fails alone.
_OWN_FAULTS = frozenset(
    {
        sqlite3.SQLITE_ERROR,
        sqlite3.SQLITE_CONSTRAINT,
        sqlite3.SQLITE_MISMATCH,
        sqlite3.SQLITE_TOOBIG,
        sqlite3.SQLITE_RANGE,
        sqlite3.SQLITE_MISUSE,
    }
)


class _Waiting(NamedTuple):
    change: Change[Any]
    size: int
    future: asyncio.Future[Any]


class _Outcome(NamedTuple):
    value: Any
    error: Exception | None


class Database:
    """The file ``kikkake.db`` in a data folder that nobody else uses meanwhile.

    ``reader`` is for short reads on the thread that opened the database; it sees the last commit. Never leave
    a cursor of it open: it would hold every later read at its own moment. With durability "full" an
    acknowledged change survives a power loss, with "process" only the death of the process. Raises
    ConfigurationError when the folder is in use, cannot be written, or holds a newer release's file.
    """

    def __init__(
        self,
        folder: Path,
        durability: Durability = "full",
        *,
        batch_changes: int = BATCH_CHANGES,
        batch_bytes: int = BATCH_BYTES,
    ) -> None:
        self.folder = folder
        self.path = folder / FILE_NAME
        with ExitStack() as opened:
            opened.callback(os.close, claim_folder(folder))
            try:
                # What is in it is personal data; SQLite gives its other files the same mode.
                self.path.touch(mode=0o600)
                # Made here, used on its own thread.
                self._writer = _connect(self.path, opened, check_same_thread=False)
                self._writer.execute(f"PRAGMA synchronous = {_SYNCHRONOUS[durability]}")
                upgrade(self._writer, self.path)
                self.reader = _connect(self.path, opened, check_same_thread=True)
                self.reader.execute("PRAGMA query_only = ON")
            except (sqlite3.Error, OSError) as error:
                raise ConfigurationError(f"cannot open {self.path}: {error}") from error
            self._opened = opened.pop_all()
        self._batch_changes = batch_changes
        self._batch_bytes = batch_bytes
        self._queue: deque[_Waiting] = deque()
        self._busy = False
        self._idle = asyncio.Event()
        self._idle.set()
        self._closing = False
        self._commits = 0
        self._listeners: list[Callable[[], None]] = []
        # One thread: a batch never runs beside another.
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="kikkake-sqlite")

    @property
    def commits(self) -> int:
        """Transactions committed since the database was opened."""
        return self._commits

    @property
    def waiting(self) -> int:
        """Changes that wait for a batch after the one being committed: how far the disk is behind."""
        return len(self._queue)

    def on_commit(self, listener: Callable[[], None]) -> None:
        """Call ``listener`` on the event loop after each batch."""
        self._listeners.append(listener)

    async def write(self, change: Change[T], size: int = 0) -> T:
        """Run ``change`` in the next transaction and return its result once that is durable.

        ``change`` gets the writer's connection, on the writer's thread; it must not commit or roll back. What it
        raises is raised here, alone, and undoes only this change. Changes run in the order of the calls.
        ``size`` is about how many bytes it writes: a change beyond the batch's limits waits for a later batch,
        which is the back-pressure. Raises LogUnavailableError when the disk refuses the batch or the database
        is closed. A cancelled call may still take effect.
        """
        if self._closing:
            raise LogUnavailableError(f"{self.path} is closed")
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        self._queue.append(_Waiting(change, size, future))
        if not self._busy:
            self._busy = True
            self._idle.clear()
            # Not at once: whoever else writes in this turn of the loop comes along.
            loop.call_soon(self._start_batch)
        return await future

    def write_now(self, change: Change[T]) -> T:
        """Run ``change`` in a transaction of its own and block until it is durable, as start-up may."""
        (outcome,) = self._thread.submit(self._commit, [change]).result()
        if outcome.error is not None:
            raise outcome.error
        value: T = outcome.value
        return value

    async def close(self) -> None:
        """Refuse new changes, commit those that wait, and give the folder back. A second call does nothing."""
        closed, self._closing = self._closing, True
        await self._idle.wait()
        if closed:
            return
        self._thread.shutdown()
        self._opened.close()

    def _start_batch(self) -> None:
        batch: list[_Waiting] = []
        size = 0
        while self._queue and len(batch) < self._batch_changes:
            size += self._queue[0].size
            if batch and size > self._batch_bytes:
                break
            batch.append(self._queue.popleft())
        running = asyncio.get_running_loop().run_in_executor(
            self._thread, self._commit, [waiting.change for waiting in batch]
        )
        running.add_done_callback(lambda done: self._settle(batch, done.result()))

    def _settle(self, batch: list[_Waiting], outcomes: list[_Outcome]) -> None:
        if self._queue:
            self._start_batch()
        else:
            self._busy = False
            self._idle.set()
        for waiting, outcome in zip(batch, outcomes, strict=True):
            if waiting.future.done():
                continue
            if outcome.error is None:
                waiting.future.set_result(outcome.value)
            else:
                waiting.future.set_exception(outcome.error)
        for listener in self._listeners:
            listener()

    def _commit(self, changes: list[Change[Any]]) -> list[_Outcome]:
        """Run ``changes`` in one transaction; return an outcome for each."""
        try:
            self._writer.execute("BEGIN IMMEDIATE")
            outcomes = [self._apply(change) for change in changes]
            self._writer.execute("COMMIT")
        except sqlite3.Error as error:
            if self._writer.in_transaction:
                self._writer.execute("ROLLBACK")
            return [_unavailable(self.path, error) for _ in changes]
        self._commits += 1
        return outcomes

    def _apply(self, change: Change[Any]) -> _Outcome:
        self._writer.execute("SAVEPOINT change")
        try:
            value = change(self._writer)
        except Exception as error:  # whatever it raises is its caller's, not the batch's
            if _is_disk_fault(error):
                raise
            self._writer.execute("ROLLBACK TO change")
            self._writer.execute("RELEASE change")
            return _Outcome(None, error)
        self._writer.execute("RELEASE change")
        return _Outcome(value, None)


def _connect(path: Path, opened: ExitStack, *, check_same_thread: bool) -> sqlite3.Connection:
    # isolation_level None: the driver begins no transactions of its own.
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=check_same_thread)
    opened.callback(connection.close)
    connection.execute("PRAGMA journal_mode = WAL")
    return connection


def _is_disk_fault(error: Exception) -> bool:
    # The driver's own complaints, such as a wrong number of parameters, carry no code.
    code: int = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_MISUSE)
    return isinstance(error, sqlite3.Error) and code & 0xFF not in _OWN_FAULTS


def _unavailable(path: Path, cause: Exception) -> _Outcome:
    error = LogUnavailableError(f"{path} takes no writes: {cause}")
    error.__cause__ = cause
    return _Outcome(None, error)
