"""The one internal form of a text message, and of what goes back, whatever the channel.

A conversation has an outbox: every event has a sequence number that only grows, also across restarts, so that a client
that comes back says the last number it has seen and misses nothing.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Protocol

from dialog.api import Channel, HandoffSummary, HistoryItem, ReplyEvent, TurnKind

MAX_TEXT = 1000


@dataclass(frozen=True, slots=True)
class InboundMessage:
    """One message of a person, converted from any channel's own protocol.

    turn counts from 1 in the session; 0 lets the gateway count (channels whose clients cannot). A repeated number is
    answered once.
    """

    session: str
    turn: int
    kind: TurnKind
    text: str


@dataclass(frozen=True, slots=True)
class Welcome:
    """The conversation is open; `next_turn` is the number of the person's next message."""

    session: str
    next_turn: int


@dataclass(frozen=True, slots=True)
class Said:
    """The person's own message, for their other devices and for a page that was reloaded."""

    kind: TurnKind
    text: str


@dataclass(frozen=True, slots=True)
class Transcript:
    """The whole masked conversation, sent when what a client missed is no longer in the outbox."""

    items: tuple[HistoryItem, ...]


@dataclass(frozen=True, slots=True)
class Failure:
    """A turn could not be answered. `message` is for the person (Chinese)."""

    code: str
    message: str
    retryable: bool


OutEvent = Welcome | Said | ReplyEvent | Transcript | Failure


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One event with its number and the turn it answers (0 = none)."""

    seq: int
    turn: int
    event: OutEvent


class HandoffDesk(Protocol):
    """Where the humans are."""

    async def bring_in(self, summary: HandoffSummary) -> None:
        """Tell the desk; raises HotlineError when nobody could be told."""
        ...

    async def aclose(self) -> None:
        """Close connections; may be called twice."""
        ...


class ChatService(Protocol):
    """Conversations over any text channel."""

    async def open(self, channel: Channel, user: str) -> str:
        """Begin a conversation; its greeting goes to the outbox. Returns the session id."""
        ...

    async def send(self, message: InboundMessage) -> int:
        """Answer one message; returns the number of the last event of the answer, which is in the outbox by then.

        A caller that goes away does not stop the answer. Raises NotFound, BadInput, Overloaded.
        """
        ...

    def subscribe(self, session: str, seen: int) -> AsyncIterator[Outgoing]:
        """Welcome, then everything after `seen`, then everything new as it comes, until the conversation is closed."""
        ...

    async def since(self, session: str, seen: int) -> tuple[Outgoing, ...]:
        """Everything after `seen` that is there now."""
        ...

    async def feedback(self, session: str, solved: bool, comment: str) -> None:
        """Did this solve your problem?"""
        ...

    async def history(self, session: str) -> tuple[HistoryItem, ...]:
        """The masked conversation."""
        ...

    async def close(self, session: str, reason: str) -> None:
        """End the conversation; idempotent."""
        ...
