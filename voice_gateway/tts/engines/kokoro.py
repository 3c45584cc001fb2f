"""Kokoro as a `TtsEngine`: the text as units, each unit as windows of speech, the first audio after about half a second
of computing and the rest ahead of playback.

One engine serves all calls: a pool of threads takes the most urgent window of any call first (`scheduler`), each text
computes at most a few windows ahead of its reader, and closing the iterator ends its work within one node of the graph.
Not in here: what is said for numbers (`text`), phonemes, other sample rates, fallback, cache.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from functools import partial
from importlib.metadata import version
from typing import Any

import numpy as np

from common.audio import Pcm
from common.errors import BadInput, HotlineError, Overloaded, Unavailable
from voice_gateway.tts import metrics
from voice_gateway.tts.api import AudioChunk, Speech, TtsCapabilities
from voice_gateway.tts.clauses import Unit, units
from voice_gateway.tts.kokoro_model import FRAME, MAX_TOKENS, SAMPLE_RATE, Floats, Frames, KokoroModel
from voice_gateway.tts.loudness import Leveller
from voice_gateway.tts.phonemes import Phonemizer, Tokens
from voice_gateway.tts.scheduler import DeadlinePool, background, now
from voice_gateway.tts.windows import FIRST, LARGEST, windows

REVISION = "4"
"""Raise it whenever this code changes the sound: it is part of the capabilities' version, and so of the cache key."""

_AHEAD = 2  # chunks computed and not yet read
_CROSSFADE = 240  # samples
_SAID_AFTER = 3  # frames
_QUIET = 0.004  # amplitude below which the edges of a unit are trimmed
_KEEP_BEFORE, _KEEP_AFTER = 480, 1200  # samples of quiet that stay
_PAUSES = {"，": 0.16, ",": 0.16, "、": 0.1, "；": 0.22, ";": 0.22, "：": 0.2, ":": 0.2, "": 0.04}
_SENTENCE_PAUSE = 0.32

LEVELS_DB = {
    "zf_xiaobei": -20.6,
    "zf_xiaoni": -19.2,
    "zf_xiaoxiao": -16.4,
    "zf_xiaoyi": -19.7,
    "zm_yunjian": -21.6,
    "zm_yunxi": -22.0,
    "zm_yunxia": -21.0,
    "zm_yunyang": -24.3,
}
"""Level that each voice comes out at, measured by bench/tts.py --levels."""
_USUAL_DB = -20.0


