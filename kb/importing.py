"""Documents into a knowledge base, in place or over the wire. A document imported again replaces its earlier self."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from kb.api import Entry, KbService
from kb.readers import read

SAMPLE = Path(__file__).parent / "sample"
_BATCH = 32
Progress = Callable[[str, int, int], None]
"""Document, entries written, entries in all."""


@dataclass(frozen=True, slots=True)
class Imported:
    """What became of one document."""

    name: str
    written: int
    removed: int


async def import_document(
    kb: KbService, name: str, entries: Sequence[Entry], progress: Progress | None = None
) -> Imported:
    """Write the entries of document `name`, then remove those of its earlier import that it no longer has."""
    before = await kb.ids(f"{name}#")
    written = 0
    for start in range(0, len(entries), _BATCH):
        written += await kb.upsert(entries[start : start + _BATCH])
        if progress is not None:
            progress(name, written, len(entries))
    gone = sorted(set(before) - {entry.id for entry in entries})
    return Imported(name, written, await kb.delete(gone) if gone else 0)


def sample_documents() -> list[Path]:
    """The documents of the sample shop 云杉商城."""
    return [SAMPLE / "faq.csv", SAMPLE / "products.csv", *sorted((SAMPLE / "manuals").glob("*.md"))]


async def import_sample(kb: KbService, progress: Progress | None = None) -> int:
    """Import the sample shop; returns the number of entries written."""
    return sum([(await import_document(kb, path.name, read(path), progress)).written for path in sample_documents()])
