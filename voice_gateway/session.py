"""One voice conversation on one call.

    frames -> Ears -> speech_ended -> turn -> Answerer (dialog -> Speaker) -> answered -> listen again
                |                                 ^
                +--> Floor (barge-in) -> stop ----+        keys, hold, transfer, silence, the end: same inbox

Everything that happens arrives in one bounded inbox and is handled in order by `_converse`; what takes time (answering,
transferring, the voice reading) runs as tasks of one set. How it ends: `voice_gateway.ending`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from common.aio import TaskSet
from common.errors import HotlineError
from common.telemetry import get_logger
from dialog.api import (
    Expect,
    Expectation,
    Handoff,
    HangUp,
    ReplyEvent,
    SessionStart,
    TurnKind,
    UserTurn,
)
from voice_gateway import metrics, phrases
from voice_gateway.acoustic import VoiceReader
from voice_gateway.answer import Answer, Answerer, Marks, own_words
from voice_gateway.api import (
    Call,
    Closed,
    Direction,
    Dtmf,
    Held,
    Resumed,
    SessionReport,
    TransferOutcome,
)
from voice_gateway.barge_in import BargeInRules
from voice_gateway.ears import Ears, Speech
from voice_gateway.ending import Ending, at_border
from voice_gateway.floor import Floor
from voice_gateway.handover import give_up_summary, transfer
from voice_gateway.inbox import Answered, Dead, Event, Inbox, Said, Stopped, Transferred
from voice_gateway.keypad import Keypad, KeypadRules
from voice_gateway.speaker import Hold, Speaker
from voice_gateway.streams import closing
from voice_gateway.tools import Tools

log = get_logger(__name__)

_WATCH_S = 2.0
_UNHEARD_MS = 500  # a reply of which no more was heard is as good as none: the caller only went on speaking
_GOES_ON_S = 2.5
_CLOSED_LATER_S = 0.5  # the frames may end a moment before the reason is known
_LAST_WORDS_S = 3.0  # after a goodbye, for a caller who is speaking


class Session:
    """Use once: `run`."""

    def __init__(self, call: Call, tools: Tools) -> None:
        self._call, self._tools, self._settings = call, tools, tools.settings
        self._id = call.info.id
        self._loop = asyncio.get_running_loop()
        self._tasks = TaskSet()
        self._inbox = Inbox(self._id)
        settings = tools.settings
        self._speaker = Speaker(call.audio, tools.tts, tools.prompts, fallback=settings.say_trouble)
        self._floor = Floor(
            self._speaker, BargeInRules(), partials=tools.asr.capabilities.partials, on_stop=self._stop_soon
        )
        self._ears = Ears(
            call.audio, tools.vad.stream(call.audio.sample_rate), tools.asr, self._speaker,
            settings.endpointing(), self, self._tasks, tools.phrases,
        )  # fmt: skip
        self._reader = VoiceReader(tools.emotion, self._tasks, settings.acoustic_wait_ms)
        self._keypad = Keypad(KeypadRules(settings.key_s, settings.single_key_s))
        self._answerer = Answerer(self._speaker, settings, self._say, self._progress)
        self._ending = Ending(
            call, tools, ears=self._ears, inbox=self._inbox, speaker=self._speaker, answerer=self._answerer,
            tasks=self._tasks,
        )  # fmt: skip
        self._answer: Answer | None = None
        self._answering: asyncio.Task[None] | None = None
        self._telling: asyncio.Task[None] | None = None
        self._reported: Answer | None = None
        self._expectation = Expectation()
        self._later: tuple[TurnKind, str, Speech | None] | None = None
        self._stopped = False  # the last reply, by what the caller is saying
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
        self._inbox.post(Said(speech))

    def _stop_soon(self) -> None:
        self._inbox.post(Stopped())

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
            self._turns = await self._ending.run(self._ended, self._answer, self._turns)
            metrics.CALLS.dec()
            metrics.ENDED.labels(self._ended).inc()
            report = SessionReport(self._id, self._ended, self._turns, self._barge_ins, self._transferred)
            self._tools.observer.on_end(report)
            log.info("session_ended", session=self._id, reason=self._ended, turns=self._turns)
        return report

    async def _converse(self) -> None:
        self._tasks.spawn(self._hear_line(), name="ears")
        self._tasks.spawn(self._hear_events(), name="call events")
        start = self._session_start()
        self._start_answer(Answer(None, lambda: self._tools.dialog.open(start), _marks(None, self._loop.time())))
        while not self._ended:
            event = await self._inbox.next(min(self._times()))
            if event is None:
                self._check_time()
            else:
                await self._handle(event)

    def _session_start(self) -> SessionStart:
        info = self._call.info
        if info.direction is Direction.OUTBOUND:  # the person is the one who was called
            return SessionStart(self._id, info.channel, info.called, info.caller, outbound_purpose=info.purpose)
        return SessionStart(self._id, info.channel, info.caller, info.called)

    async def _hear_line(self) -> None:
        try:
            await self._ears.run()
        except Exception as error:
            log.error("ears_failed", session=self._id, exc_info=error)
        await asyncio.sleep(_CLOSED_LATER_S)
        self._inbox.post(Dead())

    async def _hear_events(self) -> None:
        async for event in self._call.events():
            self._inbox.post(event)

    def _times(self) -> list[float]:
        """When to look what time it is."""
        times = [self._loop.time() + _WATCH_S, self._hangup_at]
        return times + [at for at in (self._deadline, self._keypad.deadline) if at is not None]

    async def _handle(self, event: Event) -> None:
        match event:
            case Said(speech):
                await self._said(speech)
            case Stopped():
                await self._stop_answer()
            case Answered(answer):
                self._answered(answer)
            case Dtmf(digit):
                await self._pressed(digit)
            case Held():
                self._hold()
            case Resumed():
                self._resume()
            case Transferred(outcome, by_dialog):
                await self._transfer_done(outcome, by_dialog)
            case Dead():
                self._ended = self._ended or "dead_line"
            case Closed(reason):
                self._transferred = self._transferred or reason == "transferred"
                self._ended = reason

    def _check_time(self) -> None:
        now = self._loop.time()
        if not self._ears.busy:
            self._floor.release("lost")  # nothing will be heard that could give it back
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
            dictated = self._expectation.kind in (Expect.DIGITS, Expect.ADDRESS)
            patience = self._settings.no_input_number_s if dictated else self._settings.no_input_s
            self._deadline = self._loop.time() + patience

    # turns

    async def _said(self, speech: Speech) -> None:
        result = speech.result
        assert result is not None
        if self._transferring:
            return
        if self._answer is not None:
            if not self._answer.interruptible and not phrases.is_backchannel(result.text):
                self._later = (TurnKind.SPEECH, result.text, speech)
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
        if self._stopped or speech.voiced_ms >= self._settings.noise_ms:
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
            self._later = (kind, text, speech)
            return
        self._stopped = False
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
        async with closing(self._tools.dialog.respond(answer.turn)) as events:
            async for event in events:
                yield event

    def _start_answer(self, answer: Answer) -> None:
        self._answer = answer
        self._floor.take(answer)
        self._answering = self._tasks.spawn(self._run_answer(answer), name="answer")

    async def _run_answer(self, answer: Answer) -> None:
        try:
            await self._answerer.run(answer)
        except HotlineError as error:
            log.info("line_died", session=self._id, code=error.code)
            await self._speaker.stop()
            await asyncio.sleep(_CLOSED_LATER_S)
            self._inbox.post(Dead())
        else:
            self._inbox.post(Answered(answer))

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
        if self._reported is answer or (answer.turn is None and not answer.reply_id):
            return
        self._reported = answer
        report = answer.end.report if answer.end is not None else None
        if answer.turn is not None:
            metrics.count_latency(answer.latency)
        turn = answer.turn or UserTurn(self._id, 0, TurnKind.SILENCE)
        self._tools.observer.on_turn(turn, report, answer.latency)

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
        elif later is not None:
            self._ask(*later)
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
        self._stopped = True
        self._barge_ins += 1
        metrics.BARGE_INS.inc()
        self._tools.observer.on_barge_in(self._id, heard)
        if answer.turn is not None and answer.turn.kind is TurnKind.SPEECH and self._was_unheard(answer):
            self._carry = answer.turn.text
        if answer.reply_id:
            work = self._tools.dialog.interrupted(self._id, answer.reply_id, heard)
            self._telling = self._tasks.spawn(at_border(self._id, work, "interrupted"), name="interrupted")

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
        self._announce(self._settings.say_handover, Handoff("", "", give_up_summary(self._id)))

    def _announce(self, text: str, then: Handoff | HangUp | None = None) -> None:
        """Say one of our own prompts."""
        if self._answer is None:
            self._start_answer(
                Answer(None, lambda: own_words(text, self._expectation, then), _marks(None, self._loop.time()))
            )

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
        outcome = await transfer(self._call, handoff, self._settings.transfer_s)
        self._inbox.post(Transferred(outcome, by_dialog))

    async def _transfer_done(self, outcome: TransferOutcome, by_dialog: bool) -> None:
        self._transferring = False
        if outcome is TransferOutcome.ACCEPTED:
            self._transferred, self._ended = True, "transferred"
            return
        self._refusals += 1
        self._ears.unmute()
        if by_dialog:
            work = self._tools.dialog.transfer_failed(self._id, outcome.value)
            self._telling = self._tasks.spawn(at_border(self._id, work, "transfer failed"), name="transfer failed")
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


def _marks(speech: Speech | None, now: float) -> Marks:
    if speech is None:
        return Marks(speech_end=now, endpoint=now, recognised=now)
    return Marks(speech_end=speech.last_speech, endpoint=speech.endpoint, recognised=speech.recognised)
