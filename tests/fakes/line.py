"""An in-memory telephone line: `Call` and `AudioPort` with a 20 ms clock, echo, loss, and a caller to be scripted.

The caller's speech is noise bursts, one per 20 ms, each different; `spoken` remembers which character each burst
belongs to, so that the scripted recogniser hears the text that the caller said, and only as much of it as reached it.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

import numpy as np

from common.errors import Unavailable
from dialog.api import Channel, HandoffSummary
from voice_gateway.api import (
    FRAME_MS,
    CallEvent,
    CallInfo,
    Closed,
    Direction,
    Dtmf,
    Held,
    Pcm,
    Resumed,
    TransferOutcome,
)

RATE = 8000
FRAME = RATE * FRAME_MS // 1000
CHAR_MS = 200
_BOUND_MS = 200
_SILENT = np.zeros(FRAME, np.int16)


async def until(true: Callable[[], bool]) -> None:
    """Look every 20 ms until it is true."""
    while not true():  # noqa: ASYNC110
        await asyncio.sleep(FRAME_MS / 1000)


@dataclass(slots=True)
class Heard:
    """One frame at the caller's ear: loop time and level (0 = silence)."""

    at: float
    frame: Pcm

    @property
    def audible(self) -> bool:
        return bool(np.any(np.abs(self.frame.astype(np.int32)) > 100))


