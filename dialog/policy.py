"""What to do about a turn: `decide(situation, heard, …)`, pure. Carrying it out is dialog.machine's business."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from common.settings import Section
from dialog import digits, slots
from dialog.acts import Act, wants_it_done
from dialog.api import TurnKind
from dialog.flows import language as lang
from dialog.flows.book import FlowBook
from dialog.heard import Heard
from dialog.moves import (
    NOT_UNDERSTOOD,
    Action,
    Ask,
    Begin,
    Dictation,
    Fill,
    Redo,
    Reply,
    Simple,
    TooMany,
    WhichDigit,
    Without,
)
from dialog.state import State


class PolicyRules(Section):
    """Confidences in [0, 1].

    start: an intent that begins a flow. switch: one that leaves the flow which waits for an answer. human: one that
    calls a human although no word for it was heard. faq_first: an answer that is given although an intent would begin a
    flow. guess: an answer to what was no clear question. act: an intent that counts as a yes, a no and the like.
    """

    start: float = 0.45
    switch: float = 0.75
    human: float = 0.85
    faq_first: float = 0.6
    guess: float = 0.5
    act: float = 0.6


@dataclass(frozen=True, slots=True)
class Situation:
    """The state with what the vault adds: real slot values, the digits dictated so far.

    ended: the bot has said goodbye already, and was talked over.
    """

    state: State
    values: Mapping[str, str]
    dictated: str = ""
    ended: bool = False


_COURTESY = (Act.YES, Act.THANKS, Act.FILLER, Act.GOT_IT, Act.GOODBYE, Act.SOLVED, Act.NOTHING_ELSE)


def waiting_step(state: State, book: FlowBook) -> lang.Step | None:
    """The step that waits for an answer, if one does."""
    top = state.top
    return book.flow(top.flow).step(top.step) if top and top.waiting else None


def decide(now: Situation, heard: Heard, book: FlowBook, rules: PolicyRules) -> Action:
    """The action for this turn. Feelings are dialog.escalation's business and come first."""
    state = now.state
    if state.handed:
        return Simple("handing_over")
    if now.ended and (heard.kind in (TurnKind.SILENCE, TurnKind.NOISE) or (heard.says(*_COURTESY) and heard.short)):
        return Simple("goodbye")
    if heard.kind is TurnKind.SILENCE:
        return Simple("silence")
    if heard.kind is TurnKind.NOISE or (heard.kind in (TurnKind.SPEECH, TurnKind.TEXT) and not heard.text.strip()):
        return Simple("noise")
    if heard.says(Act.HUMAN) or (heard.intent == "human_agent" and heard.confidence >= rules.human):
        return Simple("human")
    step = waiting_step(state, book)
    if heard.kind is TurnKind.DTMF and (keyed := _keyed(now, heard, step, book)):
        return keyed
    if heard.short and heard.says(Act.REPEAT):
        return Simple("repeat")
    if heard.short and heard.says(Act.WAIT) and not heard.question and not digits.longest_run(heard.text)[2:]:
        return Simple("wait")
    if heard.short and heard.says(Act.GOODBYE):
        return Simple("goodbye")
    if heard.flow and heard.flow in book.flows:
        return Begin(heard.flow)
    answer = _answer(now, heard, step, book, rules) if step else None
    return answer or (_aside(now, heard, step, book, rules) if step else _idle(now, heard, book, rules))


def _keyed(now: Situation, heard: Heard, step: lang.Step | None, book: FlowBook) -> Action | None:
    keys = heard.text
    if keys == "*":
        return Simple("repeat")
    if isinstance(step, lang.Collect) and book.slots[step.collect].type == "digits":
        return _dictation(now, step, book.slots[step.collect], keys.replace("#", "")) if keys.strip("#*") else None
    if keys == "0":
        return Simple("human")
    reading_on = isinstance(step, lang.Question) and step.kind == "more"
    if isinstance(step, lang.Confirm | lang.Question) and keys in ("1", "2") and not reading_on:
        return Reply(keys == "1")
    if (step is None or reading_on) and now.state.helped and keys in ("1", "2"):
        return Simple("solved" if keys == "1" else "unsolved")
    numbers = slots.prefill(book.slots, heard)
    if step is None and "order_number" in numbers:
        return Begin("order_status", slots=numbers)
    return NOT_UNDERSTOOD


def _answer(now: Situation, heard: Heard, step: lang.Step, book: FlowBook, rules: PolicyRules) -> Action | None:
    """The turn as an answer to what was asked; None when it is none."""
    match step:
        case lang.Collect():
            spec = book.slots[step.collect]
            if spec.type == "digits":
                return _number(now, heard, step, spec, book)
            return _value(now, heard, step, spec, book, rules)
        case lang.Confirm():
            return _confirmation(now, heard, step, book.slots[step.confirm])
        case lang.Question():
            return _yes_no(heard, step)
    return None


