"""One text conversation in this process: a numbered outbox and the answers under way."""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque

from text_gateway.api import OutEvent, Outgoing

OUTBOX = 256
ANSWERED = 64


class Conversation:
    """Bounded state of one session; the truth about the conversation itself is the dialog's.

    base: number before the first event. Incarnations take the clock's milliseconds, so numbers grow across restarts.
    whole: whether this process has held the conversation from its beginning.
    """

    def __init__(self, session: str, *, base: int, whole: bool, next_turn: int, now: float) -> None:
        self.session = session
        self.next_turn = next_turn
        self.touched = now
        self.lock = asyncio.Lock()
        self.closed = False
        self.seq = base
        self.answers: OrderedDict[int, asyncio.Task[int]] = OrderedDict()
        self._base = base
        self._whole = whole
        self._outbox: deque[Outgoing] = deque(maxlen=OUTBOX)
        self._news = asyncio.Event()

    def put(self, event: OutEvent, turn: int) -> int:
        """Number an event and wake every reader."""
        self.seq += 1
        self._outbox.append(Outgoing(self.seq, turn, event))
        self._wake()
        return self.seq

    def close(self) -> None:
        """No more events; readers end after what is there."""
        self.closed = True
        self._wake()

    def holds(self, seen: int) -> bool:
        """Whether everything after `seen` is still in the outbox (seen 0 = from the beginning)."""
        oldest = self._outbox[0].seq if self._outbox else self.seq + 1
        if seen == 0:
            return self._whole and oldest == self._base + 1
        return oldest - 1 <= seen <= self.seq

    def after(self, seen: int) -> tuple[Outgoing, ...]:
        """Events with a higher number than `seen`."""
        return tuple(out for out in self._outbox if out.seq > seen)

    def remember(self, turn: int, answer: asyncio.Task[int]) -> None:
        """Keep a turn's running or done answer: a repeated send waits for it instead of asking again."""
        self.answers[turn] = answer
        self.next_turn = max(self.next_turn, turn + 1)
        while len(self.answers) > ANSWERED:
            self.answers.popitem(last=False)

    @property
    def news(self) -> asyncio.Event:
        """Set at the next event or at the end; take it before reading, wait for it after."""
        return self._news

    def _wake(self) -> None:
        self._news.set()
        self._news = asyncio.Event()
