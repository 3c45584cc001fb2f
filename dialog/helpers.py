"""What a turn needs of others, each bounded in time and each allowed to fail: understanding, feelings, facts, actions.

A helper that does not answer costs quality, never the conversation: the reason is counted and None is returned.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any, TypeVar

from prometheus_client import Counter

from common.aio import within
from common.errors import HotlineError
from common.privacy import mask
from common.telemetry import get_logger
from dialog import actions
from dialog.api import TurnKind, UserTurn
from dialog.business import BusinessApi
from dialog.heard import SPOKEN
from dialog.talk import Call, Outcome
from emotion.api import AssessRequest, EmotionReading, EmotionService
from kb.api import Answer, KbService
from nlu.api import NluRequest, NluResult, NluService

log = get_logger(__name__)
_degraded = Counter("hotline_dialog_degraded_total", "Turns that had to do without a helper", ["helper", "code"])
T = TypeVar("T")
_NLU_TEXT, _KB_TEXT = 2000, 500


@dataclass(frozen=True, slots=True)
class Limits:
    """Seconds that each helper has."""

    nlu_s: float
    emotion_s: float
    kb_s: float
    action_s: float


class Helpers:
    """All helpers of the dialog."""

    def __init__(
        self, nlu: NluService, emotion: EmotionService, kb: KbService, business: BusinessApi, limits: Limits
    ) -> None:
        self._nlu = nlu
        self._emotion = emotion
        self._kb = kb
        self.business = business
        self._limits = limits

    async def understand(
        self, turn: UserTurn, slot: str, language: str, today: str, readings: tuple[EmotionReading, ...]
    ) -> tuple[NluResult | None, EmotionReading | None, tuple[str, ...]]:
        """(meaning, feeling, names of the helpers that failed): nlu and emotion work side by side."""
        words = turn.kind in SPOKEN or turn.kind is TurnKind.BUTTON
        if not (words and turn.text.strip()):
            return None, None, ()
        parse = self._nlu.parse(NluRequest(turn.text[:_NLU_TEXT], slot, language, today))
        assess = self._emotion.assess(AssessRequest(turn.text[:_NLU_TEXT], turn.acoustic, readings))
        nlu, emotion = await asyncio.gather(
            self._try("nlu", parse, self._limits.nlu_s), self._try("emotion", assess, self._limits.emotion_s)
        )
        failed = tuple(name for name, found in (("nlu", nlu), ("emotion", emotion)) if found is None)
        return nlu, emotion, failed

    async def consult(self, question: str) -> Answer | None:
        """The knowledge base's answer, None when it does not answer at all."""
        return await self._try("kb", self._kb.answer(mask(question)[:_KB_TEXT]), self._limits.kb_s)

    async def act(self, call: Call, request: actions.Request) -> Outcome:
        """Do an action; never raises."""
        work = actions.perform(self.business, call.action, request)
        outcome = await self._try("business", work, self._limits.action_s)
        if outcome is None:
            return Outcome("unsure" if call.action in actions.CHANGES else "failed")
        if outcome.name in ("failed", "unsure"):
            _degraded.labels("business", outcome.name).inc()
        return outcome

    async def _try(self, name: str, work: Coroutine[Any, Any, T], seconds: float) -> T | None:
        try:
            return await within(work, seconds, name)
        except HotlineError as error:
            code = error.code
            log.warning("helper_failed", helper=name, code=code, reason=mask(error.message))
        except Exception:
            code = "internal"
            log.exception("helper_crashed", helper=name)
        _degraded.labels(name, code).inc()
        return None
