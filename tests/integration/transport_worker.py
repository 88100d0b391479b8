"""A worker for test_transport.py: runs the transport with a handler that writes down what it sees.

Called with one JSON object; see ``test_transport.py::Worker``. Each line of its output file is one JSON object with at
least ``kind`` and ``at`` (CLOCK_MONOTONIC, which all processes of a host share).
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from services.evaluator.lease import Lease
from services.evaluator.transport import Batch, create_app, run


class Recorder:
    """Writes down every call; ``at`` is where to begin, ``slow`` how long a batch takes."""

    def __init__(self, args: dict[str, Any], lease: Lease) -> None:
        self._file = os.open(args["out"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        self._at = {int(partition): offset for partition, offset in args.get("at", {}).items()}
        self._slow = args.get("slow", 0.0)
        self._restore = args.get("restore", 0.0)
        self._forget = args.get("forget", False)
        self._count_only = args.get("count_only", False)
        self._stuck = args.get("stuck")
        self._fail_at = args.get("fail_at")
        self._next: dict[int, int] = {}
        self._lease = lease

    def note(self, kind: str, **more: Any) -> None:
        line = {"kind": kind, "at": time.monotonic(), "pid": os.getpid(), **more}
        os.write(self._file, json.dumps(line).encode() + b"\n")

    async def assigned(
        self, partitions: frozenset[int], kept: frozenset[int], standbys: frozenset[int]
    ) -> Mapping[int, int | None]:
        self.note("assigned", partitions=sorted(partitions), kept=sorted(kept), memberships=self._lease.memberships)
        await asyncio.sleep(self._restore)
        self.note("restored", partitions=sorted(partitions))
        return {partition: self._next.get(partition, self._at.get(partition)) for partition in partitions}

    async def revoked(self, partitions: frozenset[int]) -> None:
        self.note("revoked", partitions=sorted(partitions))
        if self._forget:
            self._next.clear()

    async def batch(self, batch: Batch) -> None:
        started = time.monotonic()
        if batch.partition == self._stuck:
            await asyncio.sleep(3600)
        if self._slow:
            await asyncio.sleep(self._slow)
        if self._fail_at is not None and batch.records[-1].offset >= self._fail_at:
            raise RuntimeError("as the test asked")
        if self._count_only:
            self.note("count", n=len(batch.records), began=started)
            return
        self._next[batch.partition] = batch.records[-1].offset + 1
        self.note(
            "batch",
            partition=batch.partition,
            offsets=[record.offset for record in batch.records],
            values=[int(record.value or b"-1") for record in batch.records],
            timestamps=[batch.records[0].timestamp, batch.records[-1].timestamp],
            highwater=batch.highwater,
            began=started,
        )


def check_lease(recorder: Recorder, lease: Lease) -> None:
    """Write down each change of the lease and each look after a gap: the first thing a woken process does."""
    last_valid, last = None, time.monotonic()
    while True:
        valid, now = lease.valid(), time.monotonic()
        if valid != last_valid or now - last > 1:
            recorder.note("lease", valid=valid, gap=now - last)
        last_valid, last = valid, now
        time.sleep(0.001)


def main() -> None:
    args = json.loads(sys.argv[1])
    logging.basicConfig(level=args.get("log", "WARNING"))
    lease = Lease(args.get("session_timeout", 10_000))
    recorder = Recorder(args, lease)
    recorder.note("started")
    if args.get("watch_lease"):
        threading.Thread(target=check_lease, args=(recorder, lease), daemon=True).start()
    run(
        create_app(
            group=args["group"],
            bootstrap=args["bootstrap"],
            topic=args["topic"],
            handler=recorder,
            lease=lease,
            datadir=Path(args["out"]).parent,
            instance_id=args.get("instance_id"),
            heartbeat_interval=args.get("heartbeat_interval", 1_000),
            max_poll_records=args.get("max_poll_records", 2000),
        )
    )


if __name__ == "__main__":
    main()
