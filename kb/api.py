"""What callers may know of the knowledge base."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

PATH = " > "
"""Between the headings of a passage's title."""


class EntryKind(StrEnum):
    """A question with its answer, or a passage of a document."""

    FAQ = "faq"
    PASSAGE = "passage"


@dataclass(frozen=True, slots=True)
class Entry:
    """One searchable unit.

    title: the question (FAQ) or the heading path (passage). content: the answer or the passage, plain text; the first
    paragraph of a FAQ answer is its spoken form.
    variants: other ways to ask the same. source: file or system it comes from, with its place ("手册.pdf#p3").
    """

    id: str
    kind: EntryKind
    title: str
    content: str
    variants: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    source: str = ""
    updated_at: str = ""


@dataclass(frozen=True, slots=True)
class Hit:
    """A found entry; `score` in [0, 1] is comparable between queries, `lexical`/`semantic` are its parts."""

    entry: Entry
    score: float
    lexical: float
    semantic: float


@dataclass(frozen=True, slots=True)
class Answer:
    """A grounded answer. `known` is False for "I don't know" (then `text` is empty). `sources` name entries used."""

    known: bool
    text: str
    confidence: float
    sources: tuple[str, ...] = ()
    hits: tuple[Hit, ...] = ()
    cached: bool = False


class KbService(Protocol):
    """Search, answer, and live update. Safe to call concurrently."""

    async def search(self, query: str, *, limit: int = 5, tags: Sequence[str] = ()) -> tuple[Hit, ...]:
        """Best entries first. BadInput for an empty or over-long (500 characters) query."""
        ...

    async def answer(self, question: str, *, tags: Sequence[str] = ()) -> Answer:
        """A short grounded answer with its sources, or `known=False` when the evidence is weak."""
        ...

    async def upsert(self, entries: Sequence[Entry]) -> int:
        """Insert or replace by id, searchable when this returns. Returns how many were written, all or none."""
        ...

    async def delete(self, ids: Sequence[str]) -> int:
        """Delete by id; unknown ids are not an error. Returns how many were deleted."""
        ...

    async def count(self) -> int:
        """Number of entries."""
        ...

    async def ids(self, prefix: str = "") -> tuple[str, ...]:
        """Ids that begin with `prefix`, sorted: what an import finds of its earlier self."""
        ...

    async def texts(self) -> tuple[str, ...]:
        """Every title, variant and content: the tenant's own words, for the recogniser's language model."""
        ...

    async def aclose(self) -> None:
        """Close the index; may be called twice."""
        ...
