"""Conversations in the memory of this process: for tests, and where nothing must survive."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from common.errors import Conflict
from dialog.events import Recorded
from dialog.store import Stored


@dataclass(slots=True)
class _Kept:
    events: list[Recorded] = field(default_factory=list)
    sealed: bytes = b""
    until: float = 0.0


class MemoryStore:
    """Keeps at most `limit` conversations, the longest unused going first. `clock` gives seconds."""

    def __init__(self, *, vault_ttl_s: float, limit: int = 10_000, clock: Callable[[], float] = time.monotonic) -> None:
        self._kept: OrderedDict[str, _Kept] = OrderedDict()
        self._vault_ttl_s = vault_ttl_s
        self._limit = limit
        self._clock = clock

    async def load(self, session: str) -> Stored:
        """See `Store`."""
        kept = self._kept.get(session)
        if kept is None:
            return Stored()
        self._expire(kept)
        return Stored(tuple(kept.events), kept.sealed)

    async def append(self, session: str, version: int, events: Sequence[Recorded], sealed: bytes | None) -> None:
        """See `Store`."""
        kept = self._kept.get(session)
        if (len(kept.events) if kept else 0) != version:
            raise Conflict(f"session {session} has moved on from version {version}; read it again")
        if kept is None:
            kept = self._kept[session] = _Kept()
            if len(self._kept) > self._limit:
                self._kept.popitem(last=False)
        self._kept.move_to_end(session)
        kept.events.extend(events)
        self._expire(kept)
        if sealed is not None:
            kept.sealed, kept.until = sealed, self._clock() + self._vault_ttl_s

    def _expire(self, kept: _Kept) -> None:
        if kept.sealed and self._clock() > kept.until:
            kept.sealed = b""

    async def aclose(self) -> None:
        """Nothing to close."""
