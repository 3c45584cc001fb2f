"""One utterance on its way from frames to text.

The recogniser's stream ends with `flush`, so an utterance is a chain of streams: a pause in speech flushes the running
one (early final), speech that goes on opens the next, which begins with the silence between. When the endpointer
decides, the text is mostly there already. The frames are kept for the voice reading of the emotion service.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

import numpy as np

from common.audio import Pcm
from common.telemetry import get_logger
from voice_gateway import phrases
from voice_gateway.asr.api import AsrEngine, AsrError, AsrStream, DecodingHint

log = get_logger(__name__)

_QUEUE_FRAMES = 1500  # 30 s


@dataclass(frozen=True, slots=True)
class Recognised:
    """The final text of an utterance. `error` is the recogniser's code when it failed ("" = it did not)."""

    text: str
    confidence: float
    error: str = ""


class _Mark:
    """In the frame queue: the speech pauses here."""


_PAUSE = _Mark()


class Utterance:
    """Open until `finish`; `text` is the best guess so far and `on_text` is called when it changes."""

    def __init__(
        self, engine: AsrEngine, hint: DecodingHint, sample_rate: int, on_text: Callable[[Utterance], None]
    ) -> None:
        self._engine, self._hint, self._rate, self._on_text = engine, hint, sample_rate, on_text
        self._queue: asyncio.Queue[Pcm | _Mark | None] = asyncio.Queue(_QUEUE_FRAMES)
        self._frames: list[Pcm] = []
        self._waiting: list[Pcm] = []
        self._paused = False
        self.settled = False  # paused, and all that was said before is recognised
        self._finals: list[tuple[str, float]] = []
        self._partial = ""
        self._error = ""
        self._worker = asyncio.create_task(self._work(), name="utterance")
        self._reader: asyncio.Task[None] | None = None

    @property
    def text(self) -> str:
        """What was recognised so far."""
        return "".join(text for text, _ in self._finals) + self._partial

    @property
    def confidence(self) -> float:
        """Of the final texts so far, 0 … 1; 0.0 where there is none."""
        size = sum(len(text) for text, _ in self._finals)
        return sum(len(text) * sure for text, sure in self._finals) / size if size else 0.0

    @property
    def frames(self) -> list[Pcm]:
        """All frames so far, each int16 [sample_rate / 50]."""
        return self._frames

    @property
    def pcm(self) -> Pcm:
        """All audio of the utterance, int16 [n]."""
        return np.concatenate(self._frames) if self._frames else np.zeros(0, np.int16)

    @property
    def sample_rate(self) -> int:
        """Of `pcm`, Hz."""
        return self._rate

    def push(self, frame: Pcm) -> None:
        """One more frame. While paused it waits: silence is not worth recognising."""
        self._frames.append(frame)
        if self._paused:
            self._waiting.append(frame)
        else:
            self._put(frame)

    def pause(self) -> None:
        """The speech pauses: ask for the final text of what was said so far."""
        self._paused = True
        self._put(_PAUSE)

    def resume(self) -> None:
        """The speech goes on."""
        self._paused = self.settled = False
        for frame in self._waiting:
            self._put(frame)
        self._waiting.clear()

    def _put(self, item: Pcm | _Mark) -> None:
        try:
            self._queue.put_nowait(item)
        except asyncio.QueueFull:
            self._fail("asr_overloaded")

    async def finish(self) -> Recognised:
        """No more audio comes: the final text. Never raises for what the recogniser does."""
        await self._queue.put(None)
        await self._worker
        said = "".join(text for text, _ in self._finals)
        return Recognised(said, self.confidence, "" if phrases.plain(said) else self._error)

    async def aclose(self) -> None:
        """Drop it; may be called twice, and after `finish`."""
        self._worker.cancel()
        await asyncio.wait([self._worker])

    async def _work(self) -> None:
        stream: AsrStream | None = None
        try:
            while (item := await self._queue.get()) is not None:
                if self._error:
                    continue
                try:
                    stream = await self._take(item, stream)
                except AsrError as error:
                    self._fail(error.code)
            if stream is not None and not self._error:
                await self._flush(stream)
                stream = None
        except AsrError as error:
            self._fail(error.code)
        except Exception as error:
            log.error("recogniser_raised", exc_info=error)
            self._fail("internal")
        finally:
            if stream is not None:
                await self._drop(stream)

    async def _take(self, item: Pcm | _Mark, stream: AsrStream | None) -> AsrStream | None:
        if isinstance(item, _Mark):
            if stream is not None:
                await self._flush(stream)
            return None
        if stream is None:
            stream = await self._engine.stream(self._hint, sample_rate=self._rate)
            self._reader = asyncio.create_task(self._read(stream), name="partials")
        await stream.push(item)
        return stream

    async def _flush(self, stream: AsrStream) -> None:
        final = await stream.flush()
        await self._drop(stream)
        self._partial = ""
        self._finals.append((final.text, final.confidence))
        self.settled = self._paused
        self._on_text(self)

    async def _drop(self, stream: AsrStream) -> None:
        await stream.aclose()
        if self._reader is not None:
            self._reader.cancel()
            await asyncio.wait([self._reader])
            self._reader = None

    async def _read(self, stream: AsrStream) -> None:
        with suppress(AsrError):
            async for transcript in stream:
                if not transcript.final and transcript.text != self._partial:
                    self._partial = transcript.text
                    self._on_text(self)

    def _fail(self, code: str) -> None:
        if not self._error:
            log.warning("recogniser_failed", code=code)
        self._error = self._error or code
