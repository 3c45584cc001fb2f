"""Scripted engines: a detector that hears loudness, a recogniser that hears what `FakeLine` said, a voice of noise."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import AsyncIterator, Mapping

import numpy as np

from common.audio import Pcm, dbfs
from common.errors import HotlineError
from emotion.api import (
    AcousticBaseline,
    AcousticFeatures,
    AcousticReading,
    AssessRequest,
    EmotionReading,
    HearRequest,
    HearResult,
)
from voice_gateway.asr.api import FREE, AsrError, Capabilities, DecodingHint, Expect, Samples, Transcript
from voice_gateway.tts.api import AudioChunk, Speech, TtsCapabilities
from voice_gateway.vad.api import WINDOW_MS

_FEATURES = AcousticFeatures(-20.0, 180.0, 3.0, 4.0, 5.0, 1.0)


class FakeVad:
    """`VadEngine`: a window louder than `threshold_db` is speech."""

    def __init__(self, threshold_db: float = -45.0) -> None:
        self._threshold = threshold_db

    def stream(self, sample_rate: int) -> FakeVadStream:
        return FakeVadStream(sample_rate * WINDOW_MS // 1000, self._threshold)


class FakeVadStream:
    """`VadStream`."""

    def __init__(self, window: int, threshold_db: float) -> None:
        self._window, self._threshold = window, threshold_db
        self._rest: Pcm = np.zeros(0, np.int16)

    def push(self, frame: Pcm) -> list[float]:
        self._rest = np.concatenate((self._rest, frame))
        found = []
        while len(self._rest) >= self._window:
            found.append(0.95 if dbfs(self._rest[: self._window]) > self._threshold else 0.02)
            self._rest = self._rest[self._window :]
        return found

    def reset(self) -> None:
        self._rest = np.zeros(0, np.int16)


class FakeAsr:
    """`AsrEngine`: knows frames by `spoken` (see FakeLine). `fail` makes the next streams raise it."""

    def __init__(
        self, spoken: Mapping[bytes, str], *, partials: bool = True, final_s: float = 0.04, partial_s: float = 0.2
    ) -> None:
        self._spoken = spoken
        self._final_s, self._partial_s = final_s, partial_s
        self.capabilities = Capabilities(
            "fake", ("zh",), (8000,), 8000, partials, False, False, True, frozenset(Expect), False
        )
        self.fail: AsrError | None = None
        self.hints: list[DecodingHint] = []
        self.open = 0

    async def stream(self, hint: DecodingHint = FREE, *, sample_rate: int = 8000) -> FakeAsrStream:
        if self.fail is not None:
            raise self.fail
        self.hints.append(hint)
        self.open += 1
        return FakeAsrStream(self, self._spoken, self._final_s, self._partial_s)

    async def aclose(self) -> None:
        """Nothing to free."""


class FakeAsrStream:
    """`AsrStream`: partials come `partial_s` after the character, the final `final_s` after the flush."""

    def __init__(self, engine: FakeAsr, spoken: Mapping[bytes, str], final_s: float, partial_s: float) -> None:
        self._engine, self._spoken, self._final_s, self._partial_s = engine, spoken, final_s, partial_s
        self._text = ""
        self._out: asyncio.Queue[Transcript | None] = asyncio.Queue(256)
        self._closed = False

    async def push(self, frames: Samples) -> None:
        char = self._spoken.get(frames.tobytes(), "")
        if char:
            self._text += char
            if self._engine.capabilities.partials:
                partial = Transcript(self._text, final=False, confidence=0.5)
                asyncio.get_running_loop().call_later(self._partial_s, self._put, partial)

    def _put(self, transcript: Transcript) -> None:
        if not self._closed:
            self._out.put_nowait(transcript)

    async def flush(self) -> Transcript:
        await asyncio.sleep(self._final_s)
        final = Transcript(self._text, final=True, confidence=0.9)
        self._put(final)
        return final

    async def __aiter__(self) -> AsyncIterator[Transcript]:
        while (transcript := await self._out.get()) is not None:
            yield transcript
            if transcript.final:
                return

    async def aclose(self) -> None:
        if not self._closed:
            self._closed = True
            self._engine.open -= 1
            self._out.put_nowait(None)


class FakeTts:
    """`TtsEngine`: every character is `char_ms` of noise of its own; clauses end at punctuation."""

    def __init__(self, *, char_ms: int = 150, first_s: float = 0.05) -> None:
        self._char_ms, self._first_s = char_ms, first_s
        self.capabilities = TtsCapabilities("fake", "1", ("zf",), ("zh",), 8000)
        self.fail: HotlineError | None = None
        self.said: list[Speech] = []
        self.running = 0

    async def stream(self, speech: Speech) -> AsyncIterator[AudioChunk]:
        self.said.append(speech)
        self.running += 1
        try:
            await asyncio.sleep(self._first_s)
            if self.fail is not None:
                raise self.fail
            for clause in _clauses(speech.text):
                yield AudioChunk(self._noise(clause), 8000, clause)
        finally:
            self.running -= 1

    def _noise(self, clause: str) -> Pcm:
        rng = np.random.default_rng(zlib.crc32(clause.encode()))
        return (rng.standard_normal(len(clause) * self._char_ms * 8) * 2000).clip(-32768, 32767).astype(np.int16)

    async def aclose(self) -> None:
        """Nothing to free."""


def _clauses(text: str) -> list[str]:
    found, current = [], ""
    for char in text:
        current += char
        if char in "，。！？；":
            found.append(current)
            current = ""
    return [*found, current] if current else found


class FakeEmotion:
    """`EmotionService`: takes `takes_s` and always hears the same."""

    def __init__(self, takes_s: float = 0.03) -> None:
        self._takes_s = takes_s
        self.heard: list[HearRequest] = []

    async def hear(self, request: HearRequest) -> HearResult:
        self.heard.append(request)
        await asyncio.sleep(self._takes_s)
        return HearResult(AcousticReading(0.4, 0.8, _FEATURES), AcousticBaseline(_FEATURES, _FEATURES, 1.0))

    async def assess(self, request: AssessRequest) -> EmotionReading:
        raise NotImplementedError

    async def aclose(self) -> None:
        """Nothing to free."""
