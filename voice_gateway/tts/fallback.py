"""A `TtsEngine` of two: the second speaks what the first cannot, from the very character where it stopped."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from dataclasses import replace

from common.errors import BadInput, HotlineError, TimedOut
from common.telemetry import get_logger
from voice_gateway.tts import metrics
from voice_gateway.tts.api import AudioChunk, Speech, TtsCapabilities, TtsEngine
from voice_gateway.tts.scheduler import background

log = get_logger(__name__)


class FallbackTts:
    """See `TtsEngine`.

    When nothing is left to hear for `patience_s`, or when `first` fails, `second` says the rest. Work in the
    background waits as long as it takes and is never said by the other voice. A caller's mistake (BadInput) is not
    covered up.
    """

    def __init__(self, first: TtsEngine, second: TtsEngine, *, patience_s: float) -> None:
        self._first, self._second, self._patience_s = first, second, patience_s

    @property
    def capabilities(self) -> TtsCapabilities:
        """The first engine's."""
        return self._first.capabilities

    async def stream(self, speech: Speech) -> AsyncIterator[AudioChunk]:
        """See `TtsEngine`."""
        said = 0
        try:
            async with aclosing(self._patient(speech)) as chunks:
                async for chunk in chunks:
                    said += len(chunk.text)
                    yield chunk
            return
        except BadInput:
            raise
        except HotlineError as error:
            if background.get():
                raise
            metrics.FALLBACKS.labels(error.code).inc()
            log.warning("tts_fallback", code=error.code, reason=error.message)
        rest = speech.text[said:]
        async with aclosing(self._second.stream(replace(speech, text=rest))) as chunks:  # type: ignore[type-var]
            async for chunk in chunks:
                yield chunk

    async def _patient(self, speech: Speech) -> AsyncGenerator[AudioChunk, None]:
        dry_at = time.monotonic()  # when a listener has heard all that was given
        async with aclosing(self._first.stream(speech)) as source:  # type: ignore[type-var]
            while True:
                patience = max(0.0, dry_at - time.monotonic()) + self._patience_s
                try:
                    async with asyncio.timeout(None if background.get() else patience):
                        chunk = await anext(source)
                except StopAsyncIteration:
                    return
                except TimeoutError:
                    raise TimedOut(f"no speech within {patience:.1f} s") from None
                dry_at = max(dry_at, time.monotonic()) + len(chunk.pcm) / chunk.sample_rate
                yield chunk

    async def aclose(self) -> None:
        """See `TtsEngine`."""
        await self._first.aclose()
        await self._second.aclose()
