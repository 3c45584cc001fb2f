"""One voice conversation on one call.

    frames -> Ears -> speech_ended -> turn -> Answerer (dialog -> Speaker) -> answered -> listen again
                |                                 ^
                +--> Floor (barge-in) -> stop ----+        keys, hold, transfer, silence, the end: same inbox

Everything that happens arrives in one bounded inbox and is handled in order by `_converse`; what takes time (answering,
transferring, the voice reading) runs as tasks of one set. At the end, in this order: stop hearing, finish or cancel the
turn, tell the dialog what was heard, close it, release the line.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine
from dataclasses import dataclass
from typing import Any

from common.aio import TaskSet, within
from common.errors import HotlineError
from common.telemetry import get_logger
from dialog.api import (
    DialogService,
    Expect,
    Expectation,
    Handoff,
    HandoffSummary,
    HangUp,
    ReplyChunk,
    ReplyEnd,
    ReplyEvent,
    ReplyStart,
    SessionStart,
    TurnKind,
    UserTurn,
)
from emotion.api import EmotionService
from voice_gateway import metrics, phrases
from voice_gateway.acoustic import VoiceReader
from voice_gateway.answer import Answer, Answerer, Marks
from voice_gateway.api import (
    Call,
    CallEvent,
    Closed,
    Direction,
    Dtmf,
    Held,
    Resumed,
    SessionReport,
    TransferOutcome,
)
from voice_gateway.asr.api import AsrEngine
from voice_gateway.barge_in import BargeInRules
from voice_gateway.ears import Ears, Speech
from voice_gateway.endpointing import EndpointRules
from voice_gateway.floor import Floor
from voice_gateway.keypad import Keypad, KeypadRules
from voice_gateway.observer import SessionObserver
from voice_gateway.settings import VoiceSettings
from voice_gateway.speaker import Hold, Prompts, Speaker
from voice_gateway.tts.api import TtsEngine
from voice_gateway.vad.api import VadEngine

log = get_logger(__name__)

_INBOX = 256
_WATCH_S = 2.0
_CLOSE_S = 3.0
_UNHEARD_MS = 500  # a reply of which no more was heard is as good as none: the caller only went on speaking
_GOES_ON_S = 2.5
_LAST_WORDS_S = 3.0  # after a goodbye, for a caller who is speaking


@dataclass(frozen=True, slots=True)
class Tools:
    """What every session of a gateway shares."""

    dialog: DialogService
    emotion: EmotionService
    asr: AsrEngine
    tts: TtsEngine
    vad: VadEngine
    prompts: Prompts
    settings: VoiceSettings
    observer: SessionObserver
    phrases: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Said:
    speech: Speech


@dataclass(frozen=True, slots=True)
class _Answered:
    answer: Answer


@dataclass(frozen=True, slots=True)
class _Transferred:
    outcome: TransferOutcome
    by_dialog: bool


class _Stop:
    """The caller stopped the bot."""


class _Dead:
    """No more frames come."""


Event = _Said | _Answered | _Transferred | _Stop | _Dead | CallEvent


class Session:
    """Use once: `run`."""

    def __init__(self, call: Call, tools: Tools) -> None:
        self._call, self._tools, self._settings = call, tools, tools.settings
        self._id = call.info.id
        self._loop = asyncio.get_running_loop()
        self._tasks = TaskSet()
        self._inbox: asyncio.Queue[Event] = asyncio.Queue(_INBOX)
        settings = tools.settings
        self._speaker = Speaker(call.audio, tools.tts, tools.prompts, fallback=settings.say_trouble)
        self._floor = Floor(
            self._speaker, BargeInRules(), partials=tools.asr.capabilities.partials, on_stop=self._stop_soon
        )
        self._ears = Ears(
            call.audio, tools.vad.stream(call.audio.sample_rate), tools.asr, self._speaker,
            _endpoint_rules(settings), self, self._tasks, tools.phrases,
        )  # fmt: skip
        self._reader = VoiceReader(tools.emotion, self._tasks, settings.acoustic_wait_ms)
        self._keypad = Keypad(KeypadRules(settings.key_s, settings.single_key_s))
        self._answerer = Answerer(self._speaker, settings, self._say, self._progress)
        self._answer: Answer | None = None
        self._answering: asyncio.Task[None] | None = None
        self._telling: asyncio.Task[None] | None = None
        self._reported: Answer | None = None
        self._expectation = Expectation()
        self._later: Speech | None = None
        self._carry = ""
        self._partial = ""
        self._goodbye: HangUp | None = None
        self._deadline: float | None = None
        self._hangup_at = self._loop.time() + settings.max_call_s
        self._held = self._transferring = self._transferred = False
        self._turns = self._barge_ins = self._silences = self._failures = self._refusals = 0
        self._ended = ""

    # what the ears report

    def speech_started(self, speech: Speech) -> None:
        """The caller began to speak."""
        self._deadline = None
        self._partial = ""
        self._floor.hear(speech, self._ears)

    def speech_goes_on(self, speech: Speech) -> None:
        """More speech, or another partial text."""
        if speech.text != self._partial:
            self._partial = speech.text
            self._tools.observer.on_partial(self._id, speech.text)
        self._floor.hear(speech, self._ears)

    def speech_paused(self, speech: Speech) -> None:
        """Probably the end: read the voice while we wait. Dictated numbers pause too often for that."""
        if self._expectation.kind not in (Expect.DIGITS, Expect.ADDRESS):
            self._reader.start(speech)

    def speech_ended(self, speech: Speech) -> None:
        """It is over and the text is there."""
        self._floor.hear(speech, self._ears)
        self._post(_Said(speech))

    def _stop_soon(self) -> None:
        self._post(_Stop())

    def _post(self, event: Event) -> None:
        try:
            self._inbox.put_nowait(event)
        except asyncio.QueueFull:
            log.error("inbox_full", session=self._id, kind=type(event).__name__)

    # the conversation

    async def run(self) -> SessionReport:
        """Converse until the end and release everything. Never raises, save for cancellation."""
        metrics.CALLS.inc()
        try:
            await self._converse()
        except asyncio.CancelledError:
            self._ended = "shutdown"
            raise
        except Exception as error:
            log.error("session_failed", session=self._id, exc_info=error)
            self._ended = "error"
        finally:
            await self._finish()
            metrics.CALLS.dec()
            metrics.ENDED.labels(self._ended).inc()
            report = SessionReport(self._id, self._ended, self._turns, self._barge_ins, self._transferred)
            self._tools.observer.on_end(report)
            log.info("session_ended", session=self._id, reason=self._ended, turns=self._turns)
        return report

    async def _converse(self) -> None:
        self._tasks.spawn(self._hear_line(), name="ears")
        self._tasks.spawn(self._hear_events(), name="call events")
        self._start_answer(Answer(None, lambda: self._tools.dialog.open(self._session_start())))
        while not self._ended:
            event = await self._next()
            if event is None:
                self._check_time()
            else:
                await self._handle(event)

    def _session_start(self) -> SessionStart:
        info = self._call.info
        purpose = info.purpose if info.direction is Direction.OUTBOUND else ""
        return SessionStart(self._id, info.channel, info.caller, info.called, outbound_purpose=purpose)

    async def _hear_line(self) -> None:
        try:
            await self._ears.run()
        finally:
            self._post(_Dead())

    async def _hear_events(self) -> None:
        async for event in self._call.events():
            self._post(event)

    async def _next(self) -> Event | None:
        times = [self._loop.time() + _WATCH_S, self._hangup_at]
        times += [at for at in (self._deadline, self._keypad.deadline) if at is not None]
        try:
            async with asyncio.timeout_at(min(times)):
                return await self._inbox.get()
        except TimeoutError:
            return None

    async def _handle(self, event: Event) -> None:
        match event:
            case _Said(speech):
                await self._said(speech)
            case _Stop():
                await self._stop_answer()
            case _Answered(answer):
                self._answered(answer)
            case Dtmf(digit):
                await self._pressed(digit)
            case Held():
                self._hold()
            case Resumed():
                self._resume()
            case _Transferred(outcome, by_dialog):
                await self._transfer_done(outcome, by_dialog)
            case _Dead():
                self._ended = self._ended or "dead_line"
            case Closed(reason):
                self._transferred = self._transferred or reason == "transferred"
                self._ended = reason

    def _check_time(self) -> None:
        now = self._loop.time()
        if now >= self._hangup_at:
            self._hangup_at = now + 60.0
            self._announce(self._settings.say_time_up, HangUp("", "time_up"))
        elif not self._held and now - self._ears.last_frame >= self._settings.frames_s:
            self._ended = "dead_line"
        elif (entry := self._keypad.expire(now)) is not None:
            self._ask(TurnKind.DTMF, entry)
        elif self._deadline is not None and now >= self._deadline:
            self._deadline = None
            self._nothing_said()

    def _nothing_said(self) -> None:
        if self._goodbye is not None:
            self._ended = self._goodbye.reason
            return
        self._silences += 1
        if self._silences > self._settings.no_input_limit:
            self._announce(self._settings.say_silent, HangUp("", "no_input"))
        else:
            self._ask(TurnKind.SILENCE, "")

    def _listen(self) -> None:
        """The bot said all it had to; it is the caller's turn."""
        if self._answer is None and not self._ears.busy and not self._held and not self._transferring:
            self._deadline = self._loop.time() + self._settings.no_input_s

    # turns

    async def _said(self, speech: Speech) -> None:
        result = speech.result
        assert result is not None
        if self._transferring:
            return
        if self._answer is not None:
            if not self._answer.interruptible and not phrases.is_backchannel(result.text):
                self._later = speech
            return
        if self._goodbye is not None and phrases.is_courtesy(result.text):
            self._ended = self._goodbye.reason
            return
        if result.error:
            self._failures += 1
            metrics.FAILURES.labels("asr", result.error).inc()
            self._recover(self._settings.say_unheard)
        elif not phrases.plain(result.text):
            self._noise(speech)
        elif speech.over_bot and self._is_acknowledgement(result.text):
            self._listen()
        else:
            self._goodbye = None
            self._ask(TurnKind.SPEECH, self._joined(speech), speech)

    def _is_acknowledgement(self, text: str) -> bool:
        """Said over a reply that ended meanwhile, and no answer to it."""
        return phrases.is_backchannel(text) and self._expectation.kind is not Expect.YES_NO

    def _joined(self, speech: Speech) -> str:
        """The text, after what was said before a reply that was not heard."""
        carry, self._carry = self._carry, ""
        return carry + (speech.result.text if speech.result is not None else "")

    def _noise(self, speech: Speech) -> None:
        if speech.voiced_ms >= self._settings.noise_ms:
            self._ask(TurnKind.NOISE, "", speech)
        else:
            self._listen()

    async def _pressed(self, digit: str) -> None:
        if self._transferring or (self._answer is not None and isinstance(self._answer.then, Handoff)):
            return
        if self._answer is not None and self._answer.interruptible:
            await self._stop_answer()
        self._deadline, self._goodbye = None, None
        entry = self._keypad.press(digit, self._loop.time())
        if entry is not None:
            self._ask(TurnKind.DTMF, entry)

    def _ask(self, kind: TurnKind, text: str, speech: Speech | None = None) -> None:
        """Send one turn to the dialog and say the answer."""
        if self._answer is not None:  # a key during a notice that must be heard
            return
        if kind in (TurnKind.SPEECH, TurnKind.DTMF):
            self._silences = 0
        self._deadline = None
        self._turns += 1
        metrics.TURNS.labels(kind.value).inc()
        confidence = speech.result.confidence if speech is not None and speech.result is not None else 1.0
        turn = UserTurn(self._id, self._turns, kind, text, asr_confidence=confidence)
        answer = Answer(turn, lambda: self._respond(answer, speech), _marks(speech, self._loop.time()))
        self._start_answer(answer)

    async def _respond(self, answer: Answer, speech: Speech | None) -> AsyncIterator[ReplyEvent]:
        """The dialog's reply, once the voice reading is there or late and the last interruption is known there."""
        assert answer.turn is not None
        if self._telling is not None:
            await asyncio.wait([self._telling])
        if not answer.sent:
            answer.turn = await self._reader.attach(answer.turn, speech)
            answer.sent = True
            self._tools.observer.on_heard(answer.turn)
        async for event in self._tools.dialog.respond(answer.turn):
            yield event

    def _start_answer(self, answer: Answer) -> None:
        self._answer = answer
        self._floor.take(answer)
        self._answering = self._tasks.spawn(self._run_answer(answer), name="answer")

    async def _run_answer(self, answer: Answer) -> None:
        try:
            await self._answerer.run(answer)
        except HotlineError as error:  # the line is dead; the ears notice too
            log.info("answer_cut", session=self._id, code=error.code)
            await self._speaker.stop()
            answer.failed = True
        self._post(_Answered(answer))

    def _say(self, text: str) -> None:
        self._tools.observer.on_reply(self._id, text)

    def _progress(self, answer: Answer) -> None:
        """The reply's end is known, or its first audio went out."""
        if answer.end is not None:
            self._expectation = answer.expect
            self._ears.expect(answer.expect)
            self._keypad.expect(answer.expect)
            if answer.marks.first_audio:
                self._report(answer)

    def _report(self, answer: Answer) -> None:
        if answer.turn is None or self._reported is answer:
            return
        self._reported = answer
        report = answer.end.report if answer.end is not None else None
        metrics.count_latency(answer.latency)
        self._tools.observer.on_turn(answer.turn, report, answer.latency)

    def _answered(self, answer: Answer) -> None:
        if answer is not self._answer:
            return
        self._answer = self._answering = None
        self._floor.leave()
        self._report(answer)
        self._carry = ""
        if answer.failed:
            self._failures += 1
        elif answer.turn is not None:
            self._failures = 0
        later, self._later = self._later, None
        if isinstance(answer.then, Handoff):
            self._transfer(answer.then, by_dialog=bool(answer.reply_id))
        elif isinstance(answer.then, HangUp):
            self._say_goodbye(answer.then)
        elif self._failures >= self._settings.failure_limit:
            self._give_up()
        elif later is not None and later.result is not None:
            self._ask(TurnKind.SPEECH, later.result.text, later)
        else:
            self._listen()

    async def _stop_answer(self) -> None:
        """The caller took the floor: silence, cancel what is still being said, tell the dialog what was heard."""
        answer, task = self._answer, self._answering
        if answer is None or task is None:
            return
        self._speaker.hold()
        task.cancel()
        await asyncio.wait([task])
        await self._speaker.stop()
        self._answer = self._answering = None
        self._floor.leave()
        self._report(answer)
        heard = self._speaker.heard
        self._barge_ins += 1
        metrics.BARGE_INS.inc()
        self._tools.observer.on_barge_in(self._id, heard)
        if answer.turn is not None and answer.turn.kind is TurnKind.SPEECH and self._was_unheard(answer):
            self._carry = answer.turn.text
        if answer.reply_id:
            work = self._tools.dialog.interrupted(self._id, answer.reply_id, heard)
            self._telling = self._tasks.spawn(self._tell(work, "interrupted"), name="interrupted")

    def _was_unheard(self, answer: Answer) -> bool:
        return (
            self._speaker.played_ms < _UNHEARD_MS
            and self._loop.time() - answer.marks.speech_end < _GOES_ON_S + self._speaker.played_ms / 1000
        )

    # failures

    def _recover(self, sorry: str) -> None:
        if self._failures >= self._settings.failure_limit:
            self._give_up()
        else:
            self._announce(sorry)

    def _give_up(self) -> None:
        """We fail this caller: a human, or an honest end."""
        self._failures = 0
        if self._refusals:
            self._announce(self._settings.say_failed, HangUp("", "error"))
            return
        summary = HandoffSummary(self._id, "repeated_failure", "系统多次出错，未能继续自动服务，请人工接听。")
        self._announce(self._settings.say_handover, Handoff("", "", summary))

    def _announce(self, text: str, then: Handoff | HangUp | None = None) -> None:
        """Say one of our own prompts."""
        if self._answer is None:
            self._start_answer(Answer(None, lambda: _own(text, self._expectation, then)))

    # the line

    def _hold(self) -> None:
        self._held = True
        self._deadline = None
        self._speaker.hold(Hold.LINE)
        self._floor.release("held")
        self._ears.mute()

    def _resume(self) -> None:
        self._held = False
        self._ears.unmute()
        self._ears.last_frame = self._loop.time()
        self._speaker.release(Hold.LINE)
        self._listen()

    def _transfer(self, handoff: Handoff, *, by_dialog: bool) -> None:
        self._transferring = True
        self._ears.mute()
        self._tasks.spawn(self._try_transfer(handoff, by_dialog), name="transfer")

    async def _try_transfer(self, handoff: Handoff, by_dialog: bool) -> None:
        try:
            work = self._call.transfer(handoff.target, handoff.summary)
            outcome = await within(work, self._settings.transfer_s, "the transfer")
        except HotlineError as error:
            log.warning("transfer_failed", session=self._id, code=error.code)
            outcome = TransferOutcome.TIMEOUT
        except Exception as error:
            log.error("transfer_raised", session=self._id, exc_info=error)
            outcome = TransferOutcome.REFUSED
        self._post(_Transferred(outcome, by_dialog))

    async def _transfer_done(self, outcome: TransferOutcome, by_dialog: bool) -> None:
        self._transferring = False
        if outcome is TransferOutcome.ACCEPTED:
            self._transferred, self._ended = True, "transferred"
            return
        self._refusals += 1
        self._ears.unmute()
        if by_dialog:
            work = self._tools.dialog.transfer_failed(self._id, outcome.value)
            self._telling = self._tasks.spawn(self._tell(work, "transfer_failed"), name="transfer failed")
            self._announce(self._settings.say_no_agent)
        else:
            self._announce(self._settings.say_failed, HangUp("", "error"))

    def _say_goodbye(self, goodbye: HangUp) -> None:
        """The goodbye was heard. A caller who speaks at this moment may still ask something new."""
        if self._ears.busy:
            self._goodbye = goodbye
            self._deadline = self._loop.time() + _LAST_WORDS_S
        else:
            self._ended = goodbye.reason

    # the end

    async def _finish(self) -> None:
        """Stop hearing, finish or cancel the turn, close the dialog, release the line. Bounded; never raises."""
        answer = self._answer
        try:
            last = await self._last_words(answer)
        except Exception as error:
            last = None
            log.error("last_words_lost", session=self._id, exc_info=error)
        heard = self._speaker.heard if answer is not None else ""
        if answer is not None and answer.reply_id and heard != answer.text:
            await self._tell(self._tools.dialog.interrupted(self._id, answer.reply_id, heard), "interrupted")
        if last is not None:
            await self._tell(self._answerer.collect(last), "last words", self._settings.closing_s)
        await self._tell(self._tools.dialog.close(self._id, self._ended), "close")
        await self._tell(self._call.hang_up(self._ended), "hang_up")
        await self._ears.aclose()

    async def _last_words(self, answer: Answer | None) -> Answer | None:
        """What the caller said and nobody answered, as a turn; the running turn gets a moment to be remembered."""
        speech = None if self._transferred else await self._ears.cut()
        gone = answer is not None and not answer.complete.is_set() and self._ended not in ("shutdown", "error")
        if gone and answer is not None:
            await self._tell(answer.complete.wait(), "turn", self._settings.closing_s)
        await self._tasks.aclose()
        await self._speaker.stop()
        result = speech.result if speech is not None else None
        if result is None or phrases.is_courtesy(result.text) or phrases.is_backchannel(result.text):
            return None
        self._turns += 1
        turn = UserTurn(self._id, self._turns, TurnKind.SPEECH, result.text, asr_confidence=result.confidence)
        self._tools.observer.on_heard(turn)
        return Answer(turn, lambda: self._tools.dialog.respond(turn))

    async def _tell(self, work: Coroutine[Any, Any, object], what: str, seconds: float = _CLOSE_S) -> None:
        """Await something at the border; what goes wrong is logged, not raised."""
        try:
            async with asyncio.timeout(seconds):
                await work
        except Exception as error:
            log.warning("border_call_failed", session=self._id, what=what, exc_info=error)


async def _own(text: str, expectation: Expectation, then: Handoff | HangUp | None) -> AsyncIterator[ReplyEvent]:
    yield ReplyStart("")
    yield ReplyChunk("", text, fixed=True)
    yield ReplyEnd("", expect=expectation)
    if then is not None:
        yield then


def _marks(speech: Speech | None, now: float) -> Marks:
    if speech is None:
        return Marks(speech_end=now, endpoint=now, recognised=now)
    return Marks(speech_end=speech.last_speech, endpoint=speech.endpoint, recognised=speech.recognised)


def _endpoint_rules(settings: VoiceSettings) -> EndpointRules:
    return EndpointRules(
        onset=settings.vad_onset,
        offset=settings.vad_offset,
        pause_ms=settings.pause_ms,
        complete_ms=settings.complete_ms,
        finished_ms=settings.finished_ms,
        default_ms=settings.endpoint_ms,
        unfinished_ms=settings.unfinished_ms,
        number_ms=settings.number_ms,
        address_ms=settings.address_ms,
        max_utterance_ms=settings.max_utterance_ms,
    )
