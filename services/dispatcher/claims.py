"""Claims on Redis: a fast shared copy of who owns a partition and which of its commands is in whose hands.

Redis holds no truth. When it is lost, the owner writes its term again, after a look at ``deliveries`` for a later
owner; while it is away, nothing is sent.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable
from typing import Any

import msgspec
import structlog
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.commands.core import AsyncScript
from redis.exceptions import ConnectionError as LostConnectionError
from redis.exceptions import RedisError

from services.dispatcher.ports import ClaimResult, ClaimsUnavailableError, FencedError

_LOG = structlog.get_logger(__name__)
_BATCH = 256
# A second for Redis and some for a stalled loop of our own; then it counts as away.
_PATIENCE = 1.5
_GIVE_BACK = 0.1

# KEYS: the partition's hash, then one key per command to claim, then per command to release.
# ARGV: term, owner, lease in ms, how many to claim, how many of these (the first) wait for a former owner's lease.
_SCRIPT = """
local stored, mine = tonumber(redis.call('HGET', KEYS[1], 'term')), tonumber(ARGV[1])
if not stored or stored < mine then return {'rebuild_first'} end
if stored > mine then return {'fenced'} end
local answers, claims, waiting = {'ok'}, tonumber(ARGV[4]), tonumber(ARGV[5])
for i = 2, #KEYS do
  local holder = redis.call('GET', KEYS[i])
  if i > claims + 1 then
    if holder == ARGV[2] then redis.call('DEL', KEYS[i]) end
  elseif holder and holder ~= ARGV[2] and
      (i <= waiting + 1 or tonumber(string.match(holder, '@(%d+)$') or ARGV[1]) >= mine) then
    answers[i] = 'held_elsewhere'
  else
    redis.call('SET', KEYS[i], ARGV[2], 'PX', ARGV[3])
    answers[i] = 'granted'
  end
end
return answers
"""

# KEYS and ARGV as above, all of them to be claimed; raises the partition's term, never lowers it.
_REBUILD = """
local stored, mine = tonumber(redis.call('HGET', KEYS[1], 'term')), tonumber(ARGV[1])
if stored and stored > mine then return 'fenced' end
redis.call('HSET', KEYS[1], 'term', ARGV[1])
for i = 2, #KEYS do redis.call('SET', KEYS[i], ARGV[2], 'PX', ARGV[3], 'NX') end
return 'ok'
"""


# What was asked for, and where its answer goes.
_Asked = tuple[str | None, asyncio.Future[ClaimResult]]


class Tenure(msgspec.Struct, frozen=True, kw_only=True):
    """Whose claims: ``scope`` names the partition, ``term`` its owner.

    ``lease`` in ms is longer than any provider call, so that what is in a silent process's hands is not tried by the
    next owner while that call may still go through.
    """

    scope: str
    term: int
    lease: int

    @property
    def owner(self) -> str:
        """What stands in a claim's key."""
        return f"{self.scope}@{self.term}"


