"""Documents to entries. One file per family of formats beside this one; their libraries are imported when needed.

A reader yields `Section`s (text under headings) or, of a table with questions and answers, whole FAQ entries. Sections
become passages of 150 to 400 characters. Ids come from the document's name and the heading or question, so that a
re-import finds its earlier self: an answer may change and keeps its id.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from hashlib import blake2b
from importlib import import_module
from pathlib import Path

from common.errors import BadInput, NotFound
from kb.api import PATH, Entry, EntryKind
from kb.readers.chunks import chunks

FORMATS = {
    ".md": "markdown",
    ".markdown": "markdown",
    ".csv": "table",
    ".tsv": "table",
    ".xlsx": "table",
    ".pdf": "pdf",
    ".docx": "docx",
}


@dataclass(frozen=True, slots=True)
class Section:
    """Text that stands together. headings: from the document's title down. place: where it begins ("L12", "p3")."""

    headings: tuple[str, ...]
    text: str
    place: str


@dataclass(frozen=True, slots=True)
class Question:
    """A question with its answer, from a table or from a heading that asks."""

    question: str
    answer: str
    variants: tuple[str, ...]
    tags: tuple[str, ...]
    place: str


Reader = Callable[[Path], Iterable[Section | Question]]


def read(path: Path, *, name: str = "", tags: Iterable[str] = ()) -> list[Entry]:
    """All entries of the document at `path`; `name` (default: the file's) begins their ids and their source.

    Raises NotFound for a missing file and BadInput that names file and place for one that cannot be understood.
    """
    if not path.is_file():
        raise NotFound(f"{path}: no such file")
    if (family := FORMATS.get(path.suffix.lower())) is None:
        raise BadInput(f"{path}: cannot read {path.suffix or 'files without a suffix'}; known: {', '.join(FORMATS)}")
    reader: Reader = import_module(f"kb.readers.{family}").read
    name = name or path.name
    entries = list(_entries(name, reader(path)))
    if not entries:
        raise BadInput(f"{path}: no text found in it")
    extra = tuple(tags)
    return [replace(entry, tags=tuple(dict.fromkeys((*entry.tags, *extra)))) for entry in entries]


def _entries(name: str, parts: Iterable[Section | Question]) -> Iterator[Entry]:
    seen: Counter[str] = Counter()
    sections: list[Section] = []
    for part in parts:
        if isinstance(part, Section):
            sections.append(part)
        else:
            yield Entry(
                id=_id(name, part.question, seen),
                kind=EntryKind.FAQ,
                title=part.question,
                content=part.answer,
                variants=part.variants,
                tags=part.tags,
                source=f"{name}#{part.place}",
            )
    for section in sections:
        title = PATH.join(section.headings) or Path(name).stem
        for chunk in chunks(section.text):
            yield Entry(
                id=_id(name, title, seen),
                kind=EntryKind.PASSAGE,
                title=title,
                content=chunk,
                source=f"{name}#{section.place}",
            )


def _id(name: str, title: str, seen: Counter[str]) -> str:
    """Name and title, short; a number tells the second of the same title from the first."""
    seen[title] += 1
    mark = blake2b(title.encode(), digest_size=6).hexdigest()
    return f"{name}#{mark}" + (f"-{seen[title]}" if seen[title] > 1 else "")
