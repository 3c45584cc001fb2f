"""One answer: from the dialog's events to the last sample played.

Retries once what failed before anything came, says 请稍等 when the dialog takes long, apologises when it fails, and
keeps what the session needs to know: the reply's id, what may interrupt it, what is expected next, what follows it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

from common.errors import HotlineError, TimedOut
from common.telemetry import get_logger
from dialog.api import (
    Expect,
    Expectation,
    Handoff,
    HangUp,
    ReplyChunk,
    ReplyEnd,
    ReplyEvent,
    ReplyStart,
    UserTurn,
)
from voice_gateway import metrics
from voice_gateway.observer import Latency
from voice_gateway.settings import VoiceSettings
from voice_gateway.speaker import Speaker
from voice_gateway.streams import closing

log = get_logger(__name__)


@dataclass(slots=True)
class Marks:
    """When things happened (loop time, seconds); 0 = not yet."""

    speech_end: float = 0.0
    endpoint: float = 0.0
    recognised: float = 0.0
    sent: float = 0.0
    first_text: float = 0.0
    first_audio: float = 0.0

    def latency(self, *, filled: bool) -> Latency:
        """Milliseconds between the marks."""
        first_text = self.first_text or self.first_audio or self.sent
        return Latency(
            endpoint=1000 * (self.endpoint - self.speech_end),
            asr=1000 * (self.recognised - self.endpoint),
            dialog=1000 * max(0.0, first_text - self.recognised),
            tts=1000 * max(0.0, self.first_audio - first_text),
            total=1000 * (self.first_audio - self.speech_end) if self.first_audio else -1.0,
            filled=filled,
        )


@dataclass(slots=True)
class Answer:
    """What became of one turn. `events` opens the dialog's reply; it may be called twice (retry)."""

    turn: UserTurn | None
    events: Callable[[], AsyncIterator[ReplyEvent]]
    marks: Marks = field(default_factory=Marks)
    reply_id: str = ""
    interruptible: bool = True
    end: ReplyEnd | None = None
    then: Handoff | HangUp | None = None
    failed: bool = False
    sent: bool = False
    filled: bool = False
    text: str = ""
    complete: asyncio.Event = field(default_factory=asyncio.Event)  # the dialog has nothing more to say

    @property
    def expect(self) -> Expectation:
        """What is expected once the reply is said."""
        return self.end.expect if self.end is not None else Expectation()

    @property
    def closing(self) -> bool:
        """The conversation ends, or goes to a human, after this reply."""
        return self.then is not None or self.expect.kind is Expect.NOTHING

    @property
    def latency(self) -> Latency:
        """Where the time went."""
        return self.marks.latency(filled=self.filled)


class Answerer:
    """Runs answers on one call's speaker."""

    def __init__(self, speaker: Speaker, settings: VoiceSettings, on_text: Callable[[str], None],
                 on_progress: Callable[[Answer], None]) -> None:  # fmt: skip
        self._speaker, self._settings = speaker, settings
        self._on_text, self._on_progress = on_text, on_progress

    async def run(self, answer: Answer) -> None:
        """Converse one turn; returns when everything was played. `Unavailable` when the line is dead."""
        loop = asyncio.get_running_loop()
        answer.marks.sent = loop.time()
        speaker = self._speaker
        speaker.begin()
        speaker.on_first_audio = lambda: self._heard_first(answer, loop.time())
        async with asyncio.TaskGroup() as tasks:
            filler = tasks.create_task(self._fill(answer), name="filler")
            await self._converse(answer)
            filler.cancel()
        answer.complete.set()
        if answer.failed:
            await self._say(answer, self._settings.say_trouble, fixed=True)
        await speaker.finish()
        answer.failed = answer.failed or speaker.errors > 0

    async def collect(self, answer: Answer) -> None:
        """Let the dialog answer without saying it (the caller has gone)."""
        answer.marks.sent = asyncio.get_running_loop().time()
        async with closing(answer.events()) as events:
            async for _ in events:
                pass

    async def _fill(self, answer: Answer) -> None:
        await asyncio.sleep(self._settings.filler_s)
        if not answer.text:
            answer.filled = True
            await self._speaker.say(self._settings.say_filler, voice=self._settings.voice, aside=True)

    async def _converse(self, answer: Answer) -> None:
        for attempt in (1, 2):
            try:
                return await self._once(answer)
            except HotlineError as error:
                code = error.code
                again = error.retryable and not answer.reply_id and not isinstance(error, TimedOut)
            except Exception as error:
                log.error("dialog_raised", exc_info=error)
                code, again = "internal", False
            metrics.FAILURES.labels("dialog", code).inc()
            log.warning("dialog_failed", code=code, attempt=attempt)
            if not again:
                break
        answer.failed = True

    async def _once(self, answer: Answer) -> None:
        async with closing(answer.events()) as events:
            while (event := await self._next(events, answer)) is not None:
                match event:
                    case ReplyStart():
                        answer.reply_id, answer.interruptible = event.reply_id, event.interruptible
                    case ReplyChunk():
                        await self._say(answer, event.text, fixed=event.fixed)
                    case ReplyEnd():
                        answer.end = event
                        self._on_progress(answer)
                    case Handoff() | HangUp():
                        answer.then = event

    async def _next(self, events: AsyncIterator[ReplyEvent], answer: Answer) -> ReplyEvent | None:
        seconds = self._settings.dialog_next_s if answer.reply_id else self._settings.dialog_first_s
        try:
            async with asyncio.timeout(seconds):
                return await anext(events, None)
        except TimeoutError:
            raise TimedOut(f"the dialog did not go on within {seconds:g} s") from None

    async def _say(self, answer: Answer, text: str, *, fixed: bool) -> None:
        answer.marks.first_text = answer.marks.first_text or asyncio.get_running_loop().time()
        answer.text += text
        self._on_text(text)
        await self._speaker.say(text, voice=self._settings.voice, fixed=fixed)

    def _heard_first(self, answer: Answer, now: float) -> None:
        answer.marks.first_audio = now
        self._on_progress(answer)


async def own_words(text: str, expectation: Expectation, then: Handoff | HangUp | None) -> AsyncIterator[ReplyEvent]:
    """One of our own prompts as if the dialog said it."""
    yield ReplyStart("")
    yield ReplyChunk("", text, fixed=True)
    yield ReplyEnd("", expect=expectation)
    if then is not None:
        yield then
