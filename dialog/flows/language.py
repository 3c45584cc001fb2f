"""The flow language: what a flow file may say, checked when it is loaded, with errors that name file, flow and step.

A flow is a list of steps, done in order unless a step names another. A step is exactly one of

    collect: SLOT     ask for a value until there is a valid one      ask, again, unknown: STEP, failed: STEP
    confirm: SLOT     read a value back                               ask, redo: STEP (after a no), skip_typed
    question: PROMPT  a yes or no                                     yes: STEP, no: STEP, choices
    call: ACTION      have something done                             lead: PROMPT, with: {PARAMETER: SLOT or FACT},
                                                                      on: {OUTCOME: STEP}
    say: PROMPT       say something
    set: {SLOT: TEXT} set slots to a text of this file ("" clears)
    branch: [...]     go where the first case that holds points       when: {NAME: VALUE, [VALUES], present, absent}
    run: FLOW         do another flow as a part of this one
    hand_over: REASON bring in a human
    hang_up: REASON   end the conversation
    give_up: OUTCOME  leave this flow and every flow that it is a part of

and may name its successor (`next: STEP`, or `next: end`). There are no expressions and no loops: a step that is entered
more than MAX_VISITS times in one run of a flow hands over, so that every flow ends.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

END = "end"
MAX_VISITS = 4


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class Step(_Strict):
    """What every step has."""

    id: str = ""
    next: str = ""


class Collect(Step):
    """Ask for a slot. `unknown`: where to go when the person does not have it; `failed`: after the last failure."""

    collect: str
    ask: str
    again: str = ""
    unknown: str = ""
    failed: str = ""


class Confirm(Step):
    """Read a slot back. `redo`: where a plain no leads, with the slot cleared."""

    confirm: str
    ask: str
    redo: str
    skip_typed: bool = True


class Question(Step):
    """A yes-or-no question. `choices`: labels of the buttons in text channels.

    kind: solved (the answer is kept as the rating; keys 1 and 2), more (shall I read on: keys rate the answer instead).
    """

    question: str
    yes: str
    no: str
    choices: tuple[str, str] = ("是", "否")
    kind: Literal["plain", "solved", "more"] = "plain"


class Call(Step):
    """An action. `lead` is said before it, so that nobody waits in silence."""

    call: str
    lead: str = ""
    with_: dict[str, str] = Field(default_factory=dict, alias="with")
    on: dict[str, str] = Field(default_factory=dict)


class Say(Step):
    """Something to say."""

    say: str


class Set(Step):
    """Slots set to fixed texts."""

    set: dict[str, str]


class Case(_Strict):
    """One way of a branch; without `when` it always holds."""

    when: dict[str, str | tuple[str, ...]] = Field(default_factory=dict)
    goto: str


class Branch(Step):
    """The first case that holds; none holding goes on with the next step."""

    branch: tuple[Case, ...]


class Run(Step):
    """Another flow as a part of this one."""

    run: str


class HandOver(Step):
    """A human takes over."""

    hand_over: str


class HangUp(Step):
    """The end."""

    hang_up: str


class GiveUp(Step):
    """Out of this topic."""

    give_up: str


STEP_KINDS: dict[str, type[Step]] = {
    "collect": Collect,
    "confirm": Confirm,
    "question": Question,
    "call": Call,
    "say": Say,
    "set": Set,
    "branch": Branch,
    "run": Run,
    "hand_over": HandOver,
    "hang_up": HangUp,
    "give_up": GiveUp,
}
LAST = (Question, HandOver, HangUp, GiveUp)
"""Steps that never go on to the step below them."""


class Flow(_Strict):
    """One flow.

    intents: what starts it. keywords: what starts it while understanding is down. title: how it is called to people.
    faq_first: a question of a general kind is answered from the knowledge base before the flow is started.
    resume: gone back to after a change of topic. quiet: no "anything else?" follows. forget: slots cleared at start.
    """

    flow: str
    title: str = ""
    intents: tuple[str, ...] = ()
    keywords: tuple[str, ...] = ()
    faq_first: bool = False
    resume: bool = True
    quiet: bool = False
    forget: tuple[str, ...] = ()
    steps: tuple[Step, ...]

    def step(self, id: str) -> Step:
        """The step of that id."""
        return next(step for step in self.steps if step.id == id)

    def after(self, step: Step) -> str:
        """The id of the step that follows, or END."""
        if step.next:
            return step.next
        place = self.steps.index(step) + 1
        return self.steps[place].id if place < len(self.steps) else END


class SlotSpec(_Strict):
    """What a slot may hold.

    type: digits (of `length`, beginning with `prefix`, matching `pattern`), text (at least `min_length` characters),
    address, email, choice (a value of `options`, recognised by its words; other text is kept as it is).
    personal: its value is masked in events and lives in the vault. title: how it is called to a human agent.
    facts: groups of facts that hold only for this value and are forgotten when it changes.
    """

    type: Literal["digits", "text", "address", "email", "choice"] = "text"
    title: str
    length: int = 0
    pattern: str = ""
    prefix: str = ""
    min_length: int = 1
    personal: bool = False
    entity: str = ""
    facts: tuple[str, ...] = ()
    options: dict[str, tuple[str, ...]] = Field(default_factory=dict)


def targets(step: Step) -> list[str]:
    """Every step that this one may lead to by name."""
    named = [step.next]
    match step:
        case Collect():
            named += [step.unknown, step.failed]
        case Confirm():
            named += [step.redo]
        case Question():
            named += [step.yes, step.no]
        case Call():
            named += step.on.values()
        case Branch():
            named += [case.goto for case in step.branch]
    return [name for name in named if name]


def prompts(step: Step) -> list[str]:
    """Every prompt that this step says."""
    match step:
        case Collect():
            return [p for p in (step.ask, step.again) if p]
        case Confirm():
            return [step.ask]
        case Question():
            return [step.question]
        case Call():
            return [step.lead] if step.lead else []
        case Say():
            return [step.say]
    return []