@dataclass
class FakeLine:
    """The whole call. Drive it with `say`, `press`, `hold`, `resume`, `hang_up_by_caller`, `die`."""

    id: str = "call-1"
    direction: Direction = Direction.INBOUND
    purpose: str = ""
    echo_db: float | None = None
    echo_ms: int = 200
    loss: float = 0.0
    transfer_outcome: TransferOutcome = TransferOutcome.ACCEPTED
    transfer_takes_s: float = 0.5
    seed: int = 1
    spoken: dict[bytes, str] = field(default_factory=dict)
    ear: list[Heard] = field(default_factory=list)
    transfers: list[tuple[str, HandoffSummary]] = field(default_factory=list)
    hung_up: str | None = None

    def __post_init__(self) -> None:
        self.info = CallInfo(self.id, Channel.PHONE, self.direction, "13800000000", "4000", self.purpose)
        self.audio = FakePort(self)
        self._events: asyncio.Queue[CallEvent] = asyncio.Queue(64)
        self._rng = np.random.default_rng(self.seed)
        self._mouth: deque[tuple[Pcm, str]] = deque()
        self._sent: deque[Pcm] = deque([_SILENT] * 50, maxlen=50)
        self._dead = asyncio.Event()
        self.frozen = False

    # what the caller does

    async def say(self, text: str, *, level: int = 8000, char_ms: int = CHAR_MS) -> float:
        """Say it in real time; returns the loop time at which it began."""
        began = asyncio.get_running_loop().time()
        for char in text:
            for part in range(char_ms // FRAME_MS):
                self._mouth.append((self._burst(level), char if part == 0 else ""))
        await self.said()
        return began

    async def noise(self, ms: int, *, level: int = 8000) -> None:
        """Sound without words."""
        for _ in range(ms // FRAME_MS):
            self._mouth.append((self._burst(level), ""))
        await self.said()

    async def said(self) -> None:
        """Wait until the caller's mouth is shut."""
        await until(lambda: not self._mouth)

    def press(self, keys: str) -> None:
        for key in keys:
            self._events.put_nowait(Dtmf(key))

    def hold(self) -> None:
        self._events.put_nowait(Held())

    def resume(self) -> None:
        self._events.put_nowait(Resumed())

    def hang_up_by_caller(self, reason: str = "bye") -> None:
        self._end(reason)

    def die(self) -> None:
        """Frames end without a word."""
        self._dead.set()

    def audible_since(self, at: float) -> float:
        """Loop time of the first audible bot frame after `at`; 0.0 if none."""
        return next((heard.at for heard in self.ear if heard.at > at and heard.audible), 0.0)

    def last_audible(self) -> float:
        """Loop time of the last audible bot frame."""
        return next((heard.at for heard in reversed(self.ear) if heard.audible), 0.0)

    async def quiet(self, seconds: float = 0.3, within: float = 60.0) -> None:
        """Wait until the bot has spoken and then been silent for so long."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        async with asyncio.timeout(within):
            await until(lambda: bool(self.audible_since(began)) and loop.time() - self.last_audible() >= seconds)

    async def talking(self, seconds: float = 0.5, within: float = 20.0) -> None:
        """Wait until the bot has been speaking for so long from now on."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        async with asyncio.timeout(within):
            await until(lambda: 0 < self.audible_since(began) <= loop.time() - seconds)

    # Call

    async def events(self) -> AsyncIterator[CallEvent]:
        while True:
            event = await self._events.get()
            yield event
            if isinstance(event, Closed):
                return

    async def transfer(self, target: str, summary: HandoffSummary) -> TransferOutcome:
        self.transfers.append((target, summary))
        await asyncio.sleep(self.transfer_takes_s)
        if self.transfer_outcome is TransferOutcome.ACCEPTED:
            self._end("transferred")
        return self.transfer_outcome

    async def hang_up(self, reason: str = "") -> None:
        if self.hung_up is None:
            self.hung_up = reason
            self._end("local")

    # the wire

    def _end(self, reason: str) -> None:
        if not self._dead.is_set():
            self._events.put_nowait(Closed(reason))
            self._dead.set()

    @property
    def dead(self) -> bool:
        return self._dead.is_set()

    def _burst(self, level: int) -> Pcm:
        return (self._rng.standard_normal(FRAME) * level / 3).clip(-32768, 32767).astype(np.int16)

    def tick(self, bot: Pcm) -> Pcm:
        """20 ms pass: `bot` reaches the caller, the caller's frame comes back."""
        self.ear.append(Heard(asyncio.get_running_loop().time(), bot))
        self._sent.append(bot)
        own, char = self._mouth.popleft() if self._mouth else (_SILENT, "")
        mixed = own.astype(np.float32)
        if self.echo_db is not None:
            mixed += self._sent[-1 - self.echo_ms // FRAME_MS].astype(np.float32) * 10 ** (self.echo_db / 20)
        frame = mixed.clip(-32768, 32767).astype(np.int16)
        if self.loss and self._rng.random() < self.loss:
            frame = _SILENT
        if char:
            self.spoken[frame.tobytes()] = char
        return frame


class FakePort:
    """`AudioPort` of a FakeLine."""

    sample_rate = RATE

    def __init__(self, line: FakeLine) -> None:
        self._line = line
        self._queue: deque[Pcm] = deque()
        self._played = 0

    async def frames(self) -> AsyncIterator[Pcm]:
        loop = asyncio.get_running_loop()
        due = loop.time()
        while not self._line.dead:
            due += FRAME_MS / 1000
            await asyncio.sleep(due - loop.time())
            if self._line.frozen:
                continue
            bot = self._queue.popleft() if self._queue else None
            if bot is not None:
                self._played += FRAME_MS
            yield self._line.tick(_SILENT if bot is None else bot)

    async def write(self, frame: Pcm) -> None:
        assert frame.shape == (FRAME,) and frame.dtype == np.int16
        await until(lambda: len(self._queue) * FRAME_MS < _BOUND_MS or self._line.dead)
        if self._line.dead:
            raise Unavailable("the line is dead")
        self._queue.append(frame)

    def clear(self) -> int:
        dropped = len(self._queue) * FRAME_MS
        self._queue.clear()
        return dropped

    async def drain(self) -> None:
        await until(lambda: not self._queue or self._line.dead)

    @property
    def played_ms(self) -> int:
        return self._played
