"""The bot's ears on one call: frames in; speech that begins, goes on and ends out.

Each frame is heard once and goes three ways: detector, recogniser, and the buffer for the voice reading. The bot's own
echo is taken out before the endpointer sees it.
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass
from typing import Protocol

from common.aio import TaskSet
from common.audio import Pcm, dbfs
from common.telemetry import get_logger
from dialog.api import Expect, Expectation
from emotion.api import AcousticReading
from voice_gateway.api import FRAME_MS, AudioPort
from voice_gateway.asr import api as asr_api
from voice_gateway.asr.api import AsrEngine, DecodingHint
from voice_gateway.echo import EchoGate
from voice_gateway.endpointing import (
    Endpointer,
    EndpointRules,
    SpeechEnded,
    SpeechEvent,
    SpeechPaused,
    SpeechResumed,
    SpeechStarted,
)
from voice_gateway.speaker import Speaker
from voice_gateway.utterance import Recognised, Utterance
from voice_gateway.vad.api import WINDOW_MS, VadStream

log = get_logger(__name__)

_BEFORE_SPEECH = 15  # frames (300 ms) that the recogniser gets from before the detected begin
_FINAL_S = 5.0  # for the recogniser's final text
_LEVEL_LEARN = 0.3
_LEVEL_FRAMES = 5
_HINTS = {Expect.DIGITS: asr_api.Expect.DIGITS, Expect.YES_NO: asr_api.Expect.YES_NO}


@dataclass(slots=True)
class Speech:
    """An utterance being heard. Loop times in seconds; `ended` is set before the final text is there."""

    utterance: Utterance
    over_bot: bool
    started: float
    level_db: float | None = None
    voiced_ms: int = 0
    last_speech: float = 0.0
    endpoint: float = 0.0
    recognised: float = 0.0
    ended: bool = False
    result: Recognised | None = None
    reading: asyncio.Task[AcousticReading | None] | None = None

    @property
    def text(self) -> str:
        """What was recognised so far, or in the end."""
        return self.result.text if self.result is not None else self.utterance.text


class EarsListener(Protocol):
    """Called on the event loop, in order; must return at once."""

    def speech_started(self, speech: Speech) -> None:
        """The caller began to speak."""
        ...

    def speech_goes_on(self, speech: Speech) -> None:
        """More speech, or another partial text."""
        ...

    def speech_paused(self, speech: Speech) -> None:
        """A pause that may be the end."""
        ...

    def speech_ended(self, speech: Speech) -> None:
        """It is over and `speech.result` is there."""
        ...


class Ears:
    """Runs until the line is dead. `tasks` owns what it starts."""

    def __init__(
        self,
        port: AudioPort,
        vad: VadStream,
        asr: AsrEngine,
        speaker: Speaker,
        rules: EndpointRules,
        listener: EarsListener,
        tasks: TaskSet,
        phrases: tuple[str, ...] = (),
    ) -> None:
        self._port, self._vad, self._asr, self._speaker = port, vad, asr, speaker
        self._listener, self._tasks, self._phrases = listener, tasks, phrases
        self._endpointer = Endpointer(rules)
        self._echo = EchoGate(port.sample_rate)
        self._before: deque[Pcm] = deque(maxlen=_BEFORE_SPEECH)
        self._expectation = Expectation()
        self._now_ms = 0
        self._finishing: Speech | None = None
        self._queue: asyncio.Queue[Speech] = asyncio.Queue(8)
        self._usual_db: float | None = None
        self.speech: Speech | None = None
        self.muted = False
        self.last_frame = asyncio.get_running_loop().time()

    @property
    def busy(self) -> bool:
        """The caller speaks, or the final text of what was said is still to come."""
        return self.speech is not None or self._finishing is not None or not self._queue.empty()

    @property
    def echoes(self) -> bool:
        """The line returned the bot's own voice at least once."""
        return self._echo.coupling_db is not None

    def expect(self, expectation: Expectation) -> None:
        """What the dialog waits for: patience of the endpointer, bias of the recogniser."""
        self._expectation = expectation
        self._endpointer.expect(expectation)

    def mute(self) -> None:
        """Hear nothing until `unmute` (hold, transfer); an open utterance is dropped."""
        self.muted = True
        self._endpointer.reset()
        if self.speech is not None:
            self._tasks.spawn(self.speech.utterance.aclose(), name="drop utterance")
            self.speech = None

    def unmute(self) -> None:
        """Listen again."""
        self.muted = False
        self._vad.reset()
        self._before.clear()

    async def run(self) -> None:
        """Hear until the frames end."""
        self._tasks.spawn(self._finish_all(), name="final texts")
        async for frame in self._port.frames():
            self.last_frame = asyncio.get_running_loop().time()
            if not self.muted:
                self._hear(frame)

    async def cut(self) -> None:
        """End an open utterance now, and wait until every text is there and reported."""
        speech, self.speech = self.speech, None
        self._endpointer.reset()
        if speech is not None:
            self._queue.put_nowait(speech)
        await self._queue.join()

    async def aclose(self) -> None:
        """Drop what was not finished; may be called twice."""
        left = [speech for speech in (self.speech, self._finishing) if speech is not None]
        while not self._queue.empty():
            left.append(self._queue.get_nowait())
        self.speech = self._finishing = None
        for speech in left:
            await speech.utterance.aclose()

    def _hear(self, frame: Pcm) -> None:
        self._now_ms += FRAME_MS
        self._echo.push(frame, self._speaker.take_sent())
        if self.speech is not None:
            self.speech.utterance.push(frame)
        self._before.append(frame)
        events: list[SpeechEvent] = []
        for probability in self._vad.push(frame):
            if probability >= 0.2 and self._echo.is_echo():
                probability = 0.0
            events += self._endpointer.push(self._now_ms, probability, WINDOW_MS)
        for event in events or self._endpointer.tick(self._now_ms):
            self._apply(event)
        if self.speech is not None and self._endpointer.voiced_ms > self.speech.voiced_ms:
            self.speech.voiced_ms = self._endpointer.voiced_ms
            self.speech.level_db = self._relative_level()
            self._listener.speech_goes_on(self.speech)

    def _apply(self, event: SpeechEvent) -> None:
        match event:
            case SpeechStarted():
                self._open(event)
            case SpeechPaused() if self.speech is not None:
                self.speech.utterance.pause()
                self._listener.speech_paused(self.speech)
            case SpeechResumed() if self.speech is not None:
                self.speech.utterance.resume()
            case SpeechEnded() if self.speech is not None:
                self._close(event, self.speech)

    def _open(self, event: SpeechStarted) -> None:
        hint = DecodingHint(_HINTS.get(self._expectation.kind, asr_api.Expect.FREE), self._phrases)
        utterance = Utterance(self._asr, hint, self._port.sample_rate, self._recognised)
        for frame in self._before:
            utterance.push(frame)
        self.speech = Speech(
            utterance,
            over_bot=self._speaker.active,
            started=self._loop_time(event.at_ms),
            level_db=self._relative_level(),
            voiced_ms=self._endpointer.voiced_ms,
        )
        self._listener.speech_started(self.speech)

    def _close(self, event: SpeechEnded, speech: Speech) -> None:
        self.speech = None
        speech.voiced_ms = event.voiced_ms
        speech.last_speech, speech.endpoint = self._loop_time(event.speech_ms), self._loop_time(event.at_ms)
        speech.ended = True
        if not speech.over_bot:
            self._learn_level(speech)
        try:
            self._queue.put_nowait(speech)
        except asyncio.QueueFull:
            log.warning("utterance_dropped")
            self._tasks.spawn(speech.utterance.aclose(), name="drop utterance")

    async def _finish_all(self) -> None:
        while True:
            speech = self._finishing = await self._queue.get()
            await self._finish(speech)
            self._finishing = None
            self._listener.speech_ended(speech)
            self._queue.task_done()

    async def _finish(self, speech: Speech) -> None:
        speech.ended = True
        try:
            async with asyncio.timeout(_FINAL_S):
                speech.result = await speech.utterance.finish()
        except TimeoutError:
            speech.result = Recognised("", 0.0, "timed_out")
        finally:
            await speech.utterance.aclose()
        speech.recognised = asyncio.get_running_loop().time()

    def _recognised(self, utterance: Utterance) -> None:
        if self.speech is not None and self.speech.utterance is utterance:
            self._endpointer.text(utterance.text)
            self._listener.speech_goes_on(self.speech)

    def _relative_level(self) -> float | None:
        if self._usual_db is None:
            return None
        return max(dbfs(frame) for frame in list(self._before)[-_LEVEL_FRAMES:]) - self._usual_db

    def _learn_level(self, speech: Speech) -> None:
        """The level of this caller's speech: its loud frames, smoothed over utterances."""
        levels = sorted(dbfs(frame) for frame in speech.utterance.frames)
        loud = levels[int(len(levels) * 0.8)] if levels else None
        if loud is not None:
            known = self._usual_db
            self._usual_db = loud if known is None else (1 - _LEVEL_LEARN) * known + _LEVEL_LEARN * loud

    def _loop_time(self, at_ms: int) -> float:
        return self.last_frame - (self._now_ms - at_ms) / 1000
