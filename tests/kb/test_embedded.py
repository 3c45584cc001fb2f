"""The embedded store on disk: restarts, crashes, other processes, other encoders."""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from common.errors import HotlineError, Misconfigured
from kb.stores import Document, sqlite
from tests.kb.tools import CharacterEncoder, faq, make

RETURN = faq("r", "怎么申请退货", "在订单里点申请售后。", tags=("售后",))
HOURS = faq("h", "门店几点开门", "上午十点开门。")

CRASHER = """
import asyncio, sys
from pathlib import Path
from tests.kb.tools import faq, make

async def main():
    kb = make(Path(sys.argv[1]))
    for number in range(10_000):
        await kb.upsert([faq(f"e{i}", f"保修问题{i}", f"第{number}版") for i in range(5)])
        print("wrote", number, flush=True)

asyncio.run(main())
"""


async def test_survives_a_restart(tmp_path: Path) -> None:
    kb = make(tmp_path / "kb.sqlite")
    await kb.upsert([RETURN, HOURS])
    await kb.delete(["h"])
    await kb.aclose()
    encoder = CharacterEncoder()
    kb = make(tmp_path / "kb.sqlite", encoder)
    assert await kb.count() == 1
    assert (await kb.search("怎么申请退货"))[0].semantic > 0.99
    assert encoder.texts == 1  # only the question: what is stored is not encoded again
    await kb.aclose()


def killed_while_writing(path: Path) -> int:
    """A process writes edition after edition and is killed; the last edition that it reported written."""
    child = subprocess.Popen([sys.executable, "-c", CRASHER, str(path)], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    with child, child.stdout as lines:
        told = -1
        for line in lines:
            if line.startswith("wrote"):
                told = int(line.split()[1])
            if told == 7:
                os.kill(child.pid, signal.SIGKILL)  # what it has printed meanwhile is still read
    return told


async def test_survives_being_killed_while_writing(tmp_path: Path) -> None:
    path = tmp_path / "kb.sqlite"
    told = await asyncio.to_thread(killed_while_writing, path)
    assert told >= 7
    kb = make(path)
    hits = await kb.search("保修问题", limit=10)
    editions = {hit.entry.content for hit in hits}
    assert len(hits) == 5 and len(editions) == 1  # one whole edition
    assert int(editions.pop()[1:-1]) >= told  # and none that was reported written is lost
    await kb.aclose()


async def test_another_process_writes_the_same_file(tmp_path: Path) -> None:
    one, other = make(tmp_path / "kb.sqlite"), make(tmp_path / "kb.sqlite")
    await one.upsert([RETURN])
    assert not (await one.answer("门店几点开门")).known
    await other.upsert([HOURS])
    assert (await one.search("门店几点开门"))[0].semantic > 0.99
    assert (await one.answer("门店几点开门")).text == "上午十点开门。"
    await one.upsert([faq("f", "满多少包邮")])
    assert await other.count() == 3 and (await other.search("满多少包邮"))[0].entry.id == "f"
    await asyncio.gather(*(kb.upsert([faq(f"x{i}", f"问题{i}")]) for i, kb in enumerate([one, other] * 5)))
    assert await one.count() == await other.count() == 13
    await one.aclose()
    await other.aclose()


async def test_another_encoder_makes_the_index_anew(tmp_path: Path) -> None:
    kb = make(tmp_path / "kb.sqlite", CharacterEncoder("old"))
    await kb.upsert([RETURN, HOURS])
    await kb.aclose()
    encoder = CharacterEncoder("new")
    kb = make(tmp_path / "kb.sqlite", encoder)
    assert (await kb.search("怎么申请退货"))[0].entry.id == "r"
    assert encoder.texts > 4
    await kb.aclose()
    same = CharacterEncoder("new")
    kb = make(tmp_path / "kb.sqlite", same)
    await kb.search("怎么申请退货")
    assert same.texts == 1
    await kb.aclose()


def test_title_and_variants_weigh_more_than_content() -> None:
    def document(id_: str, title: str, variant: str, content: str) -> Document:
        words = [tuple(part.split()) for part in (title, variant, content)]
        return Document(faq(id_, title), words[0], (words[1],), words[2], (), np.zeros((1, 4), np.float32))

    db = sqlite3.connect(":memory:")
    sqlite.create(db)
    texts = (("content", "甲", "乙", "保修"), ("title", "保修", "乙", "甲"), ("variant", "甲", "保修", "乙"))
    rows = {
        sqlite.insert(db, document(*text)): text[0]
        for text in (*texts, *((f"x{i}", "丙", "丁", "戊") for i in range(9)))
    }
    best = sqlite.match(db, ["保修"], sqlite.BY_WORDS, {"保修": 3}, limit=5, among=None)
    assert [rows[row] for row in best] == ["title", "variant", "content"]
    db.close()


async def test_nothing_of_a_deleted_entry_stays(tmp_path: Path) -> None:
    kb = make(tmp_path / "kb.sqlite")
    await kb.upsert([RETURN])
    await kb.upsert([faq("r", "怎么退货", "请联系客服。")])
    await kb.delete(["r"])
    await kb.aclose()
    db = sqlite3.connect(tmp_path / "kb.sqlite")
    for table in ("entries", "tags", "terms", "vectors", "search"):
        assert db.execute(f"SELECT count(*) FROM {table}").fetchone() == (0,), table
    db.close()


async def test_a_failed_write_leaves_the_old_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kb = make(tmp_path / "kb.sqlite")
    await kb.upsert([RETURN])

    def broken(*_: object) -> None:
        raise sqlite3.OperationalError("disk full")

    with monkeypatch.context() as patch:
        patch.setattr(sqlite, "count_terms", broken)
        with pytest.raises(HotlineError, match="disk full"):
            await kb.upsert([faq("r", "满多少包邮"), HOURS])
    assert await kb.count() == 1 and (await kb.search("怎么申请退货"))[0].semantic > 0.99
    assert await kb.upsert([HOURS]) == 1
    assert (await kb.search("门店几点开门"))[0].semantic > 0.99
    await kb.aclose()


def test_a_file_that_is_no_index_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "kb.sqlite"
    path.write_bytes(b"this is not a database at all, it is a text file" * 100)
    with pytest.raises(Misconfigured, match=r"kb\.sqlite"):
        make(path)
    assert path.read_bytes().startswith(b"this is not")


async def test_an_index_of_another_format_is_refused(tmp_path: Path) -> None:
    await make(tmp_path / "kb.sqlite").aclose()
    db = sqlite3.connect(tmp_path / "kb.sqlite")
    db.execute("UPDATE meta SET value = '99' WHERE key = 'format'")
    db.commit()
    db.close()
    with pytest.raises(Misconfigured, match="format 99"):
        make(tmp_path / "kb.sqlite")