class RedisClaims:
    """``Claims`` of one partition's owner. Claims asked for at once share one call.

    ``confirm`` is run before the term is written (again): it looks for a later owner and raises FencedError.
    ``held`` gives the commands that are in somebody's hands, which a rebuilt copy must know.
    """

    def __init__(
        self,
        redis: Redis,
        tenure: Tenure,
        *,
        confirm: Callable[[], Awaitable[None]],
        held: Callable[[], Iterable[str]] = tuple,
    ) -> None:
        self._tenure = tenure
        self._confirm = confirm
        self._held = held
        self._claim_all = redis.register_script(_SCRIPT)
        self._write_term = redis.register_script(_REBUILD)
        self._in_former_hands: Collection[str] | None = None
        self._waiting: list[_Asked] = []
        self._released: list[str] = []
        self._flush: asyncio.Task[None] | None = None
        self._giving: asyncio.Task[None] | None = None
        self._rebuilding = asyncio.Lock()
        self._away = False

    async def acquire(self, command_id: str | None) -> ClaimResult:
        """Ask for ``command_id``; twice by the same owner renews its lease. None asks only whether we are the owner."""
        answer: asyncio.Future[ClaimResult] = asyncio.get_running_loop().create_future()
        self._waiting.append((command_id, answer))
        if self._flush is None or self._flush.done():
            self._flush = asyncio.create_task(self._ask())
        return await answer

    async def release(self, command_id: str) -> None:
        """Note ``command_id`` to be given back with the next call, or by one of its own if there is none soon."""
        self._released.append(command_id)
        if self._giving is None or self._giving.done():
            self._giving = asyncio.create_task(self._give_back())

    def respect(self, command_ids: Collection[str]) -> None:
        """Wait for the lease of a former owner for ``command_ids`` only; until this is called, for that of every claim.

        They are those whose rows said ``sending`` once the term was written and ``deliveries`` read to its end. Nothing
        else can be with a provider: a former owner writes ``sending`` first and is refused its claim after that.
        """
        self._in_former_hands = frozenset(command_ids)

    async def rebuild(self) -> None:
        """Write our term and what is held. Raises ClaimsUnavailableError or FencedError; twice is harmless."""
        async with self._rebuilding:
            await self._confirm()
            keys = [self._key(command_id) for command_id in self._held()]
            answer = await self._call(self._write_term, keys)
            if _text(answer) == "fenced":
                raise FencedError
            _LOG.info("dispatcher.claims_rebuilt", scope=self._tenure.scope, term=self._tenure.term, held=len(keys))

    async def _give_back(self) -> None:
        # Else the next owner would wait for the lease of what a provider that is away refused last.
        await asyncio.sleep(_GIVE_BACK)
        if self._released and (self._flush is None or self._flush.done()):
            self._flush = asyncio.create_task(self._ask())

    async def _ask(self) -> None:
        while self._waiting or self._released:
            batch, self._waiting = self._waiting[:_BATCH], self._waiting[_BATCH:]
            released, self._released = self._released[:_BATCH], self._released[_BATCH:]
            # The same command twice in one batch is one claim.
            asked = dict.fromkeys(command_id for command_id, _ in batch if command_id is not None)
            former = asked if self._in_former_hands is None else self._in_former_hands
            names = sorted(asked, key=lambda name: name not in former)
            waiting = sum(name in former for name in names)
            wanted = set(names)
            released = [command_id for command_id in released if command_id not in wanted]
            try:
                keys = [self._key(name) for name in [*names, *released]]
                answers = [_text(item) for item in await self._call(self._claim_all, keys, len(names), waiting)]
                self._answer(batch, names, answers)
            except Exception as error:  # noqa: BLE001 - whatever it is, everyone who waits must hear of it
                self._refuse(batch, error)

    def _answer(self, batch: list[_Asked], names: list[str], answers: list[str]) -> None:
        if answers[0] == "fenced":
            raise FencedError
        granted = dict(zip(names, answers[1:], strict=False))
        for command_id, future in batch:
            if future.done():
                continue
            if answers[0] == "rebuild_first":
                future.set_result("rebuild_first")
            elif command_id is None or granted[command_id] == "granted":
                future.set_result("granted")
            else:
                future.set_result("held_elsewhere")

    def _refuse(self, batch: list[_Asked], error: Exception) -> None:
        for _, future in batch:
            if not future.done():
                future.set_exception(type(error)(str(error)) if isinstance(error, ClaimsUnavailableError) else error)

    async def _call(self, script: AsyncScript, keys: list[str], *counts: int) -> Any:
        tenure = self._tenure
        try:
            async with asyncio.timeout(_PATIENCE):
                answer = await script([self._key(None), *keys], [tenure.term, tenure.owner, tenure.lease, *counts])
        except (RedisError, OSError, TimeoutError) as error:
            if not self._away:
                self._away = True
                _LOG.warning("dispatcher.sends_paused", scope=tenure.scope, reason=type(error).__name__)
            raise ClaimsUnavailableError(f"Redis: {type(error).__name__}") from error
        if self._away:
            self._away = False
            _LOG.info("dispatcher.sends_resumed", scope=tenure.scope)
        return answer

    def _key(self, command_id: str | None) -> str:
        # The braces keep a partition's keys on one node of a Redis cluster.
        return f"kikkake:{{{self._tenure.scope}}}:{'owner' if command_id is None else command_id}"


def connect(url: str) -> Redis:
    """Return a client that gives up after a second. Once more at once only where a pooled connection had died."""
    retry = Retry(NoBackoff(), 1, supported_errors=(LostConnectionError,))
    return Redis.from_url(url, socket_timeout=1, socket_connect_timeout=1, max_connections=64, retry=retry)


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
