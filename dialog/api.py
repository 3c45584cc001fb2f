"""What callers may know of a conversation: `DialogService`, the turns it takes and the reply events it gives.

One conversation is one session. A reply is a stream: ReplyStart(id), ReplyChunk*, ReplyEnd, then at most one of Handoff
or HangUp. Every event of a reply carries its id, so that an interruption can name it and say what was heard.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from emotion.api import AcousticReading, EmotionReading


class Channel(StrEnum):
    """Where a conversation comes in."""

    PHONE = "phone"
    WEBRTC = "webrtc"
    WEB = "web"
    APP = "app"
    WECHAT = "wechat"


class TurnKind(StrEnum):
    """What the person did."""

    SPEECH = "speech"  # heard and recognised
    TEXT = "text"  # typed
    DTMF = "dtmf"  # one or more keys, in `text`
    SILENCE = "silence"  # said nothing in the time given
    NOISE = "noise"  # made sound in which no words were found
    BUTTON = "button"  # pressed an offered choice; `text` is the choice's value


class Expect(StrEnum):
    """What kind of answer the dialog waits for; biases endpointing and decoding."""

    FREE = "free"
    DIGITS = "digits"  # a number is dictated: wait through pauses
    ADDRESS = "address"
    YES_NO = "yes_no"
    NOTHING = "nothing"  # the conversation is closing


@dataclass(frozen=True, slots=True)
class Expectation:
    """kind, the slot being filled ("" = none), and for numbers the length that completes it (0 = unknown)."""

    kind: Expect = Expect.FREE
    slot: str = ""
    digits: int = 0


@dataclass(frozen=True, slots=True)
class SessionStart:
    """Opens a conversation. `caller` identifies the person within the channel (number, user id); "" = unknown.

    outbound_purpose is set when the bot placed the call. session ids are made by the edge and unique.
    """

    session: str
    channel: Channel
    caller: str = ""
    called: str = ""
    language: str = "zh"
    outbound_purpose: str = ""


@dataclass(frozen=True, slots=True)
class UserTurn:
    """One thing the person did. `turn` counts from 1 within the session and makes a repeated send idempotent."""

    session: str
    turn: int
    kind: TurnKind
    text: str = ""
    acoustic: AcousticReading | None = None
    asr_confidence: float = 1.0


@dataclass(frozen=True, slots=True)
class Source:
    """Where a statement comes from."""

    id: str
    title: str


@dataclass(frozen=True, slots=True)
class Choice:
    """An answer offered as a button in text channels; `value` comes back as a BUTTON turn."""

    label: str
    value: str


@dataclass(frozen=True, slots=True)
class ReplyStart:
    """A reply begins. interruptible: whether speech over it may stop it (False only for legal notices)."""

    reply_id: str
    interruptible: bool = True


@dataclass(frozen=True, slots=True)
class ReplyChunk:
    """Text to say or show, whole clauses. `fixed` marks a prompt without variables (worth caching as audio)."""

    reply_id: str
    text: str
    fixed: bool = False


@dataclass(frozen=True, slots=True)
class TurnReport:
    """What the dialog made of the turn, for consoles, demos and tests."""

    intent: str = ""
    intent_confidence: float = 0.0
    slots: dict[str, str] = field(default_factory=dict)
    emotion: EmotionReading | None = None
    action: str = ""
    flow: str = ""


@dataclass(frozen=True, slots=True)
class ReplyEnd:
    """The reply is complete; what is expected next."""

    reply_id: str
    expect: Expectation = Expectation()
    choices: tuple[Choice, ...] = ()
    sources: tuple[Source, ...] = ()
    report: TurnReport = field(default_factory=TurnReport)


@dataclass(frozen=True, slots=True)
class HandoffSummary:
    """What a human needs at a glance. Values are masked except those the agent must act on (slots)."""

    session: str
    reason: str  # requested, emotion, repeated_failure, flow
    summary: str  # a few Chinese sentences
    slots: dict[str, str] = field(default_factory=dict)
    emotion_trend: tuple[float, ...] = ()  # fused score of each turn, oldest first
    last_said: str = ""


@dataclass(frozen=True, slots=True)
class Handoff:
    """Bring in a human; the edge transfers to `target` (a queue name or SIP URI; "" = the edge's default)."""

    reply_id: str
    target: str
    summary: HandoffSummary


@dataclass(frozen=True, slots=True)
class HangUp:
    """End the conversation once the reply was heard. reason: goodbye, solved, unsolved, no_input, noise, error."""

    reply_id: str
    reason: str


ReplyEvent = ReplyStart | ReplyChunk | ReplyEnd | Handoff | HangUp


@dataclass(frozen=True, slots=True)
class HistoryItem:
    """One masked line of the conversation. role: user, bot, system. `at` is epoch seconds."""

    seq: int
    at: float
    role: str
    text: str
    turn: int = 0
    heard: str | None = None  # for an interrupted bot line: the part that was really heard
    report: TurnReport | None = None


class DialogService(Protocol):
    """One conversation per session; turns of one session are handled one after another."""

    def open(self, start: SessionStart) -> AsyncIterator[ReplyEvent]:
        """Begin (greeting), or on a known session resume (repeats the last reply). BadInput for a bad session id."""
        ...

    def respond(self, turn: UserTurn) -> AsyncIterator[ReplyEvent]:
        """Answer one turn. A turn number already answered repeats that reply. NotFound for an unknown session."""
        ...

    async def interrupted(self, session: str, reply_id: str, heard: str) -> None:
        """The person talked over this reply; `heard` is the part of its text that was really played."""
        ...

    async def transfer_failed(self, session: str, reason: str) -> None:
        """The hand-over did not reach a human; the next turns go on with the bot."""
        ...

    async def feedback(self, session: str, solved: bool, comment: str = "") -> None:
        """Did this solve your problem?"""
        ...

    async def close(self, session: str, reason: str) -> None:
        """The channel is gone or the conversation is over; idempotent."""
        ...

    async def history(self, session: str, after: int = 0) -> tuple[HistoryItem, ...]:
        """Masked history, oldest first, items with seq > after. NotFound for an unknown session."""
        ...

    async def fixed_prompts(self) -> tuple[str, ...]:
        """Every prompt without variables, for pre-rendering as audio."""
        ...

    async def aclose(self) -> None:
        """Finish or cancel running turns, close stores; may be called twice."""
        ...
