"""Two engines as one: the second takes over when the first fails or has no room.

A stream keeps the audio of its utterance (two bytes a sample, bounded by the engines' longest utterance), so a failure
in mid-utterance is repaired by hearing all of it again on the second engine. Errors that no other engine could mend
(a closed stream) pass.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from prometheus_client import Counter

from common.telemetry import get_logger
from voice_gateway.asr.api import FREE, AsrEngine, AsrError, AsrStream, Capabilities, DecodingHint, Samples, Transcript

FALLBACKS = Counter("hotline_asr_fallback_total", "Utterances that the second recogniser took over", ["reason"])
log = get_logger(__name__)


class FallbackEngine:
    """`AsrEngine` that prefers `first`."""

    def __init__(self, first: AsrEngine, second: AsrEngine) -> None:
        self._first, self._second = first, second

    @property
    def capabilities(self) -> Capabilities:
        """Those of the first engine."""
        return self._first.capabilities

    async def stream(self, hint: DecodingHint = FREE, *, sample_rate: int = 8000) -> AsrStream:
        """See `AsrEngine.stream`; the second engine's stream when the first one has no room or fails."""
        try:
            stream = await self._first.stream(hint, sample_rate=sample_rate)
        except AsrError as error:
            if not error.retryable:
                raise
            self.note(error)
            return await self._second.stream(hint, sample_rate=sample_rate)
        return _FallbackStream(stream, self, hint, sample_rate)

    async def second(self, hint: DecodingHint, sample_rate: int) -> AsrStream:
        """A stream of the second engine."""
        return await self._second.stream(hint, sample_rate=sample_rate)

    @staticmethod
    def note(error: AsrError) -> None:
        """Count and log a take-over."""
        FALLBACKS.labels(error.code).inc()
        log.warning("asr_fallback", code=error.code)

    async def aclose(self) -> None:
        """Close both."""
        await self._first.aclose()
        await self._second.aclose()


class _FallbackStream:
    def __init__(self, stream: AsrStream, owner: FallbackEngine, hint: DecodingHint, rate: int) -> None:
        self._stream, self._owner, self._hint, self._rate = stream, owner, hint, rate
        self._heard: list[Samples] | None = []
        self._switch = asyncio.Lock()
        self._closed = False

    async def push(self, frames: Samples) -> None:
        """See `AsrStream.push`."""
        used = self._stream
        try:
            await used.push(frames)
            if self._heard is not None:
                self._heard.append(frames)
        except AsrError as error:
            await self._take_over(used, error)
            await self._stream.push(frames)

    async def flush(self) -> Transcript:
        """See `AsrStream.flush`."""
        used = self._stream
        try:
            return await used.flush()
        except AsrError as error:
            await self._take_over(used, error)
            return await self._stream.flush()

    async def __aiter__(self) -> AsyncIterator[Transcript]:
        """See `AsrStream.__aiter__`; after a take-over the second engine's partials go on."""
        while True:
            used = self._stream
            try:
                async for transcript in used:
                    yield transcript
            except AsrError as error:
                await self._take_over(used, error)
            if self._stream is used or self._closed:
                return

    async def aclose(self) -> None:
        """See `AsrStream.aclose`."""
        self._closed = True
        self._heard = None
        await self._stream.aclose()

    async def _take_over(self, failed: AsrStream, error: AsrError) -> None:
        """Put the second engine in the place of `failed`, once; raise when that is not possible."""
        async with self._switch:
            if self._stream is not failed:
                return
            if self._closed or not error.retryable or self._heard is None:
                raise error
            FallbackEngine.note(error)
            heard, self._heard = self._heard, None
            second = await self._owner.second(self._hint, self._rate)
            for frames in heard:
                await second.push(frames)
            self._stream = second
            await failed.aclose()