def _number(now: Situation, heard: Heard, step: lang.Collect, spec: lang.SlotSpec, book: FlowBook) -> Action | None:
    text = heard.text
    if "fix.old" in now.state.facts and now.dictated:
        mended = digits.place(now.dictated, now.state.facts["fix.old"], now.state.facts["fix.new"], text)
        if mended:
            return _collected(step, spec, mended)
    fix = digits.correct(now.dictated, text)
    if fix and fix.old:
        return WhichDigit(step.collect, fix.old, fix.new)
    if fix and fix.number != digits.longest_run(text):
        return _collected(step, spec, fix.number)
    run = digits.longest_run(text)
    named = heard.entities.get(spec.entity, "") if spec.entity else ""
    if slots.valid(spec, named) and len(run) >= spec.length:
        return Fill(step.collect, named)
    if run and (len(run) >= 3 or digits.share(text) >= 0.5):
        return _dictation(now, step, spec, text) if not _other(run, step, book) else _other(run, step, book)
    if heard.says(Act.DONT_KNOW) or (heard.says(Act.NO, Act.OTHER_ONE) and heard.short and not now.dictated):
        return Without() if step.unknown else None
    if heard.says(Act.NO) and heard.short and now.dictated:
        return Dictation(step.collect, "")
    if heard.says(Act.YES, Act.FILLER, Act.THANKS, Act.GREETING, Act.GOT_IT) and heard.short and not heard.question:
        return Simple("listening")
    return None


def _other(run: str, step: lang.Collect, book: FlowBook) -> Action | None:
    """A whole number of another kind (a phone number instead of an order number)."""
    if not step.unknown or slots.valid(book.slots[step.collect], run):
        return None
    fits = {n: run for n, s in book.slots.items() if s.type == "digits" and s.length >= 8 and slots.valid(s, run)}
    return Without(fits) if fits else None


def _dictation(now: Situation, step: lang.Collect, spec: lang.SlotSpec, text: str) -> Action:
    return _collected(step, spec, digits.collect(now.dictated, text, spec.length))


def _collected(step: lang.Collect, spec: lang.SlotSpec, number: str) -> Action:
    if len(number) > spec.length or not number.startswith(spec.prefix[: len(number)]):
        return TooMany(step.collect)
    if len(number) < spec.length:
        return Dictation(step.collect, number)
    return Fill(step.collect, number) if slots.valid(spec, number) else TooMany(step.collect)


def _value(
    now: Situation, heard: Heard, step: lang.Collect, spec: lang.SlotSpec, book: FlowBook, rules: PolicyRules
) -> Action | None:
    if heard.says(Act.DONT_KNOW, Act.NO) and heard.short and step.unknown:
        return Without()
    if heard.says(Act.CANCEL) and heard.short:
        return None
    found = slots.value(spec, heard)
    free = spec.type == "text" and not spec.pattern
    if not found or (heard.acts and heard.short and not slots.listed(spec, heard.text)):
        return None
    if free and heard.short and heard.confidence >= rules.human:
        return _switch(now, heard, book, rules) or Fill(step.collect, found)
    if not free and not slots.listed(spec, heard.text) and not heard.entities.get(spec.entity or "-"):
        elsewhere = _switch(now, heard, book, rules)
        if elsewhere:
            return elsewhere
        if heard.question:
            return Ask(heard.text, rules.faq_first, Fill(step.collect, found))
    return Fill(step.collect, found)


def _confirmation(now: Situation, heard: Heard, step: lang.Confirm, spec: lang.SlotSpec) -> Action | None:
    value = now.values.get(step.confirm, "")
    if heard.says(Act.CANCEL) and heard.short:
        return None
    if spec.type == "digits":
        if "fix.old" in now.state.facts:
            mended = digits.place(value, now.state.facts["fix.old"], now.state.facts["fix.new"], heard.text)
            if mended:
                return Fill(step.confirm, mended, mended=True)
        run = digits.longest_run(heard.text)
        said = digits.collect("", heard.text, spec.length) if run else ""
        if slots.valid(spec, said) and said != value:
            return Fill(step.confirm, said, mended=True)
        fix = digits.correct(value, heard.text)
        if fix and fix.old:
            return WhichDigit(step.confirm, fix.old, fix.new)
        if fix and slots.valid(spec, fix.number):
            return Fill(step.confirm, fix.number, mended=fix.number != value) if fix.number != value else Reply(True)
        if heard.says(Act.NO) or digits.says_wrong(heard.text):
            return Redo(run if 3 <= len(run) < spec.length and run.startswith(spec.prefix) else "")
        if said and said == value:
            return Reply(True)
    elif heard.says(Act.NO):
        better = slots.value(spec, heard)
        if better and len(slots.bare(heard.text)) < len(heard.text) and not heard.short:
            return Fill(step.confirm, better, mended=True)
        return Redo()
    if heard.says(Act.NO, Act.OTHER_ONE):
        return Redo()
    return Reply(True) if heard.says(Act.YES, Act.GOT_IT) else None


