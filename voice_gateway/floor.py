"""Who has the floor: applies the barge-in rule to what is heard while the bot answers.

Holds, releases and stops the speaker at once; tells the session through `on_stop` that an answer is over for good.
"""

from __future__ import annotations

from collections.abc import Callable

from dialog.api import Expect, Handoff
from voice_gateway import metrics, phrases
from voice_gateway.answer import Answer
from voice_gateway.barge_in import BargeInRules, Playing, Sound, Verdict, judge
from voice_gateway.ears import Ears, Speech
from voice_gateway.speaker import Speaker

_ANSWERABLE_MS = 1500  # before the end of a yes/no question an acknowledgement is an answer


class Floor:
    """One call's. `take` when an answer begins, `leave` when it is over."""

    def __init__(self, speaker: Speaker, rules: BargeInRules, *, partials: bool, on_stop: Callable[[], None]) -> None:
        self._speaker, self._rules, self._partials, self._on_stop = speaker, rules, partials, on_stop
        self._answer: Answer | None = None
        self._noisy = False
        self._stopped = False
        self._caller_holds = False

    def take(self, answer: Answer) -> None:
        """The bot is about to answer."""
        self._answer, self._noisy, self._stopped = answer, False, False

    def leave(self) -> None:
        """The bot is done."""
        self._answer = None
        self.release("over")

    def hear(self, speech: Speech, ears: Ears) -> None:
        """Something was heard, or more of it, or it ended."""
        if self._answer is None or self._stopped:
            return
        sound = self._sound(speech, ears)
        match judge(self._rules, self._playing(self._answer), sound):
            case Verdict.HOLD:
                self._caller_holds = True
                self._speaker.hold()
            case Verdict.RESUME:
                self._noisy = self._noisy or not sound.over
                self.release("resumed")
            case Verdict.STOP:
                self._stopped = True
                self._speaker.hold()
                self._on_stop()

    def release(self, outcome: str) -> None:
        """Give back the floor that the caller held, if any."""
        if self._caller_holds:
            metrics.HOLDS.labels("stopped" if self._stopped else outcome).inc()
            self._caller_holds = False
            self._speaker.release()

    def _sound(self, speech: Speech, ears: Ears) -> Sound:
        text = speech.text
        if ears.echoes and self._is_own(text):
            text = ""
        over = speech.ended or speech.utterance.settled
        return Sound(speech.voiced_ms, text, speech.level_db, speech.utterance.confidence, over, self._partials)

    def _is_own(self, text: str) -> bool:
        """On a line that echoes: the words are the bot's."""
        assert self._answer is not None
        return phrases.plain(text) in phrases.plain(self._answer.text)

    def _playing(self, answer: Answer) -> Playing:
        question = answer.end is not None and answer.expect.kind is Expect.YES_NO
        return Playing(
            interruptible=answer.interruptible and not isinstance(answer.then, Handoff),
            closing=answer.closing,
            answerable=question and answer.complete.is_set() and self._speaker.remaining_ms <= _ANSWERABLE_MS,
            greeting=answer.turn is None and bool(answer.reply_id),
            held=self._caller_holds,
            noisy=self._noisy,
        )
