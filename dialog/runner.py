"""Runs flows: a step at a time until somebody must be waited for, something fetched, or the conversation ends. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from dialog import escalation as esc
from dialog import events as ev
from dialog.api import Expect, Expectation, Handoff, HangUp
from dialog.flows import language as lang
from dialog.summary import summarise
from dialog.talk import Call, Effect, Outcome, Talk

MAX_TOPICS = 3
MAX_ASKS = 8
"""How often one question is asked before it is given up, whatever lies between (corrections, other questions)."""
CALL_BACK, OFFER_HUMAN = "call_back", "offer_human"
_HAND_OVER = {"requested": "hand_over_requested", "emotion": "hand_over_emotion", "flow": "hand_over_flow"}


class Runner:
    """The flows of one turn. `effect` is what must be done before it can go on."""

    def __init__(self, talk: Talk, rules: esc.EscalationRules, *, target: str) -> None:
        self.talk = talk
        self.rules = rules
        self.effect: Effect | None = None
        self._target = target

    def start(
        self,
        name: str,
        step: str = "",
        *,
        slots: Mapping[str, str] | None = None,
        fresh: bool = False,
        typed: bool = False,
    ) -> None:
        """Begin a topic. What was under way waits below it, unless it is of the kind that is not gone back to."""
        talk = self.talk
        while talk.state.stack and not self.resumable():
            self.pop("dropped")
        if sum(not frame.sub for frame in talk.state.stack) >= MAX_TOPICS:
            self.drop_all()
        talk.set_dictated("")
        if fresh:
            talk.set_slot("order_number", "")
        flow = talk.books.flows.flow(name)
        for slot in flow.forget:
            talk.set_slot(slot, "")
        for slot, value in (slots or {}).items():
            if talk.value(slot) != value:
                talk.set_slot(slot, value, typed=typed)
        talk.emit(ev.FlowStarted(name, step or flow.steps[0].id))
        self.run()

    def escalate(self, reason: str) -> None:
        """Bring in a human, or what is left when nobody can be reached."""
        talk = self.talk
        talk.acted(f"hand_over:{reason}")
        if not esc.may_transfer(talk.state, self.rules):
            self._unreachable(reason)
            return
        self.drop_all()
        if "comfort" in talk.prompts:  # sorry has been said
            talk.say("hand_over_requested")
        else:
            talk.say(_HAND_OVER.get(reason, "hand_over_failure"))
        summary = summarise(talk, reason)
        talk.emit(ev.HandedOver(talk.turn, self._target, reason, summary.summary))
        talk.end = Handoff(talk.reply_id, self._target, summary)
        talk.expect = Expectation(Expect.NOTHING)

    def _unreachable(self, reason: str) -> None:
        """Nobody can be reached any more: a call back once, then an honest end."""
        talk = self.talk
        offered = any(topic == CALL_BACK for topic, _ in talk.state.topics)
        inside = any(frame.flow == CALL_BACK for frame in talk.state.stack)
        if not offered and not inside:
            talk.say("no_more_transfers")
            self.start(CALL_BACK)
        elif reason == "requested" and not inside:
            talk.say("no_more_transfers")
            talk.say("stay_with_me")
        else:
            self.hang_up("unsolved", "goodbye_stuck")

    def fail(self, prompt: str) -> None:
        """Not understood, not valid, not found: say so and ask again, but not for ever."""
        talk = self.talk
        talk.emit(ev.Progress("failure"))
        if esc.failed_enough(talk.state, self.rules):
            step = self.step() if talk.state.stack else None
            if isinstance(step, lang.Collect) and step.failed and not talk.state.hot:
                self.goto(step.failed)
                self.run()
                return
            self.escalate("emotion" if talk.state.hot else "repeated_failure")
            return
        talk.say(prompt)
        if talk.state.top:
            self.ask()

    def good(self) -> None:
        """The conversation moves: failures, silences and the like are counted from nought again."""
        state = self.talk.state
        if any((state.failures, state.silences, state.noises, state.repeats, state.waits)):
            self.talk.emit(ev.Progress("good"))

    def resumable(self) -> bool:
        """Whether the topic on top (the flow under its parts) is to be gone back to."""
        base = next(frame for frame in reversed(self.talk.state.stack) if not frame.sub)
        return self.talk.books.flows.flow(base.flow).resume

    def pop(self, outcome: str) -> None:
        self.talk.set_dictated("")
        self.talk.emit(ev.FlowEnded(self.talk.state.stack[-1].flow, outcome))

    def drop_all(self) -> None:
        while self.talk.state.stack:
            self.pop("dropped")

    def after_topic(self, *, quiet: bool) -> None:
        """A topic is over: go back to the one below, or ask what else."""
        talk = self.talk
        while talk.state.stack and not self.resumable():
            self.pop("dropped")
        if talk.state.stack:
            base = next(frame for frame in reversed(talk.state.stack) if not frame.sub)
            talk.say("back_to", topic=talk.books.flows.flow(base.flow).title)
            self.run()
        elif not quiet:
            talk.say("anything_else")

    def flow(self) -> lang.Flow:
        return self.talk.books.flows.flow(self.talk.state.stack[-1].flow)

    def step(self) -> lang.Step:
        return self.flow().step(self.talk.state.stack[-1].step)

    def slot(self) -> str:
        step = self.step() if self.talk.state.stack else None
        return (
            step.collect if isinstance(step, lang.Collect) else step.confirm if isinstance(step, lang.Confirm) else ""
        )

    def goto(self, step: str) -> None:
        """Move to a step of the flow on top, or end it."""
        talk = self.talk
        if step != lang.END:
            talk.emit(ev.StepEntered(step))
            return
        sub = talk.state.stack[-1].sub
        quiet = self.flow().quiet
        self.pop("done")
        if sub:
            self.goto(self.flow().after(self.step()))
        else:
            if not quiet:
                talk.emit(ev.Progress("helped"))
            self.after_topic(quiet=quiet)

    def run(self) -> None:
        """Go on from the current step until something must be waited for."""
        talk = self.talk
        first = True
        while talk.state.stack and not talk.end and not self.effect:
            top = talk.state.stack[-1]
            if top.waiting and not first:
                return  # a topic ended, and the one below it has asked its question again
            first = False
            if top.visits.get(top.step, 0) > lang.MAX_VISITS:
                self.escalate("repeated_failure")
                return
            if self._do_step(self.step()):
                return

    def _do_step(self, step: lang.Step) -> bool:
        """Do one step; True when the person is waited for."""
        talk = self.talk
        match step:
            case lang.Collect() if not talk.value(step.collect):
                self.ask()
                return True
            case lang.Confirm() if not talk.value(step.confirm):
                self.goto(step.redo)
                return False
            case lang.Confirm() if not (step.skip_typed and step.confirm in talk.state.typed):
                self.ask()
                return True
            case lang.Question():
                self.ask()
                return True
            case lang.Say(say=prompt):
                talk.say(prompt)
                talk.acted(f"say:{prompt}")
            case lang.Set(set=values):
                for slot, value in values.items():
                    talk.set_slot(slot, value)
            case lang.Branch(branch=cases):
                goto = next((case.goto for case in cases if self._holds(case)), "")
                self.goto(goto or self.flow().after(step))
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
                self.hang_up(reason, "")
                return True
            case lang.GiveUp(give_up=outcome):
                self._give_up(outcome)
                return True
        self.goto(self.flow().after(step))
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
        self.effect = Call(step.call, parameters, f"{talk.state.session}:{talk.turn}:{step.call}:{talk.calls}")

    def called(self, call: Call, outcome: Outcome) -> None:
        talk = self.talk
        step = self.step()
        assert isinstance(step, lang.Call)
        for slot, value in outcome.slots.items():
            if talk.value(slot) != value:
                talk.set_slot(slot, value, typed=True)
        talk.emit(ev.Acted(call.action, outcome.name, outcome.facts))
        goto = step.on.get(outcome.name)
        if goto is None and outcome.name in ("failed", "unsure"):
            talk.emit(ev.Progress("failure"))
            talk.say("system_down" if outcome.name == "failed" else "system_unsure")
            self.trouble()
            return
        self.goto(goto or self.flow().after(step))
        self.run()

    def trouble(self) -> None:
        """Something that is needed is down: leave the topic and offer a human."""
        self.drop_all()
        if esc.failed_enough(self.talk.state, self.rules):
            self.escalate("repeated_failure")
        else:
            self.talk.emit(ev.FlowStarted(OFFER_HUMAN, self.talk.books.flows.flow(OFFER_HUMAN).steps[0].id))
            self.run()

    def _give_up(self, outcome: str) -> None:
        while self.talk.state.stack[-1].sub:
            self.pop(outcome)
        self.pop(outcome)
        self.after_topic(quiet=True)

    def ask(self) -> None:
        """Say the question of the current step (in other words after a failure), and wait for the answer."""
        talk = self.talk
        if not talk.state.stack:
            return
        step, tries = self.step(), talk.state.stack[-1].tries
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
        self.expect()

    def expect(self) -> None:
        """What the voice side should wait for, and the buttons of the text side."""
        talk = self.talk
        if not talk.state.stack or not talk.state.stack[-1].waiting:
            return
        step = self.step()
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

    def hang_up(self, reason: str, prompt: str) -> None:
        talk = self.talk
        self.drop_all()
        if prompt:
            talk.say(prompt)
        talk.acted(f"hang_up:{reason}")
        talk.emit(ev.HungUp(talk.turn, reason))
        talk.end = HangUp(talk.reply_id, reason)
        talk.expect = Expectation(Expect.NOTHING)
