"""Reading the voice of an utterance while its last words are recognised; late readings never delay a reply."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from common.aio import TaskSet
from common.errors import BadInput
from common.telemetry import get_logger
from dialog.api import UserTurn
from emotion.api import AcousticBaseline, AcousticReading, EmotionService, HearRequest
from voice_gateway import metrics
from voice_gateway.ears import Speech

log = get_logger(__name__)

_ENOUGH_MS = 250  # of speech, to read anything from it


class VoiceReader:
    """One caller's readings, each relative to the baseline of the earlier ones."""

    def __init__(self, emotion: EmotionService, tasks: TaskSet, patience_ms: int) -> None:
        self._emotion, self._tasks, self._patience = emotion, tasks, patience_ms / 1000
        self._baseline: AcousticBaseline | None = None

    def start(self, speech: Speech) -> None:
        """Begin reading what was said so far; a reading of less is dropped."""
        if speech.reading is not None:
            speech.reading.cancel()
        if speech.voiced_ms >= _ENOUGH_MS:
            speech.reading = self._tasks.spawn(self._read(speech), name="voice reading")

    async def attach(self, turn: UserTurn, speech: Speech | None) -> UserTurn:
        """`turn` with its reading, or without where there is none in time."""
        if speech is None:
            return turn
        if speech.reading is None:
            self.start(speech)
        if speech.reading is None:
            return turn
        await asyncio.wait([speech.reading], timeout=self._patience)
        if not speech.reading.done():
            metrics.ACOUSTIC_LATE.inc()
            log.info("voice_reading_late", session=turn.session)
            return turn
        return turn if speech.reading.cancelled() else replace(turn, acoustic=speech.reading.result())

    async def _read(self, speech: Speech) -> AcousticReading | None:
        utterance = speech.utterance
        request = HearRequest(utterance.pcm.tobytes(), utterance.sample_rate, self._baseline)
        try:
            result = await self._emotion.hear(request)
        except BadInput:
            return None
        except Exception as error:
            metrics.FAILURES.labels("emotion", getattr(error, "code", "internal")).inc()
            log.warning("voice_reading_failed", exc_info=error)
            return None
        self._baseline = result.baseline
        return result.reading
