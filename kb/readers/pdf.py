"""PDF through pypdf: the text of each page, under the headings that its bookmarks or its numbered lines give.

Leaves out: tables as tables, text in pictures (run OCR first), columns.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from common.errors import BadInput
from kb.readers import Section

_CHAPTER = re.compile(r"^第[一二三四五六七八九十百\d]+[章节篇部分]+\s*\S{1,30}$")
_NUMBERED = re.compile(r"^(?:[一二三四五六七八九十]+、|(\d{1,2}(?:\.\d{1,2})*)[、.\s])\s*[^\s。；，]{1,30}$")
_UNFINISHED = re.compile(r"[^。！？!?；;：:.”）)]$")


def read(path: Path) -> Iterator[Section]:
    """Sections in order; BadInput for a file that is damaged, locked, or pictures only."""
    from pypdf import PdfReader
    from pypdf.errors import PyPdfError

    logging.getLogger("pypdf").setLevel(logging.ERROR)  # it warns of each small flaw that it repairs
    try:
        reader = PdfReader(path)
        if reader.is_encrypted and not reader.decrypt(""):
            raise BadInput(f"{path}: locked by a password; save a copy without one")
        pages = [page.extract_text() for page in reader.pages]
        marks = _bookmarks(reader)
    except (PyPdfError, ValueError, KeyError, OSError) as error:
        raise BadInput(f"{path}: not a readable PDF ({error})") from None
    if not any(page.strip() for page in pages):
        raise BadInput(f"{path}: {len(pages)} pages without text, pictures only; recognise the text (OCR) first")
    title = str((reader.metadata and reader.metadata.title) or path.stem)
    yield from _sections(title, pages, marks)


def _sections(title: str, pages: list[str], marks: dict[str, int]) -> Iterator[Section]:
    headings: tuple[str, ...] = ()
    lines: list[str] = []
    began = 1
    for number, page in enumerate(pages, 1):
        for line in filter(None, (line.strip() for line in page.splitlines())):
            if (depth := marks.get(line, _depth(line))) is None:
                lines.append(line)
                continue
            if lines:
                yield Section((title, *headings), _flow(lines), f"p{began}")
            headings, lines, began = (*headings[:depth], line), [], number
    if lines:
        yield Section((title, *headings), _flow(lines), f"p{began}")


def _depth(line: str) -> int | None:
    """How deep a heading that its number makes known is (第一章 0, 2.1 1, 2.1.3 2); None for text."""
    if _CHAPTER.match(line):
        return 0
    match = _NUMBERED.match(line)
    return (match[1] or "").count(".") if match else None


def _flow(lines: list[str]) -> str:
    """Lines joined where the page's width broke them: a line without an end goes on in the next."""
    text = lines[0]
    for before, line in zip(lines, lines[1:], strict=False):
        if not _UNFINISHED.search(before):
            text += "\n"
        elif before[-1].isascii() and line[0].isascii():
            text += " "
        text += line
    return text


def _bookmarks(reader: Any) -> dict[str, int]:
    """Depth of each bookmark by its text."""
    found: dict[str, int] = {}

    def walk(items: list[Any], depth: int) -> None:
        for item in items:
            if isinstance(item, list):
                walk(item, depth + 1)
            else:
                found[str(item.title).strip()] = depth

    walk(reader.outline, 0)
    return found
