"""Carries out the policy's action, pure; what needs I/O comes back as an `Effect`.

effect = machine.begin(action)
while effect: effect = machine.resume(outcome of effect)
"""

from __future__ import annotations

from dialog import escalation as esc
from dialog import events as ev
from dialog import manners
from dialog import moves as mv
from dialog.api import Source
from dialog.flows import language as lang
from dialog.heard import Heard
from dialog.replies.book import breath, speakable
from dialog.runner import CALL_BACK, Runner
from dialog.talk import Call, Consult, Effect, Outcome, Talk
from kb.api import Answer

SMALL_TALK, CLOSING, LONG_ANSWER = "small_talk", "closing", "long_answer"


class Machine:
    """One turn of one conversation. breath_limit: characters of knowledge that are said in one go."""

    def __init__(self, talk: Talk, heard: Heard, rules: esc.EscalationRules, *, target: str, breath_limit: int) -> None:
        self.talk = talk
        self._heard = heard
        self._breath = breath_limit
        self._runner = Runner(talk, rules, target=target)
        self._otherwise: mv.Ask | None = None
        if heard.intent:
            talk.extra["intent"] = heard.intent

    def begin(self, action: mv.Action) -> Effect | None:
        """Do `action`; an effect is to be carried out and its outcome given to `resume`."""
        self._runner.effect = None
        self._do(action)
        return self._runner.effect

    def resume(self, outcome: Outcome | Answer | None) -> Effect | None:
        """Go on with what an effect came to. None: what was asked did not answer."""
        effect, self._runner.effect = self._runner.effect, None
        match effect:
            case Call():
                assert isinstance(outcome, Outcome)
                self._runner.called(effect, outcome)
            case Consult():
                assert not isinstance(outcome, Outcome)
                self._consulted(effect, outcome)
        return self._runner.effect

    def escalate(self, reason: str) -> None:
        """Bring in a human."""
        self._runner.escalate(reason)

    def anew(self) -> mv.Action:
        """What the person had given is known no longer: the topic from its beginning."""
        base = next(frame for frame in reversed(self.talk.state.stack) if not frame.sub)
        self._runner.drop_all()
        self.talk.say("back_to", topic=self.talk.books.flows.flow(base.flow).title)
        return mv.Begin(base.flow)

    def apologise_for_transfer(self, action: mv.Action) -> mv.Action:
        """After a failed transfer: say so, and offer a call back unless the person went on to something else."""
        talk = self.talk
        talk.emit(ev.Progress("apologised"))
        talk.say("transfer_failed")
        goes_on = isinstance(action, mv.Begin | mv.Ask) or action in (mv.Simple("goodbye"), mv.Simple("wait"))
        return action if goes_on else mv.Begin(CALL_BACK)

    def _do(self, action: mv.Action) -> None:
        talk = self.talk
        match action:
            case mv.Fill(slot, value, mended):
                self._runner.good()
                talk.acted(f"fill:{slot}")
                self.talk.forget("fix")
                talk.set_slot(slot, value, typed=self._heard.typed and not mended)
                self._runner.run()
            case mv.Dictation(slot, digits):
                talk.acted(f"listen:{slot}")
                if digits and digits == talk.vault.dictated:  # the same piece again leads nowhere
                    if manners.attentive(self._runner):
                        talk.say("continue_please")
                        self._runner.expect()
                    return
                self._runner.good()
                talk.forget("fix")
                talk.set_dictated(digits, slot)
                if digits:
                    talk.say("continue_please")
                    self._runner.expect()
                else:
                    self._runner.ask()
            case mv.TooMany(slot):
                talk.acted(f"again:{slot}")
                talk.set_dictated("", slot)
                self._runner.fail("digits_too_many")
            case mv.WhichDigit(slot, old, new):
                self._which_digit(slot, old, new)
            case mv.Redo(digits):
                self._redo(digits)
            case mv.Reply(yes):
                self._reply(yes)
            case mv.Without(other):
                self._without(other)
            case mv.Begin():
                self._begin(action)
            case mv.Ask():
                talk.acted("look_up")
                self._otherwise = action
                self._runner.effect = Consult(action.question)
            case mv.Simple(what):
                self._simple(what)

    def _simple(self, what: str) -> None:
        talk = self.talk
        talk.acted(what)
        match what:
            case "human":
                self._runner.escalate("requested")
            case "handing_over":
                manners.handing_over(self._runner)
            case "silence":
                manners.silence(self._runner)
            case "noise":
                manners.noise(self._runner)
            case "repeat":
                manners.repeat(self._runner)
            case "wait":
                manners.wait(self._runner)
            case "listening":
                manners.listening(self._runner)
            case "insisted":  # the topic that is open was named again, instead of an answer
                if manners.attentive(self._runner):
                    self._runner.ask()
            case "go_ahead":
                if manners.attentive(self._runner):
                    talk.say("go_ahead")
            case "welcome":
                if talk.state.helped:
                    talk.say("you_are_welcome")
                    self._close()
                elif manners.attentive(self._runner):
                    talk.say("you_are_welcome")
                    talk.say("anything_else")
            case "close":
                self._close()
            case "solved":
                self._begin(mv.Begin(CLOSING, "solved"))
            case "unsolved":
                self._begin(mv.Begin(CLOSING, "unsolved"))
            case "goodbye":
                self._runner.hang_up("goodbye", "goodbye")
            case "leave":
                self._leave()
            case "down":
                self._runner.fail("understanding_down")
            case _:
                unclear = self._heard.kind.value == "speech" and len(self._heard.text) <= 2
                self._runner.fail("not_heard" if unclear else "not_understood")

    def _begin(self, begin: mv.Begin) -> None:
        talk = self.talk
        talk.acted(f"begin:{begin.flow}")
        if begin.flow == SMALL_TALK:
            if self._heard.intent == "insult":
                talk.emit(ev.Progress("failure"))
                if esc.failed_enough(talk.state, self._runner.rules):
                    self._runner.escalate("emotion")
                    return
            elif not manners.attentive(self._runner):
                return
        else:
            self._runner.good()
        if begin.flow == CLOSING and begin.step in ("solved", "unsolved"):
            talk.emit(ev.Rated(begin.step == "solved"))
        self._runner.start(begin.flow, begin.step, slots=begin.slots, fresh=begin.fresh, typed=self._heard.typed)

    def _close(self) -> None:
        self._begin(mv.Begin(CLOSING))

    def _which_digit(self, slot: str, old: str, new: str) -> None:
        talk = self.talk
        talk.emit(ev.Progress("failure"))
        talk.acted(f"which_digit:{slot}")
        if "fix.old" in talk.state.facts and esc.failed_enough(talk.state, self._runner.rules):
            self.talk.forget("fix")
            self._redo("")
            return
        talk.emit(ev.Acted("which_digit", "asked", {"fix.old": old, "fix.new": new}))
        talk.say("which_digit", old=old)
        self._runner.expect()

    def _redo(self, digits: str) -> None:
        talk = self.talk
        step = self._runner.step()
        assert isinstance(step, lang.Confirm)
        talk.acted(f"redo:{step.confirm}")
        self.talk.forget("fix")
        self._runner.good()
        talk.set_slot(step.confirm, "")
        self._runner.goto(step.redo)
        if digits:
            talk.set_dictated(digits, step.confirm)
            talk.say("continue_please")
            talk.emit(ev.Asked(step.redo))
            self._runner.expect()
        else:
            self._runner.run()

    def _reply(self, yes: bool) -> None:
        talk = self.talk
        step = self._runner.step()
        self._runner.good()
        self.talk.forget("fix")
        talk.acted(f"{'yes' if yes else 'no'}:{step.id}")
        if isinstance(step, lang.Confirm):
            if not yes:
                self._redo("")
                return
            self._runner.goto(self._runner.flow().after(step))
        elif isinstance(step, lang.Question):
            if step.kind == "solved":
                talk.emit(ev.Rated(yes))
            self._runner.goto(step.yes if yes else step.no)
        self._runner.run()

    def _without(self, other: dict[str, str]) -> None:
        talk = self.talk
        step = self._runner.step()
        assert isinstance(step, lang.Collect)
        self._runner.good()
        talk.acted(f"without:{step.collect}")
        talk.set_dictated("", step.collect)
        for slot, value in other.items():
            talk.set_slot(slot, value, typed=self._heard.typed)
        self._runner.goto(step.unknown)
        self._runner.run()

    def _leave(self) -> None:
        while self.talk.state.stack and self.talk.state.stack[-1].sub:
            self._runner.pop("left")
        self._runner.pop("left")
        self.talk.say("left_topic")
        self._runner.after_topic(quiet=False)

    def _consulted(self, consult: Consult, answer: Answer | None) -> None:
        talk = self.talk
        ask, self._otherwise = self._otherwise, None
        assert ask is not None
        if answer is not None and answer.known and answer.confidence >= ask.confidence:
            self._answered(consult, answer)
            return
        if ask.otherwise != mv.NOT_UNDERSTOOD:
            self._do(ask.otherwise)
        elif answer is None:
            talk.acted("knowledge_down")
            talk.emit(ev.Progress("failure"))
            talk.say("knowledge_down")
            if esc.failed_enough(talk.state, self._runner.rules):
                self._runner.escalate("repeated_failure")
            elif talk.state.top:
                self._runner.ask()
            else:
                self._runner.trouble()
        elif self._heard.question or self._heard.intent == "faq":
            talk.acted("answer_unknown")
            self._runner.fail("answer_unknown")
        else:
            self._simple("not_understood")

    def _answered(self, consult: Consult, answer: Answer) -> None:
        talk = self.talk
        self._runner.good()
        talk.action = "answer"
        text = speakable(answer.text) if talk.state.voice else answer.text
        now, rest = breath(text, self._breath) if talk.state.voice else (text, "")
        titles = {hit.entry.id: hit.entry.title for hit in answer.hits}
        talk.sources = tuple(Source(id, titles.get(id, "")) for id in answer.sources)
        talk.emit(ev.Answered(consult.question, answer.sources, rest))
        talk.say("answer_lead")
        talk.say_text(now)
        if rest:
            waiting = talk.state.top
            if waiting is None:
                self._runner.start(LONG_ANSWER)
                return
        self._after_answer()

    def _after_answer(self) -> None:
        talk = self.talk
        while talk.state.stack and not self._runner.resumable():
            self._runner.pop("dropped")
        if talk.state.stack:
            self._runner.ask()
        else:
            talk.say("anything_else")
