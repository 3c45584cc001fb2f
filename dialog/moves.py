"""What may be done about a turn: the values that the policy decides for and dialog.machine carries out."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Fill:
    """A slot has its value. `mended`: it was corrected, so it is read back again."""

    slot: str
    value: str
    mended: bool = False


@dataclass(frozen=True, slots=True)
class Dictation:
    """A number goes on: its digits so far."""

    slot: str
    digits: str


@dataclass(frozen=True, slots=True)
class TooMany:
    """More digits than the number has: from the start again."""

    slot: str


@dataclass(frozen=True, slots=True)
class WhichDigit:
    """A digit is wrong, but there are several of it."""

    slot: str
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class Redo:
    """The value that was read back is wrong; `digits`: the beginning of the right one, if it was said."""

    digits: str = ""


@dataclass(frozen=True, slots=True)
class Reply:
    """A yes or a no to what was asked."""

    yes: bool


@dataclass(frozen=True, slots=True)
class Without:
    """The person does not have what was asked for; `other`: slots they gave instead."""

    other: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Begin:
    """Start a flow, at a step of it ("" = the first)."""

    flow: str
    step: str = ""
    slots: dict[str, str] = field(default_factory=dict)
    fresh: bool = False


@dataclass(frozen=True, slots=True)
class Ask:
    """Look the question up; below `confidence` do `otherwise`."""

    question: str
    confidence: float
    otherwise: Action


@dataclass(frozen=True, slots=True)
class Simple:
    """Everything that needs no more than its name: repeat, wait, silence, noise, not_understood, down, goodbye,
    close, welcome, solved, unsolved, go_ahead, leave, listening, insisted, human, handing_over."""

    what: str


Action = Fill | Dictation | TooMany | WhichDigit | Redo | Reply | Without | Begin | Ask | Simple

NOT_UNDERSTOOD = Simple("not_understood")
