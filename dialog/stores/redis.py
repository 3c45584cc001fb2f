"""Conversations in Redis: a list of events and the vault beside it, written by one script, so both or neither.

The two keys of a session share a hash tag, so that they live on one node of a cluster. Events expire `events_ttl_s`
after the last one (they are history's to keep, not Redis'); the vault expires by itself, much sooner.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import redis.asyncio as aioredis
from redis.exceptions import RedisError

from common.errors import Conflict, Misconfigured, TimedOut, Unavailable
from dialog.events import Recorded, dump, load
from dialog.store import Stored

_APPEND = """
local have = redis.call('LLEN', KEYS[1])
if have ~= tonumber(ARGV[1]) then return have end
for i = 6, #ARGV do redis.call('RPUSH', KEYS[1], ARGV[i]) end
redis.call('PEXPIRE', KEYS[1], ARGV[2])
if ARGV[3] == 'set' then redis.call('SET', KEYS[2], ARGV[4], 'PX', ARGV[5])
elseif ARGV[3] == 'drop' then redis.call('DEL', KEYS[2]) end
return -1
"""


class RedisStore:
    """`Store` over one Redis (or a cluster's address). The connection is made at first use."""

    def __init__(self, url: str, *, vault_ttl_s: float, events_ttl_s: float, timeout_s: float = 1.0) -> None:
        try:
            self._redis = aioredis.Redis.from_url(
                url, socket_timeout=timeout_s, socket_connect_timeout=timeout_s, health_check_interval=30
            )
        except ValueError as error:
            raise Misconfigured(f"dialog.redis_url: {error}") from None
        self._append = self._redis.register_script(_APPEND)
        self._vault_ms = int(vault_ttl_s * 1000)
        self._events_ms = int(events_ttl_s * 1000)

    @staticmethod
    def _keys(session: str) -> tuple[str, str]:
        return f"hotline:dialog:{{{session}}}:events", f"hotline:dialog:{{{session}}}:vault"

    async def load(self, session: str) -> Stored:
        """See `Store`."""
        events, vault = self._keys(session)
        try:
            async with self._redis.pipeline(transaction=True) as pipe:
                pipe.lrange(events, 0, -1)
                pipe.get(vault)
                rows, sealed = await pipe.execute()
        except (RedisError, OSError) as error:
            raise _failed(error) from None
        return Stored(tuple(load(row) for row in cast(list[bytes], rows)), cast(bytes, sealed or b""))

    async def append(self, session: str, version: int, events: Sequence[Recorded], sealed: bytes | None) -> None:
        """See `Store`."""
        vault = ("keep", b"") if sealed is None else ("set", sealed) if sealed else ("drop", b"")
        arguments: list[Any] = [version, self._events_ms, *vault, self._vault_ms, *(dump(e) for e in events)]
        try:
            found = await self._append(keys=list(self._keys(session)), args=arguments)
        except (RedisError, OSError) as error:
            raise _failed(error) from None
        if found != -1:
            raise Conflict(f"session {session} has moved on from version {version} to {found}; read it again")

    async def aclose(self) -> None:
        """Close connections; may be called twice."""
        await self._redis.aclose()


def _failed(error: Exception) -> Unavailable:
    if isinstance(error, TimeoutError | aioredis.TimeoutError):
        return TimedOut("the session store (Redis) did not answer in time")
    return Unavailable(f"the session store (Redis) failed: {error}")
