"""Documents of every format to entries; errors name file and place."""

from __future__ import annotations

from pathlib import Path

import docx
import openpyxl
import pytest

from common.errors import BadInput, NotFound
from kb.api import EntryKind
from kb.readers import read
from tests.kb.pdfs import write_pdf

MARKDOWN = """# 手册

开头的话。

## 安装

第一步，**打开**包装。
第二步，接通`电源`。

- 电压220伏
- 功率38瓦

| 代码 | 含义 |
|---|---|
| E1 | 风机故障 |
| E2 | 背板没扣好 |

## 保修多久？

两年。

## 空的

### 清洁

用干布擦。
"""


def test_markdown(tmp_path: Path) -> None:
    file = tmp_path / "手册.md"
    file.write_text(MARKDOWN, encoding="utf-8")
    question, opening, setup, cleaning = read(file, tags=["净化器"])
    assert (question.kind, question.title, question.content) == (EntryKind.FAQ, "保修多久？", "两年。")
    assert opening.title == "手册" and opening.content == "开头的话。" and opening.source == "手册.md#L1"
    assert setup.title == "手册 > 安装" and setup.source == "手册.md#L5"
    assert setup.content == (
        "第一步，打开包装。第二步，接通电源。\n电压220伏\n功率38瓦\n代码：E1；含义：风机故障\n代码：E2；含义：背板没扣好"
    )
    assert cleaning.title == "手册 > 空的 > 清洁" and cleaning.tags == ("净化器",)


def test_ids_stay_when_text_moves_or_answers_change(tmp_path: Path) -> None:
    file = tmp_path / "手册.md"
    file.write_text(MARKDOWN, encoding="utf-8")
    before = {entry.title: entry.id for entry in read(file)}
    file.write_text("# 手册\n\n## 新的一章\n\n新内容。\n" + MARKDOWN[4:].replace("两年", "三年"), encoding="utf-8")
    after = {entry.title: entry.id for entry in read(file)}
    assert {title: after[title] for title in ("手册 > 安装", "保修多久？")} == {
        title: before[title] for title in ("手册 > 安装", "保修多久？")
    }
    assert len(set(after.values())) == len(after) == 4
    assert all(id_.startswith("手册.md#") for id_ in after.values())


def test_long_sections_become_several_passages(tmp_path: Path) -> None:
    file = tmp_path / "long.md"
    file.write_text("# 长文\n\n" + "".join(f"这是第{i}句，说了一些话。" for i in range(80)), encoding="utf-8")
    entries = read(file)
    assert len(entries) > 2 and len({entry.id for entry in entries}) == len(entries)
    assert all(150 <= len(entry.content) <= 400 for entry in entries)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_csv_of_questions(tmp_path: Path, encoding: str, delimiter: str) -> None:
    file = tmp_path / "faq.csv"
    rows = [
        ["分类", "问题", "相似问", "答案", "详情"],
        ["物流", "满多少包邮", "运费多少|要邮费吗", "满59元。", "偏远地区另计。"],
    ]
    file.write_bytes("\r\n".join(delimiter.join(row) for row in [*rows, []]).encode(encoding))
    (entry,) = read(file)
    assert entry.kind is EntryKind.FAQ and entry.title == "满多少包邮" and entry.tags == ("物流",)
    assert entry.variants == ("运费多少", "要邮费吗") and entry.content == "满59元。\n\n偏远地区另计。"
    assert entry.source == "faq.csv#L2"


def test_tables_without_questions_become_passages(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.title = "商品"
    for row in (["编号", "名称", "价格"], ["A1", "保温杯", 99.0], [None, None, None], ["A2", "水壶", 129.5]):
        sheet.append(row)
    file = tmp_path / "商品.xlsx"
    book.save(file)
    cup, kettle = read(file)
    assert cup.kind is EntryKind.PASSAGE and cup.title == "商品 > 保温杯" and cup.content == "编号：A1；价格：99"
    assert kettle.content == "编号：A2；价格：129.5" and kettle.source == "商品.xlsx#商品!4"


def test_docx(tmp_path: Path) -> None:
    document = docx.Document()
    document.add_heading("净化器手册", 0)
    document.add_heading("安装", 1)
    document.add_paragraph("取出滤芯的外膜。")
    document.add_heading("代码", 2)
    table = document.add_table(rows=2, cols=2)
    for cell, value in zip(
        (c for row in table.rows for c in row.cells), ("代码", "含义", "E1", "风机故障"), strict=True
    ):
        cell.text = value
    document.add_heading("清洁", 1)
    document.add_paragraph("用干布擦。", style="List Bullet")
    file = tmp_path / "手册.docx"
    document.save(str(file))
    assert [(entry.title, entry.content) for entry in read(file)] == [
        ("净化器手册 > 安装", "取出滤芯的外膜。"),
        ("净化器手册 > 安装 > 代码", "代码：E1；含义：风机故障"),
        ("净化器手册 > 清洁", "用干布擦。"),
    ]


def test_pdf(tmp_path: Path) -> None:
    file = tmp_path / "手册.pdf"
    first = ["安装", "取出滤芯的外膜，再把滤芯装回，", "扣好背板。", "接通电源。"]
    second = ["1.2 清洁", "用干布擦拭外壳。", "保修", "整机保修两年。"]
    write_pdf(file, [first, second], [("安装", 0), ("保修", 1)])
    entries = read(file)
    assert [(entry.title, entry.content, entry.source) for entry in entries] == [
        ("手册 > 安装", "取出滤芯的外膜，再把滤芯装回，扣好背板。\n接通电源。", "手册.pdf#p1"),
        ("手册 > 安装 > 1.2 清洁", "用干布擦拭外壳。", "手册.pdf#p2"),
        ("手册 > 保修", "整机保修两年。", "手册.pdf#p2"),
    ]


def test_errors_name_file_and_place(tmp_path: Path) -> None:
    def file(name: str, data: bytes) -> Path:
        (tmp_path / name).write_bytes(data)
        return tmp_path / name

    with pytest.raises(NotFound, match=r"missing\.md"):
        read(tmp_path / "missing.md")
    cases = {
        "notes.txt": (b"x", r"notes\.txt: cannot read \.txt"),
        "empty.md": (b" \n", r"empty\.md: no text"),
        "faq.csv": ("问题,答案\n怎么退货,请点退货\n怎么换货,\n".encode(), r"faq\.csv L3: the answer is empty"),
        "half.csv": ("问题,分类\n怎么退货,售后\n".encode(), r"half\.csv L1: .*no answer column"),
        "wide.csv": ("问题,答案\n怎么退货,点退货,然后确认\n".encode(), r"wide\.csv L2: 3 cells under 2 columns"),
        "open.csv": ('问题,答案\n怎么退货,"点退货\n'.encode(), r"open\.csv line 2"),
        "odd.md": (b"# a\n\xff\xfe\x80 \xff", r"odd\.md line 2: neither UTF-8"),
        "fake.xlsx": (b"not a workbook", r"fake\.xlsx: not an XLSX"),
        "fake.docx": (b"not a document", r"fake\.docx: not a DOCX"),
        "fake.pdf": (b"not a pdf at all", r"fake\.pdf: not a readable PDF"),
    }
    for name, (data, message) in cases.items():
        with pytest.raises(BadInput, match=message):
            read(file(name, data))
    write_pdf(tmp_path / "scan.pdf", [[], []])
    with pytest.raises(BadInput, match=r"scan\.pdf: 2 pages without text"):
        read(tmp_path / "scan.pdf")
