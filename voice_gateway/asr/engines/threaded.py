"""From a blocking recogniser to an `AsrStream`: audio is queued, decoded on a shared pool, one job a stream at a time.

Every engine here is a `Recogniser` (plain, blocking, single-threaded) for each utterance; `ThreadedStream` gives it the
queue, the back-pressure, the partials (only the newest waits) and the ending. `StreamSet` counts and closes them.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import Protocol

import numpy as np

from common.aio import InferencePool, TaskSet
from common.audio import Resampler
from common.errors import Overloaded
from common.telemetry import get_logger
from voice_gateway.asr.api import AsrClosed, AsrError, AsrFailed, AsrOverloaded, Samples, Transcript

QUEUE_SECONDS = 10.0
PUSH_TIMEOUT_S = 5.0
FLUSH_TIMEOUT_S = 20.0
LONGEST_S = 120.0
log = get_logger(__name__)


class Recogniser(Protocol):
    """One utterance, blocking; called by one thread at a time, int16 at the engine's native rate."""

    def accept(self, audio: Samples) -> str | None:
        """Decode; the text so far when it changed, else None."""

    def finish(self) -> Transcript:
        """No more audio comes."""

    def close(self) -> None:
        """Free everything; may be called twice."""


class StreamSet:
    """The open streams of an engine, at most `limit` of them."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.closed = False
        self._open: set[ThreadedStream] = set()

    def __len__(self) -> int:
        return len(self._open)

    def check(self, engine: str) -> None:
        """Raise when no stream may be opened."""
        if self.closed:
            raise AsrClosed(f"{engine}: the engine is closed")
        if len(self._open) >= self.limit:
            raise AsrOverloaded(f"{engine}: {self.limit} utterances are open already", retry_after_s=1.0)

    def add(self, stream: ThreadedStream) -> ThreadedStream:
        """Remember an open stream until it is closed."""
        self._open.add(stream)
        return stream

    def discard(self, stream: ThreadedStream) -> None:
        """Forget a closed stream."""
        self._open.discard(stream)

    async def aclose(self) -> None:
        """Close all streams and allow no more."""
        self.closed = True
        for stream in list(self._open):
            await stream.aclose()


class ThreadedStream:
    """`AsrStream` over a `Recogniser` on a pool."""

    def __init__(
        self,
        make: Callable[[], Recogniser],
        pool: InferencePool,
        *,
        engine: str,
        rate: int,
        native_rate: int,
        owner: StreamSet,
    ) -> None:
        self._make, self._pool, self._engine, self._owner = make, pool, engine, owner
        self._rate, self._resampler = rate, Resampler(rate, native_rate)
        self._native_rate = native_rate
        self._recogniser: Recogniser | None = None
        self._waiting: list[Samples] = []
        self._queued = self._total = 0
        self._ended = self._closed = False
        self._partial: Transcript | None = None
        self._final: Transcript | None = None
        self._error: AsrError | None = None
        self._flushed_at = 0.0
        self._changed = asyncio.Condition()
        self._tasks = TaskSet()
        self._working = False

    async def push(self, frames: Samples) -> None:
        """See `AsrStream.push`."""
        self._check()
        if self._ended:
            raise AsrClosed(f"{self._engine}: audio after flush")
        if frames.dtype != np.int16 or frames.ndim != 1:
            raise TypeError(f"audio must be int16 [n], not {frames.dtype} {list(frames.shape)}")
        if self._total > LONGEST_S * self._rate:
            raise AsrOverloaded(f"{self._engine}: the utterance is longer than {LONGEST_S:g} s; flush it")
        try:
            async with asyncio.timeout(PUSH_TIMEOUT_S), self._changed:
                await self._changed.wait_for(
                    lambda: self._closed or self._error is not None or self._queued < QUEUE_SECONDS * self._rate
                )
        except TimeoutError:
            raise AsrOverloaded(f"{self._engine}: {QUEUE_SECONDS:g} s of audio wait to be decoded") from None
        self._check()
        self._waiting.append(frames)
        self._queued += len(frames)
        self._total += len(frames)
        self._kick()

    async def flush(self) -> Transcript:
        """See `AsrStream.flush`."""
        self._check()
        if not self._ended:
            self._ended = True
            self._flushed_at = time.perf_counter()
            self._kick()
        try:
            async with asyncio.timeout(FLUSH_TIMEOUT_S), self._changed:
                await self._changed.wait_for(lambda: self._closed or self._error or self._final)
        except TimeoutError:
            raise AsrFailed(f"{self._engine}: no final text within {FLUSH_TIMEOUT_S:g} s") from None
        self._check()
        assert self._final is not None
        return self._final

    async def __aiter__(self) -> AsyncIterator[Transcript]:
        """See `AsrStream.__aiter__`."""
        while True:
            async with self._changed:
                await self._changed.wait_for(
                    lambda: self._closed or self._error or self._final or self._partial is not None
                )
                if self._closed:
                    return
                if self._error is not None:
                    raise self._error
                result, self._partial = self._final or self._partial, None
            assert result is not None
            yield result
            if result.final:
                return

    async def aclose(self) -> None:
        """See `AsrStream.aclose`."""
        if self._closed:
            return
        self._closed = True
        self._waiting.clear()
        self._owner.discard(self)
        async with self._changed:
            self._changed.notify_all()
        if not self._working and self._recogniser is not None:
            self._recogniser.close()

    async def drained(self) -> None:
        """Wait until all audio that was pushed is decoded (for measuring; a call never waits for that)."""
        async with self._changed:
            await self._changed.wait_for(lambda: self._closed or self._error is not None or not self._queued)

    def _check(self) -> None:
        if self._closed:
            raise AsrClosed(f"{self._engine}: the stream is closed")
        if self._error is not None:
            raise self._error

    def _kick(self) -> None:
        if not self._working:
            self._working = True
            self._tasks.spawn(self._work(), name=f"asr-{self._engine}")

    async def _work(self) -> None:
        """Decode what waits until nothing does; then, when flushed, finish."""
        try:
            while not self._closed and self._final is None and (self._waiting or self._ended):
                batch, self._waiting = self._waiting, []
                last = self._ended
                text, final = await self._pool.run(self._decode, batch, last)
                self._queued -= sum(len(frames) for frames in batch)
                await self._publish(text, final)
        except Overloaded as error:
            await self._fail(AsrOverloaded(error.message, retry_after_s=error.retry_after_s))
        except AsrError as error:
            await self._fail(error)
        except Exception as error:
            log.error("asr_engine_failed", engine=self._engine, exc_info=error)
            await self._fail(AsrFailed(f"{self._engine}: {type(error).__name__}: {error}"))
        finally:
            self._working = False
            if (self._closed or self._final or self._error) and self._recogniser is not None:
                self._recogniser.close()

    def _decode(self, batch: list[Samples], last: bool) -> tuple[str | None, Transcript | None]:
        """On a pool thread."""
        if self._closed:
            return None, None
        if self._recogniser is None:
            self._recogniser = self._make()
        audio = np.concatenate(batch) if batch else np.zeros(0, dtype=np.int16)
        audio = self._resampler.push(audio, last=last)
        text = self._recogniser.accept(audio) if len(audio) else None
        return text, self._recogniser.finish() if last and not self._waiting else None

    async def _publish(self, text: str | None, final: Transcript | None) -> None:
        seconds = self._total / self._rate
        if final is not None:
            spent = (time.perf_counter() - self._flushed_at) * 1000.0
            self._final = replace(final, final=True, audio_s=seconds, decode_ms=spent, engine=self._engine)
        elif text is not None:
            self._partial = Transcript(
                text, final=False, audio_s=seconds - self._queued / self._rate, engine=self._engine
            )
        async with self._changed:
            self._changed.notify_all()

    async def _fail(self, error: AsrError) -> None:
        self._error = error
        async with self._changed:
            self._changed.notify_all()
