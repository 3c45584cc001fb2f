"""What happened in a conversation: an append-only list of frozen events, each safe to keep.

Every text in an event is masked before the event is made. What must be acted on and may not be kept (a phone number, a
new address, the digits of a number that is half dictated) is not here but in the session's `Vault` (dialog.vault).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Literal

from pydantic import Discriminator, TypeAdapter

from dialog.api import Channel, Choice, Expectation, Source, TurnKind, TurnReport
from emotion.api import EmotionReading


@dataclass(frozen=True, slots=True)
class Opened:
    """The conversation began, or began again after it was closed. `caller` is masked."""

    channel: Channel
    caller: str = ""
    called: str = ""
    language: str = "zh"
    purpose: str = ""
    kind: Literal["opened"] = "opened"


@dataclass(frozen=True, slots=True)
class Heard:
    """The person did something. `failed` says which helper did not answer (nlu, emotion)."""

    turn: int
    how: TurnKind
    text: str
    intent: str = ""
    confidence: float = 0.0
    emotion: EmotionReading | None = None
    failed: tuple[str, ...] = ()
    kind: Literal["heard"] = "heard"


@dataclass(frozen=True, slots=True)
class FlowStarted:
    """A flow was put on the stack. `sub`: as a part of the flow below it, not as a change of topic."""

    flow: str
    step: str
    sub: bool = False
    kind: Literal["flow_started"] = "flow_started"


@dataclass(frozen=True, slots=True)
class StepEntered:
    """The flow on top of the stack moved to this step."""

    step: str
    kind: Literal["step_entered"] = "step_entered"


@dataclass(frozen=True, slots=True)
class FlowEnded:
    """The flow on top left the stack. outcome: done, left (the person gave it up), failed, dropped."""

    flow: str
    outcome: str
    kind: Literal["flow_ended"] = "flow_ended"


@dataclass(frozen=True, slots=True)
class Asked:
    """The step on top now waits for the person. `again`: the same question once more."""

    step: str
    again: bool = False
    kind: Literal["asked"] = "asked"


@dataclass(frozen=True, slots=True)
class SlotSet:
    """A slot got a value; `shown` is masked. "" clears it. `typed`: keyed or written, so not misheard."""

    slot: str
    shown: str
    personal: bool
    typed: bool = False
    kind: Literal["slot_set"] = "slot_set"


@dataclass(frozen=True, slots=True)
class Dictated:
    """A part of a number was heard: how many digits are known now. The digits are in the vault."""

    slot: str
    count: int
    kind: Literal["dictated"] = "dictated"


@dataclass(frozen=True, slots=True)
class Acted:
    """An action was called. `facts` are what was learnt, without anything personal."""

    action: str
    outcome: str
    facts: dict[str, str] = field(default_factory=dict)
    kind: Literal["acted"] = "acted"


@dataclass(frozen=True, slots=True)
class Mood:
    """Escalation's memory after this turn: whether the person is upset, and for how many turns."""

    hot: bool
    turns: int
    kind: Literal["mood"] = "mood"


@dataclass(frozen=True, slots=True)
class Progress:
    """How the turn went. mark: good, failure, silence, noise, wait, repeat, helped, comforted, apologised."""

    mark: str
    kind: Literal["progress"] = "progress"


@dataclass(frozen=True, slots=True)
class Answered:
    """A question was answered from the knowledge base. `rest` is what was kept back for a second breath."""

    question: str
    sources: tuple[str, ...] = ()
    rest: str = ""
    kind: Literal["answered"] = "answered"


@dataclass(frozen=True, slots=True)
class Part:
    """One chunk of a reply, masked."""

    text: str
    fixed: bool = False


@dataclass(frozen=True, slots=True)
class Replied:
    """The bot's reply to a turn (turn 0: the greeting). `prompts` names the templates used, for rotation."""

    turn: int
    reply_id: str
    parts: tuple[Part, ...]
    expect: Expectation = Expectation()
    choices: tuple[Choice, ...] = ()
    sources: tuple[Source, ...] = ()
    report: TurnReport = field(default_factory=TurnReport)
    prompts: tuple[str, ...] = ()
    kind: Literal["replied"] = "replied"

    @property
    def text(self) -> str:
        """The whole reply."""
        return "".join(part.text for part in self.parts)


@dataclass(frozen=True, slots=True)
class HandedOver:
    """A human was asked to take over."""

    turn: int
    target: str
    reason: str
    summary: str
    kind: Literal["handed_over"] = "handed_over"


@dataclass(frozen=True, slots=True)
class HungUp:
    """The bot ended the conversation with this reply."""

    turn: int
    reason: str
    kind: Literal["hung_up"] = "hung_up"


@dataclass(frozen=True, slots=True)
class Interrupted:
    """The person talked over a reply; `heard` is what was played of it."""

    reply_id: str
    heard: str
    kind: Literal["interrupted"] = "interrupted"


@dataclass(frozen=True, slots=True)
class TransferFailed:
    """No human could be reached."""

    reason: str
    kind: Literal["transfer_failed"] = "transfer_failed"


@dataclass(frozen=True, slots=True)
class Rated:
    """Did this solve your problem?"""

    solved: bool
    comment: str = ""
    kind: Literal["rated"] = "rated"


@dataclass(frozen=True, slots=True)
class Closed:
    """The channel is gone or the conversation is over."""

    reason: str
    kind: Literal["closed"] = "closed"


Event = (
    Opened
    | Heard
    | FlowStarted
    | StepEntered
    | FlowEnded
    | Asked
    | SlotSet
    | Dictated
    | Acted
    | Mood
    | Progress
    | Answered
    | Replied
    | HandedOver
    | HungUp
    | Interrupted
    | TransferFailed
    | Rated
    | Closed
)


@dataclass(frozen=True, slots=True)
class Recorded:
    """An event with its place (from 1) and its time (epoch seconds)."""

    seq: int
    at: float
    event: Annotated[Event, Discriminator("kind")]


_ADAPTER: TypeAdapter[Recorded] = TypeAdapter(Recorded)


def dump(recorded: Recorded) -> bytes:
    """JSON of one event."""
    return _ADAPTER.dump_json(recorded)


def load(raw: bytes | str) -> Recorded:
    """The event in `raw`, as `dump` made it."""
    return _ADAPTER.validate_json(raw)
