"""Carries out the policy's action and runs flows: pure, step by step; what needs I/O comes back as an `Effect`.

effect = machine.begin(action)
while effect: effect = machine.resume(outcome of effect)
"""

from __future__ import annotations

from dialog import escalation as esc
from dialog import events as ev
from dialog import policy as po
from dialog.api import Expect, Expectation, Handoff, HangUp, Source
from dialog.flows import language as lang
from dialog.heard import Heard
from dialog.replies.book import breath, speakable
from dialog.summary import summarise
from dialog.talk import Call, Consult, Effect, Outcome, Talk
from kb.api import Answer

SILENCES, PATIENT_SILENCES, NOISES, REPEATS = 3, 6, 3, 3
MAX_TOPICS = 3
MAX_ASKS = 8
"""How often one question is asked before it is given up, whatever lies between (corrections, other questions)."""
CALL_BACK, SMALL_TALK, CLOSING = "call_back", "small_talk", "closing"
LONG_ANSWER, OFFER_HUMAN = "long_answer", "offer_human"
_HAND_OVER = {"requested": "hand_over_requested", "emotion": "hand_over_emotion", "flow": "hand_over_flow"}


class Machine:
    """One turn of one conversation."""

    def __init__(self, talk: Talk, heard: Heard, rules: esc.EscalationRules, *, target: str, breath_limit: int) -> None:
        self.talk = talk
        self._heard = heard
        self._rules = rules
        self._target = target
        self._breath = breath_limit
        self._effect: Effect | None = None
        self._otherwise: po.Ask | None = None
        if heard.intent:
            talk.extra["intent"] = heard.intent

    # -- entry ----------------------------------------------------------------------------------------------------

    def begin(self, action: po.Action) -> Effect | None:
        """Do `action`; an effect is to be carried out and its outcome given to `resume`."""
        self._effect = None
        self._do(action)
        return self._effect

    def resume(self, outcome: Outcome | Answer | None) -> Effect | None:
        """Go on with what an effect came to. None: what was asked did not answer."""
        effect, self._effect = self._effect, None
        match effect:
            case Call():
                assert isinstance(outcome, Outcome)
                self._called(effect, outcome)
            case Consult():
                assert not isinstance(outcome, Outcome)
                self._consulted(effect, outcome)
        return self._effect

    def escalate(self, reason: str) -> None:
        """Bring in a human, or what is left when nobody can be reached."""
        talk = self.talk
        talk.acted(f"hand_over:{reason}")
        if not esc.may_transfer(talk.state, self._rules):
            self._unreachable(reason)
            return
        self._drop_all()
        if "comfort" in talk.prompts:  # sorry has been said
            talk.say("hand_over_requested")
        else:
            talk.say(_HAND_OVER.get(reason, "hand_over_failure"))
        summary = summarise(talk, reason)
        talk.emit(ev.HandedOver(talk.turn, self._target, reason, summary.summary))
        talk.end = Handoff(talk.reply_id, self._target, summary)
        talk.expect = Expectation(Expect.NOTHING)

    def apologise_for_transfer(self, action: po.Action) -> po.Action:
        """After a failed transfer: say so, and offer a call back unless the person went on to something else."""
        talk = self.talk
        talk.emit(ev.Progress("apologised"))
        talk.say("transfer_failed")
        goes_on = isinstance(action, po.Begin | po.Ask) or action in (po.Simple("goodbye"), po.Simple("wait"))
        return action if goes_on else po.Begin(CALL_BACK)

    # -- actions --------------------------------------------------------------------------------------------------

    def _do(self, action: po.Action) -> None:
        talk = self.talk
        match action:
            case po.Fill(slot, value, mended):
                self._good()
                talk.acted(f"fill:{slot}")
                self._forget_fix()
                talk.set_slot(slot, value, typed=self._heard.typed and not mended)
                if mended:
                    self._ask()
                else:
                    self._run()
            case po.Dictation(slot, digits):
                self._good()
                talk.acted(f"listen:{slot}")
                self._forget_fix()
                talk.set_dictated(digits, slot)
                if digits:
                    talk.say("continue_please")
                    self._expect()
                else:
                    self._ask()
            case po.TooMany(slot):
                talk.acted(f"again:{slot}")
                talk.set_dictated("", slot)
                self._fail("digits_too_many")
            case po.WhichDigit(slot, old, new):
                self._which_digit(slot, old, new)
            case po.Redo(digits):
                self._redo(digits)
            case po.Reply(yes):
                self._reply(yes)
            case po.Without(other):
                self._without(other)
            case po.Begin():
                self._begin(action)
            case po.Ask():
                talk.acted("look_up")
                self._otherwise = action
                self._effect = Consult(action.question)
            case po.Simple(what):
                self._simple(what)

    def _simple(self, what: str) -> None:
        talk = self.talk
        talk.acted(what)
        match what:
            case "human":
                self.escalate("requested")
            case "handing_over":
                self._handing_over()
            case "silence":
                self._silence()
            case "noise":
                self._noise()
            case "repeat":
                self._repeat()
            case "wait":
                talk.emit(ev.Progress("wait"))
                talk.say("wait")
                self._expect()
            case "listening":
                self._listening()
            case "go_ahead":
                if self._attentive():
                    talk.say("go_ahead")
            case "welcome":
                if talk.state.helped:
                    talk.say("you_are_welcome")
                    self._close()
                elif self._attentive():
                    talk.say("you_are_welcome")
                    talk.say("anything_else")
            case "close":
                self._close()
            case "solved":
                self._begin(po.Begin(CLOSING, "solved"))
            case "unsolved":
                self._begin(po.Begin(CLOSING, "unsolved"))
            case "goodbye":
                self._goodbye()
            case "leave":
                self._leave()
            case "down":
                self._fail("understanding_down")
            case _:
                unclear = self._heard.kind.value == "speech" and len(self._heard.text) <= 2
                self._fail("not_heard" if unclear else "not_understood")

    def _good(self) -> None:
        if self.talk.state.failures or self.talk.state.silences or self.talk.state.noises or self.talk.state.repeats:
            self.talk.emit(ev.Progress("good"))

    def _forget_fix(self) -> None:
        self.talk.forget("fix")

    # -- failures, each with an end -------------------------------------------------------------------------------

    def _fail(self, prompt: str) -> None:
        """Not understood, not valid, not found: say so and ask again, but not for ever."""
        talk = self.talk
        talk.emit(ev.Progress("failure"))
        if esc.failed_enough(talk.state, self._rules):
            step = self._step()
            if isinstance(step, lang.Collect) and step.failed and not talk.state.hot:
                self._goto(step.failed)
                self._run()
                return
            self.escalate("emotion" if talk.state.hot else "repeated_failure")
            return
        talk.say(prompt)
        if talk.state.top:
            self._ask()

    def _silence(self) -> None:
        talk = self.talk
        talk.emit(ev.Progress("silence"))
        count, state = talk.state.silences, talk.state
        if count >= (PATIENT_SILENCES if state.patient else SILENCES):
            self._hang_up("no_input", "goodbye_silence")
        elif state.patient:
            talk.say("still_waiting")
            self._expect()
        elif talk.vault.dictated and state.top:
            known = talk.vault.dictated
            spec = talk.books.flows.slots.get(self._slot())
            missing = str(spec.length - len(known)) if spec else ""
            talk.say("digits_so_far", known=known, missing=missing, personal="y" if spec and spec.personal else "")
            self._expect()
        elif not state.top and state.helped and count == 1:
            self._close()
        else:
            talk.say("still_there")
            self._ask()

    def _noise(self) -> None:
        self.talk.emit(ev.Progress("noise"))
        if self.talk.state.noises >= NOISES:
            self._hang_up("noise", "goodbye_noise")
            return
        self.talk.say("not_heard")
        self._ask()

    def _repeat(self) -> None:
        talk = self.talk
        talk.emit(ev.Progress("repeat"))
        if talk.state.repeats > REPEATS:
            self.escalate("repeated_failure")
            return
        talk.say("repeat_lead")
        leads = {line.text for line in talk.lines}
        again = [line for line in talk.last_reply() if line.text not in leads]
        if again:
            talk.lines += again
        elif talk.state.stack:
            self._ask()
        else:
            talk.say("go_ahead")
        self._expect()

    def _listening(self) -> None:
        """A sound of attention while something is waited for."""
        if self._attentive():
            self.talk.say("go_ahead")
            self._ask() if not self.talk.vault.dictated else self._expect()

    def _attentive(self) -> bool:
        """Nothing was said that leads on: counted like a silence, so that it ends. False when it just did."""
        self.talk.emit(ev.Progress("silence"))
        if self.talk.state.silences < SILENCES:
            return True
        self._fail("not_understood")
        return False

    def _handing_over(self) -> None:
        talk = self.talk
        talk.emit(ev.Progress("silence"))
        if talk.state.silences > SILENCES:
            talk.emit(ev.TransferFailed("no answer"))
            talk.emit(ev.Progress("apologised"))
            talk.say("transfer_failed")
            self._begin(po.Begin(CALL_BACK))
            return
        talk.say("handing_over")
        talk.expect = Expectation(Expect.NOTHING)

    def _unreachable(self, reason: str) -> None:
        """Nobody can be reached any more: a call back once, then an honest end."""
        talk = self.talk
        offered = any(topic == CALL_BACK for topic, _ in talk.state.topics)
        inside = any(frame.flow == CALL_BACK for frame in talk.state.stack)
        if not offered and not inside:
            talk.say("no_more_transfers")
            self._begin(po.Begin(CALL_BACK))
        elif reason == "requested" and not inside:
            talk.say("no_more_transfers")
            talk.say("stay_with_me")
        else:
            self._hang_up("unsolved", "goodbye_stuck")

    # -- corrections ----------------------------------------------------------------------------------------------

    def _which_digit(self, slot: str, old: str, new: str) -> None:
        talk = self.talk
        talk.emit(ev.Progress("failure"))
        talk.acted(f"which_digit:{slot}")
        if "fix.old" in talk.state.facts and esc.failed_enough(talk.state, self._rules):
            self._forget_fix()
            self._redo("")
            return
        talk.emit(ev.Acted("which_digit", "asked", {"fix.old": old, "fix.new": new}))
        talk.say("which_digit", old=old)
        self._expect()

    def _redo(self, digits: str) -> None:
        talk = self.talk
        step = self._step()
        assert isinstance(step, lang.Confirm)
        talk.acted(f"redo:{step.confirm}")
        self._forget_fix()
        self._good()
        talk.set_slot(step.confirm, "")
        self._goto(step.redo)
        if digits:
            talk.set_dictated(digits, step.confirm)
            talk.say("continue_please")
            talk.emit(ev.Asked(step.redo))
            self._expect()
        else:
            self._run()

    def _reply(self, yes: bool) -> None:
        talk = self.talk
        step = self._step()
        self._good()
        self._forget_fix()
        talk.acted(f"{'yes' if yes else 'no'}:{step.id}")
        if isinstance(step, lang.Confirm):
            if not yes:
                self._redo("")
                return
            self._goto(self._flow().after(step))
        elif isinstance(step, lang.Question):
            if step.kind == "solved":
                talk.emit(ev.Rated(yes))
            self._goto(step.yes if yes else step.no)
        self._run()

    def _without(self, other: dict[str, str]) -> None:
        talk = self.talk
        step = self._step()
        assert isinstance(step, lang.Collect)
        self._good()
        talk.acted(f"without:{step.collect}")
        talk.set_dictated("", step.collect)
        for slot, value in other.items():
            talk.set_slot(slot, value, typed=self._heard.typed)
        self._goto(step.unknown)
        self._run()

    # -- topics ---------------------------------------------------------------------------------------------------

    def _begin(self, begin: po.Begin) -> None:
        talk = self.talk
        talk.acted(f"begin:{begin.flow}")
        if begin.flow == SMALL_TALK:
            if self._heard.intent == "insult":
                talk.emit(ev.Progress("failure"))
                if esc.failed_enough(talk.state, self._rules):
                    self.escalate("emotion")
                    return
            elif not self._attentive():
                return
        else:
            self._good()
        while talk.state.stack and not self._resumable():
            self._pop("dropped")
        if sum(not frame.sub for frame in talk.state.stack) >= MAX_TOPICS:
            self._drop_all()
        talk.set_dictated("")
        if begin.fresh:
            talk.set_slot("order_number", "")
        flow = talk.books.flows.flow(begin.flow)
        for slot in flow.forget:
            talk.set_slot(slot, "")
        for slot, value in begin.slots.items():
            if talk.value(slot) != value:
                talk.set_slot(slot, value, typed=self._heard.typed)
        if flow.flow == CLOSING and begin.step in ("solved", "unsolved"):
            talk.emit(ev.Rated(begin.step == "solved"))
        talk.emit(ev.FlowStarted(flow.flow, begin.step or flow.steps[0].id))
        self._run()

    def _resumable(self) -> bool:
        """Whether the topic on top (the flow under its parts) is to be gone back to."""
        base = next(frame for frame in reversed(self.talk.state.stack) if not frame.sub)
        return self.talk.books.flows.flow(base.flow).resume

    def _close(self) -> None:
        self._begin(po.Begin(CLOSING))

    def _goodbye(self) -> None:
        self._hang_up("goodbye", "goodbye")

    def _leave(self) -> None:
        while self.talk.state.stack and self.talk.state.stack[-1].sub:
            self._pop("left")
        self._pop("left")
        self.talk.say("left_topic")
        self._after_topic(quiet=False)

    def _pop(self, outcome: str) -> None:
        self.talk.set_dictated("")
        self.talk.emit(ev.FlowEnded(self.talk.state.stack[-1].flow, outcome))

    def _drop_all(self) -> None:
        while self.talk.state.stack:
            self._pop("dropped")

    def _after_topic(self, *, quiet: bool) -> None:
        """A topic is over: go back to the one below, or ask what else."""
        talk = self.talk
        while talk.state.stack and not self._resumable():
            self._pop("dropped")
        if talk.state.stack:
            base = next(frame for frame in reversed(talk.state.stack) if not frame.sub)
            talk.say("back_to", topic=talk.books.flows.flow(base.flow).title)
            self._run()
        elif not quiet:
            talk.say("anything_else")

    # -- flows ----------------------------------------------------------------------------------------------------

    def _flow(self) -> lang.Flow:
        return self.talk.books.flows.flow(self.talk.state.stack[-1].flow)

    def _step(self) -> lang.Step:
        return self._flow().step(self.talk.state.stack[-1].step)

    def _slot(self) -> str:
        step = self._step() if self.talk.state.stack else None
        return (
            step.collect if isinstance(step, lang.Collect) else step.confirm if isinstance(step, lang.Confirm) else ""
        )

    def _goto(self, step: str) -> None:
        """Move to a step of the flow on top, or end it."""
        talk = self.talk
        if step != lang.END:
            talk.emit(ev.StepEntered(step))
            return
        sub = talk.state.stack[-1].sub
        quiet = self._flow().quiet
        self._pop("done")
        if sub:
            self._goto(self._flow().after(self._step()))
        else:
            if not quiet:
                talk.emit(ev.Progress("helped"))
            self._after_topic(quiet=quiet)

    def _run(self) -> None:
        """Go on from the current step until something must be waited for."""
        talk = self.talk
        first = True
        while talk.state.stack and not talk.end and not self._effect:
            top = talk.state.stack[-1]
            if top.waiting and not first:
                return  # a topic ended, and the one below it has asked its question again
            first = False
            if top.visits.get(top.step, 0) > lang.MAX_VISITS:
                self.escalate("repeated_failure")
                return
            if self._do_step(self._step()):
                return

    def _do_step(self, step: lang.Step) -> bool:
        """Do one step; True when the person is waited for."""
        talk = self.talk
        match step:
            case lang.Collect() if not talk.value(step.collect):
                self._ask()
                return True
            case lang.Confirm() if not talk.value(step.confirm):
                self._goto(step.redo)
                return False
            case lang.Confirm() if not (step.skip_typed and step.confirm in talk.state.typed):
                self._ask()
                return True
            case lang.Question():
                self._ask()
                return True
            case lang.Say(say=prompt):
                talk.say(prompt)
                talk.acted(f"say:{prompt}")
            case lang.Set(set=values):
                for slot, value in values.items():
                    talk.set_slot(slot, value)
            case lang.Branch(branch=cases):
                goto = next((case.goto for case in cases if self._holds(case)), "")
                self._goto(goto or self._flow().after(step))
                return False
            case lang.Run(run=flow):
                first = talk.books.flows.flow(flow)
                for slot in first.forget:
                    talk.set_slot(slot, "")
                talk.emit(ev.FlowStarted(flow, first.steps[0].id, sub=True))
                return False
            case lang.Call():
                self._call(step)
                return True
            case lang.HandOver(hand_over=reason):
                self.escalate(reason)
                return True
            case lang.HangUp(hang_up=reason):
                self._hang_up(reason, "")
                return True
            case lang.GiveUp(give_up=outcome):
                self._give_up(outcome)
                return True
        self._goto(self._flow().after(step))
        return False

    def _holds(self, case: lang.Case) -> bool:
        for name, wanted in case.when.items():
            value = self.talk.look(name)
            if wanted == "present" or wanted == "absent":
                if bool(value) is not (wanted == "present"):
                    return False
            elif value not in ((wanted,) if isinstance(wanted, str) else wanted):
                return False
        return True

    def _call(self, step: lang.Call) -> None:
        talk = self.talk
        if step.lead:
            talk.say(step.lead)
        talk.calls += 1
        parameters = {name: talk.look(source) for name, source in step.with_.items()}
        self._effect = Call(step.call, parameters, f"{talk.state.session}:{talk.turn}:{step.call}:{talk.calls}")

    def _called(self, call: Call, outcome: Outcome) -> None:
        talk = self.talk
        step = self._step()
        assert isinstance(step, lang.Call)
        for slot, value in outcome.slots.items():
            if talk.value(slot) != value:
                talk.set_slot(slot, value, typed=True)
        talk.emit(ev.Acted(call.action, outcome.name, outcome.facts))
        goto = step.on.get(outcome.name)
        if goto is None and outcome.name in ("failed", "unsure"):
            talk.emit(ev.Progress("failure"))
            talk.say("system_down" if outcome.name == "failed" else "system_unsure")
            self._trouble()
            return
        self._goto(goto or self._flow().after(step))
        self._run()

    def _trouble(self) -> None:
        """Something that is needed is down: leave the topic and offer a human."""
        self._drop_all()
        if esc.failed_enough(self.talk.state, self._rules):
            self.escalate("repeated_failure")
        else:
            self.talk.emit(ev.FlowStarted(OFFER_HUMAN, self.talk.books.flows.flow(OFFER_HUMAN).steps[0].id))
            self._run()

    def _give_up(self, outcome: str) -> None:
        while self.talk.state.stack[-1].sub:
            self._pop(outcome)
        self._pop(outcome)
        self._after_topic(quiet=True)

    # -- asking ---------------------------------------------------------------------------------------------------

    def _ask(self) -> None:
        """Say the question of the current step (in other words after a failure), and wait for the answer."""
        talk = self.talk
        if not talk.state.stack:
            return
        step, tries = self._step(), talk.state.stack[-1].tries
        if talk.state.stack[-1].asks >= MAX_ASKS:
            self.escalate("repeated_failure")
            return
        talk.emit(ev.Asked(step.id, again=tries > 0))
        match step:
            case lang.Collect():
                talk.say(step.again if tries and step.again else step.ask)
                talk.acted(f"ask:{step.collect}")
            case lang.Confirm():
                talk.say(step.ask)
                talk.acted(f"confirm:{step.confirm}")
            case lang.Question():
                talk.say(step.question)
                talk.acted(f"ask:{step.id}")
        self._expect()

    def _expect(self) -> None:
        """What the voice side should wait for, and the buttons of the text side."""
        talk = self.talk
        if not talk.state.stack or not talk.state.stack[-1].waiting:
            return
        step = self._step()
        if isinstance(step, lang.Collect):
            spec = talk.books.flows.slots[step.collect]
            kind = {"digits": Expect.DIGITS, "address": Expect.ADDRESS}.get(spec.type, Expect.FREE)
            missing = max(0, spec.length - len(talk.vault.dictated)) if spec.type == "digits" else 0
            talk.expect = Expectation(kind, step.collect, missing)
        elif isinstance(step, lang.Confirm):
            talk.expect = Expectation(Expect.YES_NO, step.confirm)
            talk.offer(("对", "yes"), ("不对", "no"))
        elif isinstance(step, lang.Question):
            solved = step.kind == "solved"
            talk.expect = Expectation(Expect.YES_NO, "solved" if solved else "")
            talk.offer(
                (step.choices[0], "solved" if solved else "yes"), (step.choices[1], "unsolved" if solved else "no")
            )

    # -- knowledge ------------------------------------------------------------------------------------------------

    def _consulted(self, consult: Consult, answer: Answer | None) -> None:
        talk = self.talk
        ask, self._otherwise = self._otherwise, None
        assert ask is not None
        if answer is not None and answer.known and answer.confidence >= ask.confidence:
            self._answered(consult, answer)
            return
        if ask.otherwise != po.NOT_UNDERSTOOD:
            self._do(ask.otherwise)
        elif answer is None:
            talk.acted("knowledge_down")
            talk.emit(ev.Progress("failure"))
            talk.say("knowledge_down")
            if esc.failed_enough(talk.state, self._rules):
                self.escalate("repeated_failure")
            elif talk.state.top:
                self._ask()
            else:
                self._trouble()
        elif self._heard.question or self._heard.intent == "faq":
            talk.acted("answer_unknown")
            self._fail("answer_unknown")
        else:
            self._simple("not_understood")

    def _answered(self, consult: Consult, answer: Answer) -> None:
        talk = self.talk
        self._good()
        talk.action = "answer"
        text = speakable(answer.text) if talk.state.voice else answer.text
        now, rest = breath(text, self._breath) if talk.state.voice else (text, "")
        titles = {hit.entry.id: hit.entry.title for hit in answer.hits}
        talk.sources = tuple(Source(id, titles.get(id, "")) for id in answer.sources)
        talk.emit(ev.Answered(consult.question, answer.sources, rest))
        talk.say("answer_lead")
        talk.say_text(now)
        if rest:
            talk.extra["rest"] = rest
            waiting = talk.state.top
            if waiting is None:
                self._begin(po.Begin(LONG_ANSWER))
                return
        self._after_answer()

    def _after_answer(self) -> None:
        talk = self.talk
        while talk.state.stack and not self._resumable():
            self._pop("dropped")
        if talk.state.stack:
            self._ask()
        else:
            talk.say("anything_else")

    # -- the end --------------------------------------------------------------------------------------------------

    def _hang_up(self, reason: str, prompt: str) -> None:
        talk = self.talk
        self._drop_all()
        if prompt:
            talk.say(prompt)
        talk.acted(f"hang_up:{reason}")
        talk.emit(ev.HungUp(talk.turn, reason))
        talk.end = HangUp(talk.reply_id, reason)
        talk.expect = Expectation(Expect.NOTHING)
