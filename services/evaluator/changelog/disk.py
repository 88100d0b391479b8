"""Rows on disk: one RocksDB a partition, always a prefix of what was written, so never ahead of the changelog.

Written without a log of its own, for the changelog is one: what a crash takes away is read there again. RocksDB puts
its memory on disk in the order of the writes and each ``WriteBatch`` whole, so the mark agrees with the rows.
"""

from __future__ import annotations

import contextlib
import faulthandler
import fcntl
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import msgspec
import structlog
from rocksdict import (
    BlockBasedOptions,
    Cache,
    DbClosedError,
    DBCompressionType,
    MemtableFactory,
    Options,
    Rdict,
    ReadOptions,
    WriteBatch,
    WriteBufferManager,
    WriteOptions,
)

from services.evaluator.changelog.records import CONTACT, META, SLOTS, outbox_key
from services.evaluator.changelog.rows import Changes, Kept, Mark, StateUnreadableError
from shared.errors import ConfigurationError

_LOG = structlog.get_logger(__name__)

FORMAT = 1
"""Of what is in the folder beside the rows, which carry their own version."""
CACHE_BYTES = 64 * 1024 * 1024
"""Blocks kept in memory, all partitions together; the system's file cache comes on top and gives way."""
WRITE_BYTES = 64 * 1024 * 1024
"""Rows not yet on disk, all partitions together."""
OPEN_SECONDS = 60
"""Opening a folder takes milliseconds; one that takes so long ends the process."""
_PARTITION_WRITE_BYTES = 16 * 1024 * 1024  # so much of a partition's changelog is read again after a crash, at most
_UNMERGED_FILES = 16
"""Of that size each, before they are merged into the next level, which holds as much (256 MB). RocksDB's own 4 costs a
restore half as much CPU again."""
_READ_AHEAD = 2 * 1024 * 1024
_NO_STALL = 2**30
_FILLING_WRITE_BYTES = WRITE_BYTES
_FILLING_ROWS = 500
"""As many at once into an empty folder are a log that is read from its beginning; it is then *filled*: what is written
goes to memory unsorted and from there to disk in larger files. So a single row can hardly be read: the first such read
opens it anew."""
_BLOOM_BITS = 10
_MARK = b"\x00mark"
_BEHIND_CONTACTS = b"c;"
_Items = Iterator[tuple[bytes, bytes]]
_PACK = msgspec.msgpack.Encoder()
_UNPACK = msgspec.msgpack.Decoder(tuple[int, Mark])


class StateFolder:
    """The folder of one process, with what its partitions share."""

    def __init__(self, path: Path) -> None:
        """Take the folder, as long as this object lives.

        Raises ConfigurationError when it cannot be written or another process has it.
        """
        self._path = path
        self._cache = Cache(CACHE_BYTES)
        self._memory = WriteBufferManager(WRITE_BYTES, allow_stall=False)
        try:
            path.mkdir(parents=True, exist_ok=True)
            self._lock = (path / "lock").open("wb")
        except OSError as error:
            raise ConfigurationError(
                f"{path} cannot be written ({error.strerror}); name another folder with KIKKAKE_DATA,"
                " or set KIKKAKE_STATE=memory"
            ) from error
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise ConfigurationError(
                f"another process uses {path}; give each evaluator a folder of its own with KIKKAKE_DATA"
            ) from error

    def open(self, partition: int) -> DiskRows:
        """Return the rows of ``partition``, as far as they can be read."""
        return DiskRows(self._path / str(partition), self._options(), self._options(filling=True))

    def _options(self, *, filling: bool = False) -> Options:
        table = BlockBasedOptions()
        table.set_block_cache(self._cache)
        # Index and filter stay outside of the cache (about 8 bytes a row): within, they drive each other out of it.
        table.set_bloom_filter(_BLOOM_BITS, block_based=False)
        table.set_format_version(5)
        options = Options(raw_mode=True)
        options.create_if_missing(create_if_missing=True)
        options.set_block_based_table_factory(table)
        options.set_write_buffer_manager(self._memory)
        options.set_write_buffer_size(_FILLING_WRITE_BYTES if filling else _PARTITION_WRITE_BYTES)
        if filling:
            options.set_memtable_factory(MemtableFactory.vector())
            options.set_allow_concurrent_memtable_write(allow=False)
        options.set_level_zero_file_num_compaction_trigger(_UNMERGED_FILES)
        # Rather a read of a few files more than a write that waits: it would hold up every partition of the process.
        options.set_level_zero_slowdown_writes_trigger(_NO_STALL)
        options.set_level_zero_stop_writes_trigger(_NO_STALL)
        options.set_compression_type(DBCompressionType.lz4())
        options.set_keep_log_file_num(1)
        return options


