"""Understanding, over its engines: normalise, tag, find values, name the intent."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import date, datetime

from prometheus_client import Counter, Histogram

from common.aio import InferencePool
from common.errors import BadInput
from nlu.api import OUT_OF_SCOPE, Intent, NluRequest, NluResult
from nlu.decide import decide
from nlu.engines.base import EntityEngine, IntentEngine
from nlu.normalise import normalise
from nlu.overlaps import resolve
from nlu.segment import Segmenter

MAX_CHARACTERS = 2000
_READ = 300  # characters that the intent engine reads: what somebody wants is said at the start
_seconds = Histogram(
    "hotline_nlu_parse_seconds", "Time to understand one text", buckets=(0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5)
)
_intents = Counter("hotline_nlu_intents_total", "Texts by recognised intent", ["intent"])


class LocalNlu:
    """`NluService` in this process. `clock` gives the caller's local time, against which 昨天 is resolved."""

    def __init__(
        self,
        segmenter: Segmenter,
        phrases: IntentEngine,
        intents: IntentEngine,
        entities: EntityEngine,
        pool: InferencePool,
        *,
        threshold: float,
        clock: Callable[[], datetime] = datetime.now,
    ) -> None:
        self._segmenter = segmenter
        self._phrases = phrases
        self._intents = intents
        self._entities = entities
        self._pool = pool
        self._threshold = threshold
        self._clock = clock

    async def parse(self, request: NluRequest) -> NluResult:
        """See `NluService`. Also Overloaded when too many wait."""
        if len(request.text) > MAX_CHARACTERS:
            raise BadInput(f"text has {len(request.text)} characters; at most {MAX_CHARACTERS} are read at once")
        return await self._pool.run(self._parse, request, self._now(request.today))

    def warm_up(self) -> None:
        """Load every model, so that the first caller does not wait for it. Blocks for some seconds."""
        for engine in (self._phrases, self._intents, self._entities):
            engine.warm_up()
        self._parse(NluRequest("你好，我想查一下昨天的订单"), self._clock())

    async def aclose(self) -> None:
        """Release the workers; may be called twice."""
        await self._pool.aclose()

    def _now(self, today: str) -> datetime:
        if not today:
            return self._clock()
        try:
            return datetime.combine(date.fromisoformat(today), self._clock().time())
        except ValueError:
            raise BadInput(f"today is {today!r}; it must be an ISO date such as 2026-11-20") from None

    def _parse(self, request: NluRequest, now: datetime) -> NluResult:
        began = time.perf_counter()
        text = normalise(request.text)
        if not text:
            return NluResult(text="", intent=Intent(OUT_OF_SCOPE, 1.0))
        entities = resolve(self._entities.extract(text, expected_slot=request.expected_slot, now=now))
        phrases = self._phrases.classify(text)
        ranking = [] if phrases else self._intents.classify(text[:_READ])
        intent, alternatives = decide(text, phrases, ranking, entities, self._threshold)
        tokens = self._segmenter.segment(text)
        _seconds.observe(time.perf_counter() - began)
        _intents.labels(intent.name).inc()
        return NluResult(text=text, intent=intent, alternatives=alternatives, entities=entities, tokens=tokens)
