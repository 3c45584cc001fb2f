"""Importing again, the command line, and the sample shop."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from kb import factory
from kb.api import KbService
from kb.cli import kb_app
from kb.importing import import_document, import_sample, sample_documents
from kb.readers import read
from kb.settings import KbSettings
from tests.kb.tools import make


async def test_importing_again_updates_and_removes(tmp_path: Path) -> None:
    kb = make(tmp_path / "kb.sqlite")
    file = tmp_path / "手册.md"
    told: list[tuple[int, int]] = []

    async def load(text: str) -> tuple[int, int]:
        file.write_text(text, encoding="utf-8")
        done = await import_document(kb, file.name, read(file), lambda _, n, of: told.append((n, of)))
        return done.written, done.removed

    assert await load("# 手册\n\n## 保修\n\n保修一年。\n\n## 清洁\n\n用布擦。") == (2, 0)
    await import_document(kb, "other.md", [e for e in read(file, name="other.md")])
    assert await load("# 手册\n\n## 保修\n\n保修两年。") == (1, 1)
    assert [e.content for e in (h.entry for h in await kb.search("保修")) if e.id.startswith("手册")] == ["保修两年。"]
    assert len(await kb.ids("other.md#")) == 2 and told == [(2, 2), (1, 1)]
    await kb.aclose()


def test_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def build(settings: KbSettings) -> KbService:
        return make(settings.index_file())

    monkeypatch.setattr(factory, "build", build)
    (tmp_path / "faq.csv").write_text(
        "问题,答案\n怎么退货,在订单里点退货。\n怎么换货,在订单里点换货。\n", encoding="utf-8"
    )
    (tmp_path / "bad.csv").write_text("问题,答案\n怎么退货,\n", encoding="utf-8")

    def run(*arguments: str) -> tuple[int, str]:
        done = CliRunner().invoke(kb_app, [*arguments, "--index", str(tmp_path / "kb.sqlite")])
        return done.exit_code, done.output + repr(done.exception or "")

    good, bad = str(tmp_path / "faq.csv"), str(tmp_path / "bad.csv")
    code, output = run("import", good, bad)
    assert code == 1 and "bad.csv L2" in output
    assert "total" in run("stats")[1] and "faq.csv" not in run("stats")[1]  # nothing was written
    code, output = run("import", good, "--tag", "售后")
    assert (
        code == 0 and "faq.csv: 2 entries written, 0 removed" in output and "2 entries in the knowledge base" in output
    )
    assert "在订单里点退货" in run("answer", "怎么退货", "--tag", "售后")[1]
    assert "no sure answer" in run("answer", "怎么退货", "--tag", "物流")[1]
    assert "怎么换货" in run("search", "怎么换货", "--limit", "1")[1]
    assert "2 entries deleted" in run("delete", "faq.csv#")[1]


def test_the_sample_shop_is_rich() -> None:
    entries = {path.name: read(path) for path in sample_documents()}
    questions = entries["faq.csv"]
    assert len(questions) >= 120 and len({entry.title for entry in questions}) == len(questions)
    for entry in questions:
        assert 2 <= len(entry.variants) <= 4 and 20 <= len(entry.content.splitlines()[0]) <= 90, entry.title
    assert sum(name.endswith(".md") for name in entries) == 4
    assert all(len(each) >= 20 for each in entries.values())


async def test_the_sample_shop_answers(tmp_path: Path) -> None:
    """With the real encoder: what a caller asks is answered, however it is said; what the shop can't know is not."""
    kb = factory.build(KbSettings(index=tmp_path / "kb.sqlite"))
    assert await import_sample(kb) == await kb.count() > 250
    said = {
        "我想退货": "申请售后",
        "会员一年要多少钱": "88",
        "怎么开发票呀": "抬头",
        "腿货怎么申请": "申请售后",
        "净化器显示E2是什么意思": "背板",
        "你们几点上班": "八点",
    }
    for question, part in said.items():
        answer = await kb.answer(question)
        assert answer.known and part in answer.text and len(answer.text) <= 100, question
        assert answer.sources[0].split("#")[0] in {path.name for path in sample_documents()}
    for question in ("今天天气怎么样", "帮我订一张去北京的机票", "红烧肉的做法", "世界杯谁赢了"):
        assert not (await kb.answer(question)).known, question
    await kb.aclose()
