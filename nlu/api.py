"""What callers may know of understanding: `NluService` and the values it returns."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

OUT_OF_SCOPE = "out_of_scope"
INFORM = "inform"  # nothing but values (a number, a date, an address): an answer to what was asked


@dataclass(frozen=True, slots=True)
class Token:
    """One segmented word with its part-of-speech tag (ICTCLAS tag set, as jieba gives it)."""

    text: str
    pos: str
    stop: bool = False


@dataclass(frozen=True, slots=True)
class Entity:
    """A value found in the text.

    type: phone, id_card, bank_card, order_number, money, date, time, number, address, email, person, product, digits,
    wrong_digits, position.
    value: canonical form (phone digits; amount in yuan as a decimal string; date YYYY-MM-DD, or an interval
    YYYY-MM-DD/YYYY-MM-DD; time HH:MM, or YYYY-MM-DDTHH:MM).
    digits are what was dictated, complete or not; wrong_digits are what they replace ("不是三是四"); position is
    the part of the earlier number that is meant, as a Python slice ("最后一位" -1:, "第三位" 2:3, "前三位" :3).
    start, end: character offsets into `NluResult.text` (the normalised text).
    """

    type: str
    value: str
    raw: str
    start: int
    end: int
    confidence: float = 1.0


@dataclass(frozen=True, slots=True)
class Intent:
    """A recognised intent and its confidence in [0, 1]."""

    name: str
    confidence: float


@dataclass(frozen=True, slots=True)
class NluRequest:
    """A text to understand.

    expected_slot: name of the slot the dialog waits for ("" = none); biases entity choice, never hides an intent.
    today: ISO date against which 昨天 and the like are resolved ("" = the service's own clock).
    """

    text: str
    expected_slot: str = ""
    language: str = "zh"
    today: str = ""


@dataclass(frozen=True, slots=True)
class NluResult:
    """What was understood. `text` is the normalised text; `intent.name` is OUT_OF_SCOPE when nothing fits."""

    text: str
    intent: Intent
    alternatives: tuple[Intent, ...] = ()
    entities: tuple[Entity, ...] = ()
    tokens: tuple[Token, ...] = field(default=())

    def entity(self, kind: str) -> Entity | None:
        """The first entity of this type."""
        return next((e for e in self.entities if e.type == kind), None)


class NluService(Protocol):
    """Text in, meaning out. Stateless and safe to call concurrently."""

    async def parse(self, request: NluRequest) -> NluResult:
        """Understand one text. Raises BadInput for a text that is too long (over 2,000 characters)."""
        ...

    async def aclose(self) -> None:
        """Release models and workers; may be called twice."""
        ...
