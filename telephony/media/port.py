"""The audio port of a call: two bounded queues between the 20 ms clock and the voice session."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator

import numpy as np

from common.errors import BadInput, Unavailable
from telephony import metrics
from telephony.media.playout import FRAME_SAMPLES, SAMPLE_RATE
from voice_gateway.api import FRAME_MS, Pcm

QUEUE_FRAMES = 10  # 200 ms may wait to be sent
UNREAD_FRAMES = 250  # 5 s may wait to be read


class RtpAudioPort:
    """See voice_gateway.api.AudioPort. `take` and `put` are the clock's side."""

    def __init__(self) -> None:
        self._in: asyncio.Queue[Pcm | None] = asyncio.Queue()
        self._out: deque[Pcm] = deque()
        self._room = asyncio.Event()
        self._room.set()
        self._empty = asyncio.Event()
        self._empty.set()
        self._played = 0
        self._dead = False

    # --- the session's side ---

    @property
    def sample_rate(self) -> int:
        return SAMPLE_RATE

    async def frames(self) -> AsyncIterator[Pcm]:
        while not (self._dead and self._in.empty()):
            frame = await self._in.get()
            if frame is None:
                return
            yield frame

    async def write(self, frame: Pcm) -> None:
        if frame.dtype != np.int16 or frame.shape != (FRAME_SAMPLES,):
            raise BadInput(f"a frame is int16 [{FRAME_SAMPLES}], not {frame.dtype} {frame.shape}")
        while len(self._out) >= QUEUE_FRAMES and not self._dead:
            self._room.clear()
            await self._room.wait()
        if self._dead:
            raise Unavailable("the call is over")
        self._out.append(frame)
        self._empty.clear()

    def clear(self) -> int:
        dropped = len(self._out) * FRAME_MS
        self._out.clear()
        self._wake()
        return dropped

    async def drain(self) -> None:
        await self._empty.wait()

    @property
    def played_ms(self) -> int:
        return self._played * FRAME_MS

    # --- the clock's side ---

    def take(self) -> Pcm | None:
        """The next frame to send, or None."""
        if not self._out:
            return None
        frame = self._out.popleft()
        self._played += 1
        self._wake()
        return frame

    def put(self, frame: Pcm) -> None:
        """A frame that came; the oldest goes when nobody reads."""
        if self._dead:
            return
        if self._in.qsize() >= UNREAD_FRAMES:
            self._in.get_nowait()
            metrics.frames_unread.inc()
        self._in.put_nowait(frame)

    def close(self) -> None:
        """The line is dead: readers end after what has come, writers raise."""
        if not self._dead:
            self._dead = True
            self._out.clear()
            self._in.put_nowait(None)
            self._wake()

    def _wake(self) -> None:
        if len(self._out) < QUEUE_FRAMES:
            self._room.set()
        if not self._out:
            self._empty.set()
