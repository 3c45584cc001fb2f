"""Markdown (CommonMark and tables) through markdown-it-py. A heading that asks (?) begins a FAQ entry."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.token import Token

from kb.readers import Question, Section
from kb.readers.encoding import read_text


def read(path: Path) -> Iterator[Section | Question]:
    """Sections in order, one for each heading that has text of its own."""
    headings: list[tuple[int, str]] = []
    lines: list[str] = []
    began = 1
    level = 0
    for token, text in _texts(MarkdownIt("commonmark").enable("table").parse(read_text(path))):
        if token.type == "heading_open":
            yield from _part(headings, lines, began)
            level, lines = int(token.tag[1]), []
            began = (token.map or [0])[0] + 1
        elif level:
            headings = [(depth, name) for depth, name in headings if depth < level] + [(level, text)]
            level = 0
        else:
            lines.append(text)
    yield from _part(headings, lines, began)


def _part(headings: list[tuple[int, str]], lines: list[str], began: int) -> Iterator[Section | Question]:
    text = "\n".join(line for line in lines if line)
    if not text:
        return
    names = tuple(name for _, name in headings)
    if names and names[-1].endswith(("？", "?")):
        yield Question(names[-1], text, (), names[1:-1], f"L{began}")
    else:
        yield Section(names, text, f"L{began}")


def _texts(tokens: list[Token]) -> Iterator[tuple[Token, str]]:
    """Heading openings, and the text of every block; a table row is one text, "column：cell；…"."""
    header: list[str] = []
    row: list[str] = []
    for i, token in enumerate(tokens):
        if token.type == "heading_open":
            yield token, ""
        elif token.type in ("fence", "code_block"):
            yield token, token.content.strip()
        elif token.type == "thead_close":
            header, row = row, []
        elif token.type == "tr_close" and header:
            yield token, "；".join(f"{name}：{cell}" for name, cell in zip(header, row, strict=False) if cell)
            row = []
        elif token.type == "table_close":
            header = []
        elif token.type == "inline":
            cell = tokens[i - 1].type in ("th_open", "td_open")
            if cell:
                row.append(_plain(token))
            else:
                yield token, _plain(token)


def _plain(inline: Token) -> str:
    """The words without markup; a soft line break inside Chinese text joins."""
    text = ""
    for child in inline.children or ():
        if child.type == "softbreak":
            text += " " if text[-1:].isascii() else ""
        elif child.type == "hardbreak":
            text += "\n"
        elif child.type != "html_inline":
            text += child.content
    return text.strip()