class DiskRows:
    """The rows of one partition in a RocksDB of their own. Keys are the changelog's."""

    def __init__(self, path: Path, options: Options, filling: Options) -> None:
        """``filling``: how it is open from many first rows at once to the first read of a single one."""
        self._path = path
        self._options = options
        self._filling_options = filling
        self._empty = self._filling = False
        self._write_options = WriteOptions()
        self._write_options.disable_wal = True  # type: ignore[assignment,method-assign]  # its stub takes it for a method
        self._kept: Kept | None = None
        # Some damage makes RocksDB hang where it should refuse (9.8.4, a manifest): whoever ends that process then, the
        # next one begins anew.
        self._opening = path.with_name(f"{path.name}.opening")
        try:
            if self._opening.exists():
                raise StateUnreadableError("a process ended while it opened this")  # noqa: TRY301 - as what follows
            self._opening.touch()
            faulthandler.dump_traceback_later(OPEN_SECONDS, exit=True)
            self._database = self._open()
            self._kept = self._read_kept()
        except Exception as error:  # noqa: BLE001 - rocksdict raises bare exceptions
            self.discard(f"it cannot be read: {error}")
        else:
            if self._kept is None:  # nothing, or rows that were never complete
                self._renew()
        finally:
            faulthandler.cancel_dump_traceback_later()
            self._opening.unlink(missing_ok=True)

    def load(self, contact: str) -> bytes | None:
        """Return the contact's row, or None. Raises StateUnreadableError."""
        try:
            if self._filling:
                self._reopen(filling=False)
            value: bytes | None = self._database.get(CONTACT + contact.encode())
        except Exception as error:
            raise self._unreadable(error) from error
        return value

    def scan(self) -> Iterator[tuple[str, bytes]]:
        """Yield every contact with its row. Reads, and so proves, every row. Raises StateUnreadableError."""
        reading = ReadOptions()
        reading.set_readahead_size(_READ_AHEAD)
        # What is read once would drive out of the cache what is asked for, and costs a fifth more.
        reading.fill_cache(False)  # type: ignore[call-arg]  # its stub takes it for a property
        reading.set_iterate_upper_bound(_BEHIND_CONTACTS)
        prefix = len(CONTACT)
        key = CONTACT
        try:
            if self._filling:  # it can be read in order; what is in memory goes to disk beside that
                self._database.flush(wait=False)
            # No variable holds the iterator: an error would keep it, and it the database, which then would not close.
            for key, value in cast("_Items", self._database.items(from_key=CONTACT, read_opt=reading)):
                yield key[prefix:].decode(), value
            self._require_end(key, reading)
        except Exception as error:
            raise self._unreadable(error) from error

    def kept(self) -> Kept | None:
        """Return what an earlier process left."""
        return self._kept

    def write(self, changes: Changes, mark: Mark | None) -> None:
        """Take ``changes`` in together with ``mark``. Raises StateUnreadableError."""
        batch = WriteBatch(raw_mode=True)
        for key, value in changes.items():
            if value is None:
                batch.delete(key)
            else:
                batch.put(key, value)
        if mark is not None:
            batch.put(_MARK, _PACK.encode((FORMAT, mark)))
        try:
            if self._empty and len(changes) >= _FILLING_ROWS:
                self._reopen(filling=True)
            self._empty = False
            self._database.write(batch, self._write_options)
        except Exception as error:
            raise self._unreadable(error) from error

    def discard(self, reason: str) -> None:
        """Delete everything, and say why."""
        _LOG.warning("state_discarded", path=str(self._path), reason=reason)
        self._kept = None
        self._renew()

    def close(self) -> None:
        """Put everything on disk and end."""
        try:
            self._database.close()
        except Exception as error:
            raise self._unreadable(error) from error

    def _open(self, *, filling: bool = False) -> Rdict:
        self._filling = filling
        return Rdict(str(self._path), self._filling_options if filling else self._options)

    def _reopen(self, *, filling: bool) -> None:
        self._database.close()
        self._database = self._open(filling=filling)

    def _read_kept(self) -> Kept | None:
        packed = self._database.get(_MARK)
        if packed is None:
            return None
        version, mark = _UNPACK.decode(packed)
        if version != FORMAT:
            raise StateUnreadableError(f"its format is {version}, this release's is {FORMAT}")
        outboxes = {key: self._database.get(key) for key in map(outbox_key, range(SLOTS))}
        present = {key: value for key, value in outboxes.items() if value is not None}
        return Kept(mark, self._database.get(META), present)

    def _require_end(self, key: bytes, reading: ReadOptions) -> None:
        """Raise unless the rows end behind ``key``: rocksdict ends at a damaged block as at the end of the data."""
        behind = self._database.iter(reading)
        try:
            behind.seek(key)
            if behind.valid():
                behind.next()
            behind.status()
        finally:
            del behind  # as above

    def _renew(self) -> None:
        with contextlib.suppress(AttributeError, DbClosedError):  # it was never opened, or could not be again
            self._database.close()
        try:
            shutil.rmtree(self._path, ignore_errors=True)
            self._database = self._open()
            self._empty = True
        except Exception as error:
            raise ConfigurationError(f"{self._path} cannot be written: {error}; see KIKKAKE_DATA") from error

    def _unreadable(self, error: Exception) -> StateUnreadableError:
        return StateUnreadableError(f"{self._path}: {error}")
