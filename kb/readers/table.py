"""CSV, TSV (csv) and XLSX (openpyxl). A table with a question and an answer column is a FAQ.

Of any other table each row is a passage: "column：value；…" under the row's name, descriptions without the column's.
"""

from __future__ import annotations

import csv
import io
import warnings
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from common.errors import BadInput
from kb.readers import Question, Section
from kb.readers.encoding import read_text

COLUMNS = {
    "question": ("question", "问题", "标准问题", "标准问"),
    "answer": ("answer", "答案", "回答", "标准答案"),
    "variants": ("variants", "相似问", "相似问题", "相似问法", "其他问法", "扩展问"),
    "tags": ("tags", "category", "标签", "分类", "类别"),
    "detail": ("detail", "详情", "详细说明", "补充说明"),
    "name": ("name", "title", "名称", "品名", "商品名称", "产品名称", "标题"),
}
PROSE = ("description", "说明", "描述", "介绍", "简介", "备注")
"""Columns whose cells speak for themselves."""
_SEPARATORS = "|｜\n"
Row = tuple[str, list[str]]  # place, cells


def read(path: Path) -> Iterator[Section | Question]:
    """Questions or sections, row by row; BadInput names the row that is wrong."""
    if path.suffix.lower() != ".xlsx":
        yield from _table(str(path), "", _csv_rows(path))
        return
    for sheet, rows in _sheets(path):
        yield from _table(f"{path} sheet {sheet!r}", sheet, rows)


def _table(where: str, title: str, rows: Iterable[Row]) -> Iterator[Section | Question]:
    filled = (row for row in rows if any(cell for cell in row[1]))
    first = next(filled, None)
    if first is None:
        return
    header = [cell.lower() for cell in first[1]]
    at = {kind: i for kind, names in COLUMNS.items() for i, cell in enumerate(header) if cell in names}
    if ("question" in at) != ("answer" in at):
        wanted, missing = ("answer", "question") if "answer" in at else ("question", "answer")
        raise BadInput(
            f"{where} {first[0]}: there is a {wanted} column but no {missing} column; "
            f"name it one of: {', '.join(COLUMNS[missing])}"
        )
    for place, cells in filled:
        if len(cells) > len(header) and any(cells[len(header) :]):
            raise BadInput(f"{where} {place}: {len(cells)} cells under {len(header)} columns; quote cells with commas")
        cells += [""] * (len(header) - len(cells))
        if "question" in at:
            yield _question(where, place, cells, at)
        else:
            name = cells[at.get("name", 0)]
            values = [
                cell if key in PROSE else f"{key}：{cell}"
                for key, cell in zip(header, cells, strict=False)
                if cell and cell != name
            ]
            yield Section(tuple(part for part in (title, name) if part), "；".join(values), place)


def _question(where: str, place: str, cells: Sequence[str], at: dict[str, int]) -> Question:
    def cell(kind: str) -> str:
        return cells[at[kind]] if kind in at else ""

    if not cell("question") or not cell("answer"):
        raise BadInput(f"{where} {place}: the {'answer' if cell('question') else 'question'} is empty")
    answer = "\n\n".join(part for part in (cell("answer"), cell("detail")) if part)
    return Question(cell("question"), answer, _list(cell("variants")), _list(cell("tags")), place)


def _list(cell: str) -> tuple[str, ...]:
    for separator in _SEPARATORS[1:]:
        cell = cell.replace(separator, _SEPARATORS[0])
    return tuple(dict.fromkeys(part.strip() for part in cell.split(_SEPARATORS[0]) if part.strip()))


def _csv_rows(path: Path) -> Iterator[Row]:
    text = read_text(path)
    head = text.splitlines()[0] if text else ""
    delimiter = max(",;\t", key=head.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    began = 1
    try:
        for cells in reader:
            yield f"L{began}", [cell.strip() for cell in cells]
            began = reader.line_num + 1
    except csv.Error as error:
        raise BadInput(f"{path} line {reader.line_num}: {error}") from None


def _sheets(path: Path) -> Iterator[tuple[str, Iterator[Row]]]:
    import openpyxl
    from openpyxl.utils.exceptions import InvalidFileException

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it tells of charts and validations that it leaves out
            book = openpyxl.load_workbook(path, read_only=True, data_only=True)
    except (InvalidFileException, zipfile.BadZipFile, KeyError, ValueError) as error:
        raise BadInput(f"{path}: not an XLSX workbook ({error})") from None
    try:
        for sheet in book.worksheets:
            rows = sheet.iter_rows(values_only=True)
            yield sheet.title, ((f"{sheet.title}!{i}", [_cell(v) for v in row]) for i, row in enumerate(rows, 1))
    finally:
        book.close()


def _cell(value: object) -> str:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return "" if value is None else str(value).strip()
