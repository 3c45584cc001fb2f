"""The contract of `KbService`, over the service in place and over gRPC."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from common.auth import Authority
from common.errors import BadInput
from common.rpc.client import RpcClient
from common.rpc.server import GrpcServer
from kb.api import Entry, EntryKind, KbService
from kb.client import KbClient
from kb.server import register
from tests.kb.tools import faq, make, passage

RETURN = faq("r", "怎么申请退货", "在订单里点申请售后。\n\n也可以到门店办理。", "我想退货怎么弄", tags=("售后",))
FREIGHT = faq("f", "满多少包邮", "满59元包邮。", "运费怎么算的", tags=("物流", "费用"))
HOURS = faq("h", "门店几点开门", "上午十点开门。", tags=("门店",))
MANUAL = passage("m", "手册 > 故障 > 显示E2", "E1表示风机故障。E2表示背板没有扣好，请重新安装背板。E4表示温度过高。")


@pytest.fixture(params=["in place", "gRPC"])
async def kb(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[KbService]:
    """An empty knowledge base in either form."""
    local = make(tmp_path / "kb.sqlite")
    if request.param == "in place":
        yield local
    else:
        authority = Authority("k" * 40)
        async with GrpcServer("127.0.0.1:0", authority, drain_s=0) as server:
            register(server, local)
            port = await server.start()
            client = KbClient(RpcClient(f"127.0.0.1:{port}", authority.service_token("test")))
            yield client
            await client.aclose()
    await local.aclose()
    await local.aclose()


async def test_found_at_once_and_best_first(kb: KbService) -> None:
    assert await kb.search("退货") == ()
    assert await kb.upsert([RETURN, FREIGHT, HOURS, MANUAL]) == 4
    hits = await kb.search("怎么申请退货")
    assert hits[0].entry.id == "r"
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
    assert all(0 <= value <= 1 for hit in hits for value in (hit.score, hit.lexical, hit.semantic))
    assert replace(hits[0].entry, updated_at="") == RETURN and hits[0].entry.updated_at
    assert len(await kb.search("怎么申请退货", limit=1)) == 1


async def test_variants_and_sound_find_the_entry(kb: KbService) -> None:
    await kb.upsert([RETURN, FREIGHT, HOURS, MANUAL])
    assert (await kb.search("运费怎么算"))[0].entry.id == "f"
    assert (await kb.search("怎么身请腿获"))[0].entry.id == "r"


async def test_title_outweighs_content(kb: KbService) -> None:
    filler = [faq(f"x{i}", f"无关的问题{chr(0x4E00 + 97 * i)}", "无关的回答。") for i in range(20)]
    await kb.upsert([faq("content", "其他说明", "保修期一年。"), faq("title", "保修期", "详见说明。"), *filler])
    assert (await kb.search("保修期"))[0].entry.id == "title"


async def test_upsert_replaces_and_delete_removes(kb: KbService) -> None:
    await kb.upsert([RETURN, FREIGHT])
    await kb.upsert([faq("r", "怎么开发票", "在订单里点申请发票。")])
    assert await kb.count() == 2
    assert (await kb.search("怎么开发票"))[0].entry.id == "r"
    assert "我想退货怎么弄" not in await kb.texts()
    assert all("退货" not in hit.entry.title for hit in await kb.search("退货"))
    assert await kb.delete(["r", "nobody"]) == 1
    assert await kb.delete(["r"]) == 0
    assert await kb.ids() == ("f",)
    assert all(hit.entry.id != "r" for hit in await kb.search("怎么开发票"))


async def test_the_last_of_two_with_one_id_wins(kb: KbService) -> None:
    assert await kb.upsert([RETURN, faq("r", "满多少包邮", "满99元包邮。")]) == 1
    assert (await kb.answer("满多少包邮")).text == "满99元包邮。"


async def test_a_bad_entry_spoils_the_whole_upsert(kb: KbService) -> None:
    for bad in (faq("b", " "), faq("b", "问", " "), faq(" ", "问"), faq("b", "问" * 501), faq("b", "问", "答", "")):
        with pytest.raises(BadInput, match="entry"):
            await kb.upsert([RETURN, bad])
    assert await kb.count() == 0 and await kb.search("退货") == ()


async def test_impossible_queries(kb: KbService) -> None:
    for query in ("", "  ", "退" * 501):
        with pytest.raises(BadInput, match="question"):
            await kb.search(query)
        with pytest.raises(BadInput, match="question"):
            await kb.answer(query)
    await kb.upsert([RETURN])
    for query in ("？！", '") OR (title:*', "NEAR AND NOT *", "'; DROP TABLE entries; --", "退" * 500, "\x00退货"):
        await kb.search(query)
    assert await kb.count() == 1


async def test_tags_restrict(kb: KbService) -> None:
    await kb.upsert([RETURN, FREIGHT, HOURS])
    assert {hit.entry.id for hit in await kb.search("怎么申请退货", tags=["物流"])} == {"f"}
    assert {hit.entry.id for hit in await kb.search("怎么申请退货", tags=["物流", "费用"])} == {"f"}
    assert await kb.search("怎么申请退货", tags=["物流", "售后"]) == ()
    assert not (await kb.answer("怎么申请退货", tags=["物流"])).known


async def test_answers_are_short_and_sourced(kb: KbService) -> None:
    await kb.upsert([RETURN, FREIGHT, HOURS, MANUAL])
    answer = await kb.answer("怎么申请退货")
    assert answer.known and answer.text == "在订单里点申请售后。"
    assert answer.sources == ("r",) and answer.hits[0].entry.id == "r" and 0 < answer.confidence <= 1
    found = await kb.answer("故障显示E2，E2表示什么")
    assert found.sources == ("m",) and "背板" in found.text and len(found.text) <= 90
    unknown = await kb.answer("明天股票涨跌")
    assert not unknown.known and unknown.text == "" and unknown.sources == ()


async def test_repeated_question_is_cached_until_the_knowledge_changes(kb: KbService) -> None:
    await kb.upsert([RETURN, FREIGHT])
    assert not (await kb.answer("满多少包邮")).cached
    again = await kb.answer("请问满多少包邮呀？")
    assert again.cached and again.text == "满59元包邮。"
    await kb.upsert([faq("f", "满多少包邮", "满99元包邮。")])
    changed = await kb.answer("满多少包邮")
    assert not changed.cached and changed.text == "满99元包邮。"
    await kb.delete(["f"])
    assert not (await kb.answer("满多少包邮")).known


async def test_everything_is_told_for_the_recogniser(kb: KbService) -> None:
    entries = [faq(f"n{i:04}", f"第{i}个问题", f"第{i}个回答", f"第{i}种问法") for i in range(300)]
    await kb.upsert(entries)
    texts = await kb.texts()
    assert set(texts) == {one for e in entries for one in (e.title, e.content, *e.variants)}
    assert await kb.ids("n00") == tuple(f"n{i:04}" for i in range(100))


async def test_writes_are_seen_whole(kb: KbService) -> None:
    """Readers run beside a writer that swaps all entries from one edition to the next."""

    def edition(number: int) -> list[Entry]:
        return [faq(f"e{i}", f"保修问题{i}", f"第{number}版") for i in range(8)]

    await kb.upsert(edition(0))
    seen: set[str] = set()
    done = asyncio.Event()

    async def read() -> None:
        while not done.is_set():
            hits = await kb.search("保修问题", limit=8)
            editions = {hit.entry.content for hit in hits}
            assert len(hits) == 8 and len(editions) == 1
            seen.update(editions)

    async def write() -> None:
        for number in range(1, 16):
            await kb.upsert(edition(number))
            assert {hit.entry.content for hit in await kb.search("保修问题", limit=8)} == {f"第{number}版"}
        done.set()

    await asyncio.gather(read(), read(), write())
    assert len(seen) > 1


def test_kinds_are_told_apart() -> None:
    assert RETURN.kind is EntryKind.FAQ and MANUAL.kind is EntryKind.PASSAGE
