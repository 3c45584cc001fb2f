"""Endpointing: when did the caller begin to speak, pause and end? Pure; audio time (ms) is an argument.

The detector's probability opens speech at `onset` and keeps it open above `offset`. How long a silence ends the
utterance depends on what the dialog waits for and on the words so far:

    yes/no, or a complete short answer (是的, 转人工)      complete_ms
    a sentence that sounds finished (…吗, …了)             finished_ms
    otherwise                                              default_ms   (never above 500)
    a number: all digits are there                         complete_ms
              some are missing                             number_ms
    an address: until it ends in 号, 室, 楼, …             address_ms

`SpeechPaused` comes after `pause_ms` of silence, well before the decision, so that final recognition can start early; a
`SpeechResumed` takes it back. After `SpeechEnded` (silence, or `max_utterance_ms`) the next speech is a new utterance.

Compare: Home Assistant `assist_pipeline/vad.py`, livekit agents `voice/audio_recognition.py` (both wait a fixed time).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from dialog.api import Expect, Expectation
from voice_gateway import phrases


@dataclass(frozen=True, slots=True)
class EndpointRules:
    """Probabilities 0 … 1, times in milliseconds of audio."""

    onset: float = 0.6
    offset: float = 0.35
    pause_ms: int = 140
    complete_ms: int = 200
    finished_ms: int = 260
    default_ms: int = 360
    unfinished_ms: int = 500
    number_ms: int = 1600
    address_ms: int = 1100
    max_utterance_ms: int = 30_000


class EndReason(StrEnum):
    """Why an utterance ended."""

    SILENCE = "silence"
    TOO_LONG = "too_long"


@dataclass(frozen=True, slots=True)
class SpeechStarted:
    """The caller began to speak at `at_ms`."""

    at_ms: int


@dataclass(frozen=True, slots=True)
class SpeechPaused:
    """Silent for `pause_ms`; the last speech was at `speech_ms`."""

    speech_ms: int


@dataclass(frozen=True, slots=True)
class SpeechResumed:
    """The pause was none."""

    at_ms: int


@dataclass(frozen=True, slots=True)
class SpeechEnded:
    """The utterance is over. `voiced_ms` is how much of it was speech, `speech_ms` when the last speech was."""

    started_ms: int
    speech_ms: int
    at_ms: int
    voiced_ms: int
    reason: EndReason


SpeechEvent = SpeechStarted | SpeechPaused | SpeechResumed | SpeechEnded


def silence_needed(rules: EndpointRules, expectation: Expectation, text: str) -> int:
    """Milliseconds of silence that end an utterance of which `text` was heard so far."""
    match expectation.kind:
        case Expect.DIGITS if _number_is_whole(expectation, text):
            return rules.complete_ms
        case Expect.DIGITS if phrases.ends_in_digits(text):
            return rules.number_ms
        case Expect.ADDRESS if text and not phrases.is_complete_answer(text):
            return rules.default_ms if phrases.ends_address(text) else rules.address_ms
        case Expect.YES_NO if phrases.is_affirmative(text) and text:
            return rules.complete_ms
    if phrases.is_complete_answer(text):
        return rules.complete_ms
    if phrases.sounds_unfinished(text):
        return rules.unfinished_ms
    return rules.finished_ms if phrases.sounds_finished(text) else rules.default_ms


def _number_is_whole(expectation: Expectation, text: str) -> bool:
    return 0 < expectation.digits <= phrases.count_digits(text)


class Endpointer:
    """One call's detector state: feed probabilities and partial texts, get speech events."""

    def __init__(self, rules: EndpointRules) -> None:
        self._rules = rules
        self._expectation = Expectation()
        self._text = ""
        self._started: int | None = None
        self._last_speech = 0
        self._voiced = 0
        self._paused = False

    @property
    def voiced_ms(self) -> int:
        """Speech in the open utterance."""
        return self._voiced

    def expect(self, expectation: Expectation) -> None:
        """What the dialog waits for."""
        self._expectation = expectation

    def text(self, text: str) -> None:
        """What was recognised of the open utterance so far."""
        self._text = text

    def reset(self) -> None:
        """Forget an open utterance (hold, muted)."""
        self._started, self._voiced, self._paused, self._text = None, 0, False, ""

    def push(self, at_ms: int, probability: float, window_ms: int) -> list[SpeechEvent]:
        """One detector result: the speech probability of the window that ends at `at_ms`."""
        if self._started is None:
            return self._wait(at_ms, probability, window_ms)
        events: list[SpeechEvent] = []
        if probability >= self._rules.offset:
            if self._paused:
                self._paused = False
                events.append(SpeechResumed(at_ms))
            self._last_speech = at_ms
            self._voiced += window_ms
        return events + self.tick(at_ms)

    def _wait(self, at_ms: int, probability: float, window_ms: int) -> list[SpeechEvent]:
        if probability < self._rules.onset:
            return []
        self._started, self._last_speech, self._voiced = at_ms - window_ms, at_ms, window_ms
        return [SpeechStarted(self._started)]

    def tick(self, at_ms: int) -> list[SpeechEvent]:
        """Time passed; call it with every frame."""
        if self._started is None:
            return []
        silent = at_ms - self._last_speech
        if at_ms - self._started >= self._rules.max_utterance_ms:
            return [self._end(at_ms, EndReason.TOO_LONG)]
        if silent >= silence_needed(self._rules, self._expectation, self._text):
            return [self._end(at_ms, EndReason.SILENCE)]
        if silent >= self._rules.pause_ms and not self._paused:
            self._paused = True
            return [SpeechPaused(self._last_speech)]
        return []

    def _end(self, at_ms: int, reason: EndReason) -> SpeechEnded:
        assert self._started is not None
        ended = SpeechEnded(self._started, self._last_speech, at_ms, self._voiced, reason)
        self.reset()
        return ended
