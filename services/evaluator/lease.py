"""The worker's right to act for its partitions: how long ago the group's coordinator last confirmed it as a member."""

# ruff: noqa: SLF001 - aiokafka has no public hook for heartbeats; tests/contract/test_faust_internals.py holds it

from __future__ import annotations

from typing import Any

from aiokafka.protocol.group import HeartbeatRequest, SyncGroupRequest

from shared.clock import SECOND, Clock, monotonic_clock

_NO_ERROR = 0
_REBALANCE_IN_PROGRESS = 27  # still a member, and its session was extended; it is only asked to join again


class Lease:
    """Held while the coordinator confirmed us less than half a session ago; checked before anything is sent.

    Half, because the broker gives our partitions away after a whole session, counted from when the last heartbeat
    *arrived*; we count from when it was *sent*, so that an answer which waited in the socket of a stopped
    process (SIGSTOP) does not revive it. One writer (the consumer's thread), readers in any thread.
    """

    def __init__(self, session_timeout: int = 10 * SECOND, *, clock: Clock = monotonic_clock) -> None:
        """``session_timeout`` in milliseconds is also what the worker asks of the group (faust.md, section 5, 13)."""
        self.session_timeout = session_timeout
        self.memberships = 0
        """How often we became a member anew: between two memberships another worker may have owned our partitions."""
        self._clock = clock
        self._member = ""
        self._confirmed: int | None = None

    def valid(self) -> bool:
        """Whether what we are about to send can still be ours to send."""
        confirmed = self._confirmed
        return confirmed is not None and self._clock() - confirmed < self.session_timeout // 2

    def now(self) -> int:
        """The time that ``confirm`` counts in."""
        return self._clock()

    def confirm(self, member: str, sent: int) -> None:
        """Note that the coordinator accepted a request which ``member`` sent at ``sent``."""
        if member != self._member:
            self._member = member
            self.memberships += 1
        self._confirmed = sent


def watch(coordinator: Any, lease: Lease) -> None:
    """Renew ``lease`` with every heartbeat and join that ``coordinator`` (aiokafka's GroupCoordinator) gets accepted.

    All its requests pass ``_send_req``, the one place that sees both a request and the broker's answer.
    """
    send = coordinator._send_req

    async def send_and_note(request: Any) -> Any:
        member, sent = coordinator.member_id, lease.now()
        response = await send(request)
        accepted = {_NO_ERROR}
        if isinstance(request, HeartbeatRequest):
            accepted.add(_REBALANCE_IN_PROGRESS)
        elif not isinstance(request, SyncGroupRequest):
            return response
        if response.error_code in accepted:
            lease.confirm(member, sent)
        return response

    coordinator._send_req = send_and_note
