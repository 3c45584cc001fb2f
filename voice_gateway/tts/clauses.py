"""Where a text may be cut: clauses at marks, and the units that an engine says in one breath.

The first unit is short so that the first audio comes early; later units are whole sentences where they fit, because a
sentence said as one has the better melody. Pieces are never cut in two.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from voice_gateway.tts.text import Piece, is_hanzi, speakable

SENTENCE_MARKS = "。！？!?…"
CLAUSE_MARKS = "，,；;：:、"
_CLOSING = "”’」』）)】》\"'"
_HARD_LIMIT = 120


@dataclass(frozen=True, slots=True)
class Unit:
    """Pieces said as one."""

    pieces: tuple[Piece, ...]

    @property
    def written(self) -> str:
        return "".join(piece.written for piece in self.pieces)

    @property
    def spoken(self) -> str:
        return "".join(piece.spoken for piece in self.pieces)

    @property
    def sayable(self) -> bool:
        """Something other than marks is said."""
        return any(char.isalnum() for char in self.spoken)

    @property
    def mark(self) -> str:
        """The last mark: a sentence's, a clause's, or "" for none."""
        for char in reversed(self.spoken.rstrip(_CLOSING + " ")):
            return char if char in SENTENCE_MARKS + CLAUSE_MARKS + "." else ""
        return ""


def length(pieces: Iterable[Piece]) -> int:
    """How long pieces are to say, in syllables: a Chinese character or letter of a word is one, marks nothing."""
    total = 0
    for piece in pieces:
        letters = 0
        for char in piece.spoken:
            if is_hanzi(char):
                total += 1
            elif char.isalnum():
                letters += 1
        total += -(-letters // 3)
    return total


def clauses(pieces: Iterable[Piece]) -> Iterator[tuple[Piece, ...]]:
    """Cut after every mark (closing quotes and further marks stay with it)."""
    current: list[Piece] = []
    ended = False
    for piece in pieces:
        tail = piece.spoken == "" or all(c in SENTENCE_MARKS + CLAUSE_MARKS + _CLOSING + " ." for c in piece.spoken)
        if ended and not tail:
            yield tuple(current)
            current, ended = [], False
        current.append(piece)
        if tail and any(c in SENTENCE_MARKS + CLAUSE_MARKS for c in piece.spoken):
            ended = True
        if len(current) >= _HARD_LIMIT and not ended:
            yield tuple(current)
            current = []
    if current:
        yield tuple(current)


def units(text: str, *, first: int = 12, later: int = 40) -> tuple[Unit, ...]:
    """`text` as units: the first at most about `first` syllables long where a mark allows it, the others `later`.

    The units' `written` joined are the text. Nothing sayable joins the unit before it.
    """
    return tuple(_units(speakable(text), first, later))


def _units(pieces: tuple[Piece, ...], first: int, later: int) -> Iterator[Unit]:
    limit = first
    current: list[Piece] = []
    for clause in clauses(pieces):
        size = length(clause)
        whole = Unit(tuple(current))
        full = length(current) + size > limit or _ends_sentence(whole, limit, first)
        if whole.sayable and size and full:
            yield whole
            current, limit = [], later
        current.extend(clause)
    if current:
        yield Unit(tuple(current))


def _ends_sentence(unit: Unit, limit: int, first: int) -> bool:
    return limit != first and unit.mark in tuple(SENTENCE_MARKS)