class KokoroEngine:
    """See `TtsEngine`. Loads in about a second; `voice` is the default one and may be a blend."""

    def __init__(
        self,
        model: KokoroModel,
        *,
        voice: str,
        level_dbfs: float = -21.0,
        workers: int = 2,
        max_streams: int = 6,
        max_waiting: int = 64,
    ) -> None:
        self._model, self._voice, self._level = model, voice, level_dbfs
        self._pool = DeadlinePool(workers, waiting=max_waiting, name="kokoro")
        self._phonemizer = Phonemizer()
        self._limit, self._active = max_streams, 0
        self._closed = False
        model.styles(voice)
        self._capabilities = TtsCapabilities(
            name="kokoro",
            version=f"82m-int8.{REVISION}.{version('misaki')}.{level_dbfs:g}",
            voices=model.voices,
            languages=("zh", "en"),
            sample_rate=SAMPLE_RATE,
        )

    @property
    def capabilities(self) -> TtsCapabilities:
        """Voices by name; blends such as "zf_xiaoni:0.7+zm_yunxi:0.3" are accepted too."""
        return self._capabilities

    def warm_up(self) -> None:
        """Load the dictionaries and run the model once, so that the first call does not pay for it. Blocks ~2 s."""
        tokens = self._phonemizer.tokens(units("您好，OK。")[0].pieces)
        frames = self._model.frames(tokens.ids, self._voice, 1.0)
        self._model.audio(frames, frames.first, frames.last)

    async def stream(self, speech: Speech) -> AsyncIterator[AudioChunk]:
        """See `TtsEngine`. Chunks are parts of a clause to a clause long; each says which characters it holds."""
        voice = speech.voice or self._voice
        if not 0.5 <= speech.speed <= 2.0:
            raise BadInput(f"speed {speech.speed:g} is out of range; 0.5 to 2.0 is possible")
        self._model.styles(voice)
        if self._closed:
            raise Unavailable("speech synthesis was closed")
        if self._active >= self._limit and not background.get():
            raise Overloaded(f"{self._active} texts are being spoken; try again later", retry_after_s=1)
        self._active += 1
        metrics.STREAMS.labels("kokoro").inc()
        ready: asyncio.Queue[AudioChunk | None] = asyncio.Queue(_AHEAD)
        work = asyncio.create_task(self._speak(speech, voice, ready), name="kokoro-speak")
        try:
            while (chunk := await self._next(ready, work)) is not None:
                yield chunk
        finally:
            self._active -= 1
            metrics.STREAMS.labels("kokoro").dec()
            work.cancel()
            with suppress(asyncio.CancelledError, Exception):
                await work

    @staticmethod
    async def _next(ready: asyncio.Queue[AudioChunk | None], work: asyncio.Task[None]) -> AudioChunk | None:
        if ready.empty():
            get = asyncio.ensure_future(ready.get())
            try:
                await asyncio.wait((get, work), return_when=asyncio.FIRST_COMPLETED)
                if get.done():
                    return get.result()
            finally:
                get.cancel()
            if ready.empty():
                work.result()
                return None
        return ready.get_nowait()

    async def _speak(self, speech: Speech, voice: str, ready: asyncio.Queue[AudioChunk | None]) -> None:
        """All units of one text, into `ready`."""
        begun = now()
        said = _Said(begun, Leveller(self._level, _known_level(voice)))
        try:
            for unit in units(speech.text):
                async for chunk in self._unit(unit, voice, speech.speed, said):
                    if said.seconds == 0:
                        metrics.FIRST_AUDIO.labels("kokoro").observe(now() - begun)
                    said.add(len(chunk.pcm) / SAMPLE_RATE)
                    await ready.put(chunk)
        except (HotlineError, asyncio.CancelledError):
            raise
        except Exception as error:
            raise Unavailable(f"Kokoro failed: {error}") from error
        await ready.put(None)

    async def _unit(self, unit: Unit, voice: str, speed: float, said: _Said) -> AsyncIterator[AudioChunk]:
        for part in self._fitting(unit):
            run = self._model.new_run()
            tokens = await self._pool.run(partial(self._phonemizer.tokens, part.pieces), deadline=said.deadline)
            if not tokens.ids:
                yield AudioChunk(np.zeros(0, np.int16), SAMPLE_RATE, part.written)
                continue
            frames = await self._pool.run(
                partial(self._model.frames, tokens.ids, voice, speed, run),
                deadline=said.deadline,
                stop=partial(_terminate, run),
            )
            async for chunk in self._windows(part, tokens, frames, said):
                yield chunk

    def _fitting(self, unit: Unit) -> tuple[Unit, ...]:
        """A unit that is too long for the model, halved until it fits (six tokens a piece is ample)."""
        if len(unit.spoken) * 6 <= MAX_TOKENS or len(unit.pieces) == 1:
            return (unit,)
        half = len(unit.pieces) // 2
        return (*self._fitting(Unit(unit.pieces[:half])), *self._fitting(Unit(unit.pieces[half:])))

    async def _windows(self, unit: Unit, tokens: Tokens, frames: Frames, said: _Said) -> AsyncIterator[AudioChunk]:
        if background.get():  # nobody waits: the vocoder normalises over what it is given, so whole sounds best
            cut: tuple[tuple[int, int], ...] = ((frames.first, frames.last),)
        else:
            cut = windows(frames.first, frames.last, frames.loudness, FIRST if said.seconds == 0 else LARGEST)
        kept: Floats = np.zeros(0, np.float32)  # the tail of the window before, to be faded into this one
        told = 0
        for number, (start, end) in enumerate(cut):
            last = number == len(cut) - 1
            run = self._model.new_run()
            tail = 0 if last else _CROSSFADE
            began = time.perf_counter()
            audio = await self._pool.run(
                partial(self._model.audio, frames, start, end, tail, run),
                deadline=said.deadline,
                stop=partial(_terminate, run),
            )
            metrics.REAL_TIME_FACTOR.observe(
                (time.perf_counter() - began) / max(0.1, (end - start) * FRAME / SAMPLE_RATE)
            )
            audio, kept = _faded(kept, audio, tail)
            audio = _trimmed(audio, start=number == 0, end=last)
            audio = said.leveller.level(audio)
            if last:
                told_to = len(unit.pieces)
                audio = np.concatenate([audio, np.zeros(_pause(unit), np.float32)])
            else:
                told_to = _pieces_until(tokens, frames, end)
            text = "".join(piece.written for piece in unit.pieces[told:told_to])
            told = max(told, told_to)
            metrics.AUDIO.labels("kokoro").inc(len(audio) / SAMPLE_RATE)
            yield AudioChunk(_int16(audio), SAMPLE_RATE, text)

    async def aclose(self) -> None:
        """See `TtsEngine`."""
        self._closed = True
        await self._pool.aclose()


