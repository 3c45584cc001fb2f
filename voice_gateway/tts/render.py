"""Whole texts as audio, outside a call: pre-rendering of prompts, simulated callers, the command line.

All of it yields to live calls, waits as long as it takes, and never takes the fallback voice for the wanted one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass

import numpy as np

from common.audio import Pcm, resample
from common.errors import HotlineError
from common.telemetry import get_logger
from voice_gateway.tts.api import AudioChunk, Speech, TtsEngine
from voice_gateway.tts.scheduler import background

log = get_logger(__name__)

Progress = Callable[[int, int], None]
"""done, total."""

_AUDIBLE = 200
_AT_ONCE = 2


@dataclass(frozen=True, slots=True)
class Prerendered:
    """The chunks of each text, and the texts that could not be rendered."""

    chunks: dict[str, tuple[AudioChunk, ...]]
    failed: tuple[str, ...]


async def prerender(
    engine: TtsEngine,
    texts: Sequence[str],
    *,
    voice: str = "",
    speed: float = 1.0,
    progress: Progress | None = None,
) -> Prerendered:
    """Render fixed prompts, so that the engine's cache has them. Failures are logged and returned, not raised."""
    made: dict[str, tuple[AudioChunk, ...]] = {}
    failed: list[str] = []
    gate = asyncio.Semaphore(_AT_ONCE)

    async def one(text: str) -> None:
        async with gate:
            try:
                made[text] = await _chunks(engine, Speech(text, voice, speed, fixed=True))
            except HotlineError as error:
                failed.append(text)
                log.warning("prompt_not_rendered", code=error.code, reason=error.message)
        if progress is not None:
            progress(len(made) + len(failed), len(set(texts)))

    async with asyncio.TaskGroup() as group:
        for text in dict.fromkeys(texts):
            group.create_task(one(text))
    return Prerendered(made, tuple(failed))


async def render(engine: TtsEngine, speech: Speech, rate: int, *, trim: bool = True) -> Pcm:
    """The whole of a text as int16 at `rate` Hz; `trim` leaves no silence around it. Raises HotlineError."""
    chunks = await _chunks(engine, speech)
    if not chunks:
        return np.zeros(0, np.int16)
    pcm = resample(np.concatenate([chunk.pcm for chunk in chunks]), chunks[0].sample_rate, rate)
    return trimmed(pcm) if trim else pcm


def trimmed(pcm: Pcm) -> Pcm:
    """Without the silence at both ends."""
    loud = np.flatnonzero(np.abs(pcm.astype(np.int32)) > _AUDIBLE)
    return pcm[int(loud[0]) : int(loud[-1]) + 1] if len(loud) else pcm[:0]


async def _chunks(engine: TtsEngine, speech: Speech) -> tuple[AudioChunk, ...]:
    token = background.set(True)
    try:
        async with aclosing(engine.stream(speech)) as chunks:  # type: ignore[type-var]
            return tuple([chunk async for chunk in chunks])
    finally:
        background.reset(token)
