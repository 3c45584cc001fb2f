"""Where a conversation stands: `fold(events)`, a pure function. The vault fills in what events may not hold."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import singledispatch
from typing import Any

from dialog import events as ev
from dialog.api import Channel
from emotion.api import EmotionReading

KEPT_EMOTIONS = 40
VOICE = frozenset({Channel.PHONE, Channel.WEBRTC})


@dataclass(frozen=True, slots=True)
class Frame:
    """One running flow. tries: failed answers to the question; asks: how often it was asked; visits: of each step."""

    flow: str
    step: str
    sub: bool = False
    waiting: bool = False
    tries: int = 0
    asks: int = 0
    visits: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class State:
    """Everything the policy may look at. `slots` are masked where personal; `typed` names those keyed or written."""

    session: str
    channel: Channel = Channel.PHONE
    language: str = "zh"
    purpose: str = ""
    stack: tuple[Frame, ...] = ()
    slots: dict[str, str] = field(default_factory=dict)
    personal: frozenset[str] = frozenset()
    typed: frozenset[str] = frozenset()
    dictated: int = 0
    facts: dict[str, str] = field(default_factory=dict)
    said: dict[str, int] = field(default_factory=dict)
    emotions: tuple[EmotionReading, ...] = ()
    hot: bool = False
    hot_turns: int = 0
    comforted: bool = False
    failures: int = 0
    total_failures: int = 0
    silences: int = 0
    noises: int = 0
    repeats: int = 0
    waits: int = 0
    patient: bool = False
    helped: int = 0
    rest: str = ""
    topics: tuple[tuple[str, str], ...] = ()
    handed: bool = False
    transfers_failed: int = 0
    apology_due: bool = False
    ending: str = ""
    closed: bool = False
    rated: bool | None = None
    last_turn: int = 0
    last_text: str = ""
    last_reply: str = ""
    last_parts: tuple[ev.Part, ...] = ()
    opened: int = 0

    @property
    def voice(self) -> bool:
        """Whether replies are spoken."""
        return self.channel in VOICE

    @property
    def top(self) -> Frame | None:
        """The flow that runs now."""
        return self.stack[-1] if self.stack else None


def fold(session: str, recorded: Iterable[ev.Recorded]) -> State:
    """The state after these events."""
    state = State(session)
    for item in recorded:
        state = apply(state, item.event)
    return state


def apply(state: State, event: ev.Event) -> State:
    """The state after one more event."""
    return _apply(event, state)


def _with_top(state: State, frame: Frame) -> State:
    return replace(state, stack=(*state.stack[:-1], frame))


@singledispatch
def _apply(event: Any, state: State) -> State:
    raise TypeError(f"no such event: {type(event).__name__}")


@_apply.register
def _(event: ev.Opened, state: State) -> State:
    return replace(
        state,
        channel=event.channel,
        language=event.language,
        purpose=event.purpose,
        closed=False,
        ending="",
        handed=False,
        opened=state.opened + 1,
    )


@_apply.register
def _(event: ev.Heard, state: State) -> State:
    emotions = (*state.emotions, event.emotion)[-KEPT_EMOTIONS:] if event.emotion else state.emotions
    return replace(
        state,
        last_turn=event.turn,
        last_text=event.text or state.last_text,
        emotions=emotions,
        ending="",
    )


@_apply.register
def _(event: ev.FlowStarted, state: State) -> State:
    return replace(state, stack=(*state.stack, Frame(event.flow, event.step, event.sub, visits={event.step: 1})))


@_apply.register
def _(event: ev.StepEntered, state: State) -> State:
    frame = state.stack[-1]
    visits = frame.visits | {event.step: frame.visits.get(event.step, 0) + 1}
    return _with_top(state, replace(frame, step=event.step, visits=visits, waiting=False, tries=0, asks=0))


@_apply.register
def _(event: ev.FlowEnded, state: State) -> State:
    frame = state.stack[-1]
    topics = state.topics if frame.sub else (*state.topics, (event.flow, event.outcome))
    return replace(state, stack=state.stack[:-1], topics=topics, dictated=0)


@_apply.register
def _(event: ev.Asked, state: State) -> State:
    return _with_top(state, replace(state.stack[-1], waiting=True, asks=state.stack[-1].asks + 1))


@_apply.register
def _(event: ev.SlotSet, state: State) -> State:
    slots = {name: value for name, value in state.slots.items() if name != event.slot}
    others = frozenset({event.slot})
    return replace(
        state,
        slots=slots | ({event.slot: event.shown} if event.shown else {}),
        personal=state.personal | others if event.personal else state.personal - others,
        typed=state.typed | others if event.typed else state.typed - others,
        dictated=0,
    )


@_apply.register
def _(event: ev.Dictated, state: State) -> State:
    return replace(state, dictated=event.count)


@_apply.register
def _(event: ev.Acted, state: State) -> State:
    kept = {name: value for name, value in (state.facts | event.facts).items() if value}
    return replace(state, facts=kept)


@_apply.register
def _(event: ev.Mood, state: State) -> State:
    return replace(state, hot=event.hot, hot_turns=event.turns, comforted=state.comforted and event.hot)


@_apply.register
def _(event: ev.Progress, state: State) -> State:
    match event.mark:
        case "good":
            return replace(state, failures=0, silences=0, noises=0, repeats=0, waits=0, patient=False)
        case "failure":
            frame = state.top
            counted = replace(
                state, failures=state.failures + 1, total_failures=state.total_failures + 1, silences=0, noises=0
            )
            return _with_top(counted, replace(frame, tries=frame.tries + 1)) if frame else counted
        case "silence":
            return replace(state, silences=state.silences + 1)
        case "noise":
            return replace(state, noises=state.noises + 1, silences=0)
        case "wait":
            return replace(state, patient=True, waits=state.waits + 1, silences=0, noises=0)
        case "repeat":
            return replace(state, repeats=state.repeats + 1, silences=0, noises=0)
        case "helped":
            return replace(state, helped=state.helped + 1)
        case "apologised":
            return replace(state, apology_due=False)
        case "comforted":
            return replace(state, comforted=True)
    return state


@_apply.register
def _(event: ev.Answered, state: State) -> State:
    return replace(
        state, rest=event.rest, helped=state.helped + 1, topics=(*state.topics, (f"问：{event.question}", "done"))
    )


@_apply.register
def _(event: ev.Replied, state: State) -> State:
    said = dict(state.said)
    for prompt in event.prompts:
        said[prompt] = said.get(prompt, 0) + 1
    return replace(state, said=said, last_reply=event.reply_id, last_parts=event.parts)


@_apply.register
def _(event: ev.HandedOver, state: State) -> State:
    return replace(state, handed=True)


@_apply.register
def _(event: ev.HungUp, state: State) -> State:
    return replace(state, ending=event.reason)


@_apply.register
def _(event: ev.Interrupted, state: State) -> State:
    return state


@_apply.register
def _(event: ev.TransferFailed, state: State) -> State:
    return replace(
        state,
        handed=False,
        apology_due=True,
        transfers_failed=state.transfers_failed + 1,
        hot_turns=0,
        failures=0,
    )


@_apply.register
def _(event: ev.Rated, state: State) -> State:
    return replace(state, rated=event.solved)


@_apply.register
def _(event: ev.Closed, state: State) -> State:
    return replace(state, closed=True)
