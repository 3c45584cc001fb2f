"""Where entries are kept and found: the port `Store` and its values. One file per backend beside this one.

A store finds candidates and says what it saw of each; it does not judge. Scoring is `kb.ranking`, the same for all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from kb.api import Entry

Vectors = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Document:
    """An entry made ready for searching. Words and syllables are those of `kb.text`, in order.

    vectors: float32 [n, dim], unit length: the title, each variant, and the pieces of the content.
    """

    entry: Entry
    title: tuple[str, ...]
    variants: tuple[tuple[str, ...], ...]
    content: tuple[str, ...]
    sounds: tuple[str, ...]
    vectors: Vectors


@dataclass(frozen=True, slots=True)
class Probe:
    """A query made ready. vector: float32 [dim], unit length."""

    text: str
    words: tuple[str, ...]
    sounds: tuple[str, ...]
    vector: npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Candidate:
    """A found entry with its words and syllables. cosine: of its nearest vector, whichever search found it."""

    entry: Entry
    title: tuple[str, ...]
    variants: tuple[tuple[str, ...], ...]
    content: tuple[str, ...]
    sounds: tuple[str, ...]
    cosine: float


@dataclass(frozen=True, slots=True)
class Found:
    """What a store answers: candidates, best first by rank fusion, and how common the probe's terms are.

    frequency: number of entries that hold each word or syllable pair of the probe. count: number of all entries.
    generation: state of the index that was searched; changes with every write.
    """

    candidates: tuple[Candidate, ...]
    frequency: dict[str, int]
    count: int
    generation: int


class Store(Protocol):
    """Safe to call concurrently. A write is seen whole or not at all by any search that begins after it returned."""

    async def find(self, probe: Probe, *, limit: int, tags: Sequence[str] = ()) -> Found:
        """The best `limit` entries that carry all of `tags`.

        Fused (`kb.stores.fusion`) from searches by words (title and variants weigh three times content), by sound,
        and by vector.
        """
        ...

    async def generation(self) -> int:
        """Changes with every write, by whatever process."""
        ...

    async def write(self, documents: Sequence[Document]) -> int:
        """Insert or replace by id, all or none. Returns how many."""
        ...

    async def delete(self, ids: Sequence[str]) -> int:
        """Delete by id; returns how many there were."""
        ...

    async def count(self) -> int:
        """Number of entries."""
        ...

    async def entries(self, *, after: str = "", limit: int = 1000) -> tuple[Entry, ...]:
        """Entries with id > `after`, in the order of ids."""
        ...

    async def ids(self, prefix: str = "") -> tuple[str, ...]:
        """Ids that begin with `prefix`, sorted."""
        ...

    async def vocabulary(self) -> Mapping[str, int]:
        """Number of entries that hold each word of two to four characters."""
        ...

    async def recipe(self) -> str:
        """How the stored documents were made ready ("" = empty store); see `kb.service`."""
        ...

    async def set_recipe(self, recipe: str) -> None:
        """Note how the documents were made ready, once all of them were."""
        ...

    async def aclose(self) -> None:
        """Close; may be called twice."""
        ...