def _yes_no(heard: Heard, step: lang.Question) -> Action | None:
    if step.kind == "solved":
        if heard.says(Act.UNSOLVED, Act.NO):
            return Reply(False)
        if heard.says(Act.SOLVED, Act.YES, Act.GOT_IT):
            return Reply(True)
        return Simple("goodbye") if heard.says(Act.THANKS, Act.NOTHING_ELSE) else None
    if heard.says(Act.NO, Act.OTHER_ONE, Act.NOTHING_ELSE, Act.CANCEL) and heard.short:
        return Reply(False)
    if heard.says(Act.NO) and not heard.says(Act.YES):
        return Reply(False)
    return Reply(True) if heard.says(Act.YES, Act.SOLVED) else None


def _aside(now: Situation, heard: Heard, step: lang.Step, book: FlowBook, rules: PolicyRules) -> Action:
    """Not an answer: another topic, a question in between, or nothing that can be understood."""
    if heard.short and heard.says(Act.CANCEL):
        return Simple("leave")
    if elsewhere := _switch(now, heard, book, rules):
        return elsewhere
    insisted = book.by_intent.get(heard.intent, "") in {frame.flow for frame in now.state.stack}
    if insisted and heard.confidence >= rules.switch and not heard.repeated:
        return Simple("insisted")
    if not heard.understood and not heard.question:
        return Simple("down")
    if heard.question or heard.intent == "faq":
        sure = rules.guess if heard.intent != "faq" else 0.0
        return Ask(heard.text, sure, NOT_UNDERSTOOD)
    if heard.says(Act.FILLER, Act.THANKS, Act.GREETING) and heard.short:
        return Simple("listening")
    return NOT_UNDERSTOOD


def _switch(now: Situation, heard: Heard, book: FlowBook, rules: PolicyRules) -> Action | None:
    """The other topic that a turn goes to in the middle of a flow."""
    flow = book.by_intent.get(heard.intent, "") if heard.confidence >= rules.switch else ""
    if not heard.understood:
        flow = book.by_keyword(heard.text)
    if not flow or flow in {frame.flow for frame in now.state.stack} or book.flow(flow).quiet:
        return None
    begin = Begin(flow, slots=slots.prefill(book.slots, heard), fresh=heard.says(Act.OTHER_ONE))
    return _first_the_book(heard, book, rules, begin)


def _first_the_book(heard: Heard, book: FlowBook, rules: PolicyRules, begin: Begin) -> Action:
    """A general question about a thing that a flow does is answered, not acted on."""
    if book.flow(begin.flow).faq_first and heard.question and not wants_it_done(heard.text):
        return Ask(heard.text, rules.faq_first, begin)
    return begin


def _idle(now: Situation, heard: Heard, book: FlowBook, rules: PolicyRules) -> Action:
    state = now.state
    if heard.short and not heard.question:
        if state.helped and heard.says(Act.SOLVED):
            return Simple("solved")
        if state.helped and heard.says(Act.UNSOLVED) and not heard.says(Act.NOTHING_ELSE):
            return Simple("unsolved")
        if heard.says(Act.NOTHING_ELSE, Act.NO, Act.CANCEL):
            return Simple("close" if state.helped else "goodbye")
        if heard.says(Act.THANKS) and not book.by_keyword(heard.text):
            return Simple("welcome")
        if heard.says(Act.GOT_IT) and state.helped:
            return Simple("close")
        if heard.says(Act.YES, Act.FILLER, Act.GOT_IT):
            return Simple("go_ahead")
    flow = book.by_intent.get(heard.intent, "") if heard.confidence >= rules.start else ""
    if not heard.understood:
        flow = book.by_keyword(heard.text)
    numbers = slots.prefill(book.slots, heard)
    if not flow and "order_number" in numbers:
        flow = "order_status"
    if flow:
        begin = Begin(flow, slots=numbers, fresh=heard.says(Act.OTHER_ONE))
        return _first_the_book(heard, book, rules, begin)
    if heard.says(Act.GREETING):
        return Simple("go_ahead")
    otherwise = NOT_UNDERSTOOD if heard.understood else Simple("down")
    if heard.question or heard.intent == "faq":
        return Ask(heard.text, 0.0, otherwise)
    return Ask(heard.text, rules.guess, otherwise) if len(heard.text) >= 4 else otherwise
