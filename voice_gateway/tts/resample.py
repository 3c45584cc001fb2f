"""A stream of speech at another rate, without seams: one resampler over all chunks of a text.

Chunks come out as whole 20 ms frames (the rest waits for the next chunk; the last is padded with silence), so a reader
that cuts frames out of each chunk never puts a gap into a word.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing

import numpy as np

from common.audio import Resampler
from voice_gateway.tts.api import AudioChunk, Pcm, Speech, TtsCapabilities, TtsEngine

FRAMES_PER_S = 50


async def at_rate(chunks: AsyncIterator[AudioChunk], rate: int) -> AsyncIterator[AudioChunk]:
    """`chunks` at `rate` Hz, each a whole number of 20 ms frames. Closing it closes `chunks`.

    A change of the incoming rate (another engine took over) starts a new resampler.
    """
    frame = rate // FRAMES_PER_S
    carry: Pcm = np.zeros(0, np.int16)
    resampler: Resampler | None = None
    rate_in = 0
    async with aclosing(chunks) as source:  # type: ignore[type-var]
        async for chunk in source:
            if resampler is None or chunk.sample_rate != rate_in:
                if resampler is not None:
                    carry = np.concatenate([carry, resampler.push(np.zeros(0, np.int16), last=True)])
                resampler, rate_in = Resampler(chunk.sample_rate, rate), chunk.sample_rate
            pcm = np.concatenate([carry, resampler.push(chunk.pcm)])
            whole = len(pcm) // frame * frame
            carry = pcm[whole:]
            yield AudioChunk(pcm[:whole], rate, chunk.text)
    if resampler is not None:
        pcm = np.concatenate([carry, resampler.push(np.zeros(0, np.int16), last=True)])
        if len(pcm):
            yield AudioChunk(np.pad(pcm, (0, -len(pcm) % frame)), rate, "")


class ResampledTts:
    """A `TtsEngine` whose audio comes at `rate`."""

    def __init__(self, inner: TtsEngine, rate: int) -> None:
        self._inner, self._rate = inner, rate

    @property
    def capabilities(self) -> TtsCapabilities:
        """The inner engine's, at this rate."""
        caps = self._inner.capabilities
        return TtsCapabilities(caps.name, caps.version, caps.voices, caps.languages, self._rate)

    def stream(self, speech: Speech) -> AsyncIterator[AudioChunk]:
        """See `TtsEngine`."""
        return at_rate(self._inner.stream(speech), self._rate)

    async def aclose(self) -> None:
        """See `TtsEngine`."""
        await self._inner.aclose()
