"""The bot's mouth on one call: texts in, paced frames out, and exactly what of them was played.

One reply at a time: `begin`, `say`…, `finish` (waits until all was played) or `stop` (silence at once). `hold` takes
back what the port has not sent yet and `release` goes on from that very sample. At most `LEAD_MS` wait inside the port,
so a stop is heard at once and the port's own bound is never reached.

Synthesis runs ahead of playback by a few clauses. What the engine cannot say is counted in `errors` and replaced, once
a reply, by the `fallback` prompt: never dead air.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

import numpy as np

from common.audio import Pcm, frames, resample
from common.errors import HotlineError
from common.telemetry import get_logger
from voice_gateway import metrics
from voice_gateway.api import FRAME_MS, AudioPort
from voice_gateway.streams import closing
from voice_gateway.tts.api import AudioChunk, Speech, TtsEngine

log = get_logger(__name__)

LEAD_MS = 100
_RECENT = 64  # frames that a hold can take back
_AUDIBLE = 300  # int16 amplitude below which the start of a reply is trimmed
_KEEP_MS = 20
_CLAUSES_AHEAD = 4
_TEXTS_AHEAD = 64

Prompts = dict[tuple[str, str], tuple[AudioChunk, ...]]


class Hold(Enum):
    """Why playback is held: the caller speaks, or the far end put the call on hold."""

    CALLER = "caller"
    LINE = "line"


@dataclass(frozen=True, slots=True)
class _Span:
    """`text` is said between these milliseconds of the reply's audio."""

    start_ms: int
    end_ms: int
    text: str


@dataclass(slots=True)
class _Clause:
    frames: list[Pcm]
    text: str


