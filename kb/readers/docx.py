"""DOCX through python-docx: paragraphs under Word's heading styles; a table row becomes "column：cell；…"."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from common.errors import BadInput
from kb.readers import Section

_STYLE = re.compile(r"^(?:heading|标题)\s*(\d)$", re.IGNORECASE)


def read(path: Path) -> Iterator[Section]:
    """Sections in order, one for each heading that has text of its own; BadInput for a file that is no DOCX."""
    import docx
    from docx.opc.exceptions import PackageNotFoundError

    try:
        document = docx.Document(str(path))
    except (PackageNotFoundError, zipfile.BadZipFile, KeyError, ValueError) as error:
        raise BadInput(f"{path}: not a DOCX document ({error}); an old .doc must be saved as .docx") from None
    headings: list[tuple[int, str]] = []
    lines: list[str] = []
    began = 1
    blocks: Iterator[Any] = document.iter_inner_content()
    for number, block in enumerate(blocks, 1):
        level = _level(block)
        if level is None:
            lines += _rows(block) if hasattr(block, "rows") else [block.text.strip()]
        elif block.text.strip():
            yield from _section(headings, lines, began)
            headings = [(depth, name) for depth, name in headings if depth < level] + [(level, block.text.strip())]
            lines, began = [], number
    yield from _section(headings, lines, began)


def _section(headings: list[tuple[int, str]], lines: list[str], began: int) -> Iterator[Section]:
    if text := "\n".join(filter(None, lines)):
        yield Section(tuple(name for _, name in headings), text, f"block {began}")


def _level(block: Any) -> int | None:
    """0 for the title, 1 … 9 for headings, None for text and tables."""
    style = getattr(getattr(block, "style", None), "name", "") or ""
    if hasattr(block, "rows"):
        return None
    if style.lower() in ("title", "标题"):
        return 0
    match = _STYLE.match(style)
    return int(match[1]) if match else None


def _rows(table: Any) -> list[str]:
    cells = [[cell.text.strip().replace("\n", " ") for cell in row.cells] for row in table.rows]
    if len(cells) < 2:
        return ["；".join(filter(None, row)) for row in cells]
    header, *rows = cells
    return ["；".join(f"{name}：{cell}" for name, cell in zip(header, row, strict=False) if cell) for row in rows]
