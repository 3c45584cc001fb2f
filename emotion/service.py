"""Emotion analysis in place."""

from __future__ import annotations

import time

from prometheus_client import Counter, Histogram

from common.aio import InferencePool
from common.errors import BadInput
from emotion.acoustic import hear
from emotion.api import AssessRequest, EmotionReading, HearRequest, HearResult
from emotion.fusion import fuse
from emotion.text import valence

MAX_TEXT = 2000
_hear_seconds = Histogram(
    "hotline_emotion_hear_seconds",
    "Acoustic analysis of one utterance, waiting included",
    buckets=(0.005, 0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 1.0),
)
_readings = Counter("hotline_emotion_readings_total", "Fused readings", ["label"])


class Emotions:
    """`EmotionService`. Voice is analysed on a bounded pool; words take microseconds and are read at once."""

    def __init__(self, pool: InferencePool, *, max_seconds: float, memory: float) -> None:
        self._pool = pool
        self._max_seconds = max_seconds
        self._memory = memory

    async def hear(self, request: HearRequest) -> HearResult:
        """See `EmotionService.hear`."""
        began = time.perf_counter()
        result = await self._pool.run(hear, request, self._max_seconds)
        _hear_seconds.observe(time.perf_counter() - began)
        return result

    async def assess(self, request: AssessRequest) -> EmotionReading:
        """See `EmotionService.assess`."""
        if len(request.text) > MAX_TEXT:
            raise BadInput(f"the text has {len(request.text)} characters; at most {MAX_TEXT} are understood")
        value, marks, evidence = valence(request.text)
        reading = fuse(value, marks, request.acoustic, request.history, evidence, self._memory)
        _readings.labels(reading.label.value).inc()
        return reading

    async def aclose(self) -> None:
        """Wait for what runs; may be called twice."""
        await self._pool.aclose()
