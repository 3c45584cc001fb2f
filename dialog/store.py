"""The port for conversations: append-only events with a version check, and the sealed vault beside them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from dialog.events import Recorded


@dataclass(frozen=True, slots=True)
class Stored:
    """A conversation as it is kept. version = number of events (0: unknown session); `sealed` b"" = no vault."""

    events: tuple[Recorded, ...] = ()
    sealed: bytes = b""

    @property
    def version(self) -> int:
        """How many events there are."""
        return len(self.events)


class Store(Protocol):
    """Keeps conversations. Any process that shares it may go on with any of them."""

    async def load(self, session: str) -> Stored:
        """All events, oldest first, and the vault. Unavailable when the store is down."""
        ...

    async def append(self, session: str, version: int, events: Sequence[Recorded], sealed: bytes | None) -> None:
        """Add events and replace the vault, both or neither. `sealed`: None leaves it, b"" deletes it.

        Conflict when the conversation has not `version` events any more (nothing is written then).
        """
        ...

    async def aclose(self) -> None:
        """Close connections; may be called twice."""
        ...