class Speaker:
    """Plays replies on `port`; `prompts` are rendered already, by (voice, text), `fallback` among them."""

    def __init__(self, port: AudioPort, tts: TtsEngine, prompts: Prompts, *, fallback: str = "") -> None:
        self._port, self._tts, self._prompts, self._fallback = port, tts, prompts, fallback
        self._accepted_ms = port.played_ms  # of all audio that was or will be played
        self._recent: deque[Pcm] = deque(maxlen=_RECENT)
        self._reference: deque[Pcm] = deque(maxlen=_RECENT)
        self._referenced_ms = port.played_ms
        self._gate = asyncio.Event()
        self._gate.set()
        self._holds: set[Hold] = set()
        self._tasks: tuple[asyncio.Task[None], ...] = ()
        self._reset()

    def _reset(self) -> None:
        self._texts: asyncio.Queue[tuple[Speech, bool] | None] = asyncio.Queue(_TEXTS_AHEAD)
        self._clauses: asyncio.Queue[_Clause | None] = asyncio.Queue(_CLAUSES_AHEAD)
        self._ahead: deque[Pcm] = deque()
        self._spans: list[_Span] = []
        self._base_ms = self._accepted_ms = max(self._accepted_ms, self._port.played_ms)
        self._spoken_ms = 0  # of the reply, put into _ahead so far
        self._trimmed = False
        self.errors = 0
        self.on_first_audio: Callable[[], None] | None = None

    @property
    def active(self) -> bool:
        """A reply was begun and neither finished nor stopped."""
        return bool(self._tasks)

    @property
    def audible(self) -> bool:
        """The caller hears the bot at this moment, or is about to within LEAD_MS."""
        return self._accepted_ms > self._port.played_ms

    @property
    def held(self) -> bool:
        """Playback is held."""
        return not self._gate.is_set()

    @property
    def played_ms(self) -> int:
        """Milliseconds of this reply really played."""
        return max(0, min(self._port.played_ms, self._accepted_ms) - self._base_ms)

    @property
    def remaining_ms(self) -> int:
        """Milliseconds synthesised but not played yet."""
        return max(0, self._spoken_ms - self.played_ms)

    @property
    def heard(self) -> str:
        """The part of the reply's text that was really played, to the character as far as clauses tell."""
        played, text = self.played_ms, ""
        for span in self._spans:
            share = (played - span.start_ms) / max(1, span.end_ms - span.start_ms)
            text += span.text if share >= 1 else span.text[: max(0, round(share * len(span.text)))]
        return text

    def begin(self) -> None:
        """Start a reply; nothing may be active."""
        assert not self._tasks
        self._reset()
        self._tasks = (
            asyncio.create_task(self._synthesise(), name="synthesise"),
            asyncio.create_task(self._play(), name="play"),
        )

    async def say(self, text: str, *, voice: str = "", fixed: bool = False, aside: bool = False) -> None:
        """Say `text` after what was given before. `aside` is not part of the reply's text (请稍等)."""
        await self._texts.put((Speech(text, voice=voice, fixed=fixed), aside))

    async def finish(self) -> None:
        """Nothing more to say: wait until all of it was played."""
        await self._texts.put(None)
        await asyncio.gather(*self._tasks)
        self._tasks = ()
        await self._port.drain()

    def hold(self, why: Hold = Hold.CALLER) -> None:
        """Silence now; what was queued is kept until `release` was called for each `why`."""
        self._holds.add(why)
        if self._gate.is_set():
            self._gate.clear()
            self._take_back()

    def release(self, why: Hold = Hold.CALLER) -> None:
        """Go on from where `hold` cut."""
        self._holds.discard(why)
        if not self._holds:
            self._gate.set()

    async def stop(self) -> None:
        """Silence now and for good; may be called at any time."""
        self.hold()
        tasks, self._tasks = self._tasks, ()
        for task in tasks:
            task.cancel()
        for error in await asyncio.gather(*tasks, return_exceptions=True):
            if isinstance(error, Exception):
                log.info("playback_ended", exc_info=error)
        self._ahead.clear()
        self.release()

    def take_sent(self) -> list[Pcm]:
        """The frames that the port sent since the last call, for the echo gate."""
        sent: list[Pcm] = []
        while self._reference and self._referenced_ms + FRAME_MS <= self._port.played_ms:
            sent.append(self._reference.popleft())
            self._referenced_ms += FRAME_MS
        return sent

    def _take_back(self) -> None:
        count = -(-self._port.clear() // FRAME_MS)
        for _ in range(min(count, len(self._recent))):
            self._ahead.appendleft(self._recent.pop())
            if self._reference:
                self._reference.pop()
        self._accepted_ms -= count * FRAME_MS

    async def _synthesise(self) -> None:
        while (item := await self._texts.get()) is not None:
            speech, aside = item
            try:
                await self._render(speech, aside)
            except Exception as error:
                await self._failed(error, speech)
        await self._clauses.put(None)

    async def _failed(self, error: Exception, speech: Speech) -> None:
        code = error.code if isinstance(error, HotlineError) else "internal"
        log.warning("synthesis_failed", code=code, exc_info=error)
        metrics.FAILURES.labels("tts", code).inc()
        self.errors += 1
        for chunk in self._prompts.get((speech.voice, self._fallback), ()) if self.errors == 1 else ():
            await self._put(chunk, aside=True)

    async def _render(self, speech: Speech, aside: bool) -> None:
        ready = self._prompts.get((speech.voice, speech.text))
        if ready is not None:
            for chunk in ready:
                await self._put(chunk, aside)
            return
        async with closing(self._tts.stream(speech)) as chunks:
            async for chunk in chunks:
                await self._put(chunk, aside)

    async def _put(self, chunk: AudioChunk, aside: bool) -> None:
        pcm = resample(chunk.pcm, chunk.sample_rate, self._port.sample_rate)
        if not self._trimmed:
            pcm = _without_lead(pcm, self._port.sample_rate)
            self._trimmed = len(pcm) > 0
        cut = list(frames(pcm, self._port.sample_rate * FRAME_MS // 1000))
        await self._clauses.put(_Clause(cut, "" if aside else chunk.text))

    async def _play(self) -> None:
        while (clause := await self._clauses.get()) is not None:
            length = len(clause.frames) * FRAME_MS
            self._spans.append(_Span(self._spoken_ms, self._spoken_ms + length, clause.text))
            self._spoken_ms += length
            self._ahead.extend(clause.frames)
            while self._ahead:
                await self._gate.wait()
                waiting = self._accepted_ms - self._port.played_ms
                if waiting >= LEAD_MS:
                    await asyncio.sleep((waiting - LEAD_MS + FRAME_MS) / 1000)
                    continue
                await self._write(self._ahead.popleft())

    async def _write(self, frame: Pcm) -> None:
        if self._accepted_ms <= self._port.played_ms:  # after a silence the reference starts afresh
            self._reference.clear()
            self._referenced_ms = self._port.played_ms
        await self._port.write(frame)
        self._accepted_ms += FRAME_MS
        self._recent.append(frame)
        self._reference.append(frame)
        if self.on_first_audio is not None:
            self.on_first_audio()
            self.on_first_audio = None
        if self.held:
            self._take_back()


def _without_lead(pcm: Pcm, rate: int) -> Pcm:
    """`pcm` without the silence it begins with, save KEEP_MS."""
    loud = np.flatnonzero(np.abs(pcm.astype(np.int32)) > _AUDIBLE)
    if not len(loud):
        return pcm[:0]
    return pcm[max(0, int(loud[0]) - rate * _KEEP_MS // 1000) :]