class _Said:
    """How far one text has come."""

    def __init__(self, begun: float, leveller: Leveller) -> None:
        self._begun, self.leveller, self.seconds = begun, leveller, 0.0

    @property
    def deadline(self) -> float:
        """When the next audio is needed: at once, or when what is ready has been played."""
        return self._begun + self.seconds

    def add(self, seconds: float) -> None:
        if not self.seconds:
            self._begun = now()
        self.seconds += seconds


def _known_level(voice: str) -> float:
    from voice_gateway.tts.kokoro_model import parse_blend

    return sum(LEVELS_DB.get(name, _USUAL_DB) * weight for name, weight in parse_blend(voice))


def _terminate(run: Any) -> None:
    run.terminate = True


def _pieces_until(tokens: Tokens, frames: Frames, end: int) -> int:
    """How many pieces of the unit have been said when frame `end` is reached.

    A token's last frames are often the pause after it, so it counts as said soon after it begins.
    """
    begins = np.concatenate([frames.ends[:1] * 0, frames.ends[:-1]])
    done = int(np.searchsorted(np.minimum(frames.ends, begins + _SAID_AFTER), end, side="right"))
    return tokens.piece[done] if done < len(tokens.piece) else tokens.piece[-1]


def _faded(before: Floats, audio: Floats, tail: int) -> tuple[Floats, Floats]:
    """Fade the kept tail of the window before into `audio`; returns the audio and its own tail."""
    kept = audio[len(audio) - tail :] if tail else audio[:0]
    body = audio[: len(audio) - tail].copy()
    count = min(len(before), len(body))
    if count:
        rise = np.linspace(0, 1, count, dtype=np.float32)
        body[:count] = body[:count] * rise + before[:count] * (1 - rise)
    return body, kept


def _trimmed(audio: Floats, *, start: bool, end: bool) -> Floats:
    """Without the quiet at the edges of a unit, save a little."""
    loud = np.flatnonzero(np.abs(audio) > _QUIET)
    if not len(loud):
        return audio
    low = max(0, int(loud[0]) - _KEEP_BEFORE) if start else 0
    high = min(len(audio), int(loud[-1]) + _KEEP_AFTER) if end else len(audio)
    return audio[low:high]


def _pause(unit: Unit) -> int:
    """Samples of silence after a unit, by its last mark."""
    mark = unit.mark
    return round(_PAUSES.get(mark, _SENTENCE_PAUSE) * SAMPLE_RATE)


def _int16(audio: Floats) -> Pcm:
    return np.clip(np.rint(audio * 32767), -32768, 32767).astype(np.int16)
