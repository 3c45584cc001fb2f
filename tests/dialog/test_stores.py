"""One contract over every store, and a conversation that is taken over by another process."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

from common.errors import Conflict, Misconfigured, Unavailable
from dialog import events as ev
from dialog.api import Channel, Choice, Expect, Expectation, Source, TurnKind, TurnReport
from dialog.store import Store
from dialog.stores.memory import MemoryStore
from dialog.stores.redis import RedisStore
from dialog.stores.sqlite import SqliteStore
from tests.dialog.conftest import World
from tests.fakes.dialog_helpers import ON_THE_WAY, reading
from tests.fakes.dialog_redis import redis_server
from tests.fakes.dialog_script import Caller

TTL_S = 60.0


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with redis_server(tmp_path_factory.mktemp("redis")) as url:
        yield url


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture(params=["memory", "sqlite", "redis"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    made: Store
    match request.param:
        case "memory":
            made = MemoryStore(vault_ttl_s=TTL_S)
        case "sqlite":
            made = SqliteStore(tmp_path / "d.sqlite3", vault_ttl_s=TTL_S)
        case _:
            url = request.getfixturevalue("redis_url")
            redis.Redis.from_url(url).flushall()
            made = RedisStore(url, vault_ttl_s=TTL_S, events_ttl_s=600)
    yield made
    await made.aclose()
    await made.aclose()


ALL: tuple[ev.Event, ...] = (
    ev.Opened(Channel.PHONE, "139****0001", "400", "zh", "回访"),
    ev.Heard(1, TurnKind.SPEECH, "查订单", "order_status", 0.9, reading(0.3), ("kb",)),
    ev.FlowStarted("order_status", "which", sub=True),
    ev.StepEntered("ask"),
    ev.Asked("ask", again=True),
    ev.SlotSet("phone", "139******01", True, True),
    ev.Dictated("phone", 3),
    ev.Acted("order", "ok", {"order.id": "2026"}),
    ev.Mood(True, 2),
    ev.Progress("failure"),
    ev.Answered("运费", ("faq-1",), "剩下的"),
    ev.Replied(
        1,
        "s:1",
        (ev.Part("好的。", True), ev.Part("二〇二六")),
        Expectation(Expect.DIGITS, "phone", 11),
        (Choice("对", "yes"),),
        (Source("a", "b"),),
        TurnReport("x", 0.5, {"a": "b"}, reading(0.1), "act", "flow"),
        ("ask",),
    ),
    ev.HandedOver(1, "", "requested", "摘要"),
    ev.HungUp(1, "solved"),
    ev.Interrupted("s:1", "好的"),
    ev.TransferFailed("refused"),
    ev.Rated(True, "好"),
    ev.FlowEnded("order_status", "done"),
    ev.Closed("bye"),
)


def recorded(*events: ev.Event, after: int = 0) -> list[ev.Recorded]:
    return [ev.Recorded(after + n, 12.5, event) for n, event in enumerate(events, 1)]


async def test_every_event_comes_back_as_it_was(store: Store) -> None:
    assert {type(e) for e in ALL} == set(ev.Event.__args__)  # none is forgotten here
    assert (await store.load("s")).version == 0
    await store.append("s", 0, recorded(*ALL), b"sealed")
    found = await store.load("s")
    assert found.events == tuple(recorded(*ALL)) and found.sealed == b"sealed"
    assert (await store.load("other")).version == 0


async def test_a_late_writer_writes_nothing(store: Store) -> None:
    await store.append("s", 0, recorded(ev.Progress("good")), b"one")
    with pytest.raises(Conflict):
        await store.append("s", 0, recorded(ev.Progress("noise")), b"two")
    with pytest.raises(Conflict):
        await store.append("s", 2, recorded(ev.Progress("noise"), after=2), b"two")
    found = await store.load("s")
    assert [e.event for e in found.events] == [ev.Progress("good")] and found.sealed == b"one"


async def test_of_many_writers_one_wins(store: Store) -> None:
    async def write(mark: str) -> bool:
        try:
            await store.append("s", 0, recorded(ev.Progress(mark)), mark.encode())
        except Conflict:
            return False
        return True

    won = await asyncio.gather(*(write(f"m{n}") for n in range(10)))
    assert sum(won) == 1
    found = await store.load("s")
    assert found.version == 1 and found.sealed == f"m{won.index(True)}".encode()


async def test_the_vault_is_kept_replaced_and_deleted(store: Store) -> None:
    await store.append("s", 0, recorded(ev.Progress("good")), b"one")
    await store.append("s", 1, recorded(ev.Progress("good"), after=1), None)
    assert (await store.load("s")).sealed == b"one"
    await store.append("s", 2, [], b"two")
    assert (await store.load("s")).sealed == b"two"
    await store.append("s", 2, recorded(ev.Closed("bye"), after=2), b"")
    assert (await store.load("s")).sealed == b"" and (await store.load("s")).version == 3


async def test_vaults_expire_but_events_stay(tmp_path: Path, redis_url: str) -> None:
    clock = Clock()
    stores: list[Store] = [
        MemoryStore(vault_ttl_s=TTL_S, clock=clock),
        SqliteStore(tmp_path / "d.sqlite3", vault_ttl_s=TTL_S, clock=clock),
    ]
    for made in stores:
        await made.append("s", 0, recorded(ev.Progress("good")), b"secret")
    clock.now += TTL_S + 1
    for made in stores:
        found = await made.load("s")
        assert found.sealed == b"" and found.version == 1
        await made.append("t", 0, recorded(ev.Progress("good")), None)
        await made.aclose()
    left = sqlite3.connect(tmp_path / "d.sqlite3")
    assert left.execute("SELECT count(*) FROM vault").fetchone() == (0,)
    left.close()
    made = RedisStore(redis_url, vault_ttl_s=TTL_S, events_ttl_s=600)
    await made.append("ttl", 0, recorded(ev.Progress("good")), b"secret")
    await made.aclose()
    client: Any = redis.Redis.from_url(redis_url)
    assert 0 < client.pttl("hotline:dialog:{ttl}:vault") <= TTL_S * 1000
    assert TTL_S * 1000 < client.pttl("hotline:dialog:{ttl}:events") <= 600_000
    client.close()


async def test_memory_is_bounded() -> None:
    made = MemoryStore(vault_ttl_s=TTL_S, limit=2)
    for name in "abc":
        await made.append(name, 0, recorded(ev.Progress("good")), None)
    assert [(await made.load(name)).version for name in "abc"] == [0, 1, 1]


async def test_a_store_that_is_down_says_so(tmp_path: Path) -> None:
    made = RedisStore("redis://127.0.0.1:1/0", vault_ttl_s=TTL_S, events_ttl_s=600)
    with pytest.raises(Unavailable):
        await made.load("s")
    with pytest.raises(Unavailable):
        await made.append("s", 0, [], None)
    await made.aclose()
    with pytest.raises(Misconfigured):
        RedisStore("http://x", vault_ttl_s=TTL_S, events_ttl_s=600)
    with pytest.raises(Misconfigured):
        SqliteStore(tmp_path, vault_ttl_s=TTL_S)
    closed = SqliteStore(tmp_path / "d.sqlite3", vault_ttl_s=TTL_S)
    await closed.aclose()
    with pytest.raises(Unavailable):
        await closed.load("s")


async def test_another_process_takes_over_in_the_middle(world: World, redis_url: str) -> None:
    one, two = (Caller(world.build(store="redis", redis_url=redis_url), "take-over") for _ in range(2))
    await one.play("> 查订单\n> 二零二六幺幺\n< 请继续")
    two.answers, two.turn = one.answers, one.turn
    await two.play("> 零八零四幺七\n< 零四幺七， … 对吗\n> 对\n< 无线耳机")
    one.turn = two.turn
    await one.play("> 没有了\n< 问题解决了吗")


async def test_two_processes_answer_a_turn_once(world: World, redis_url: str) -> None:
    one, two = (Caller(world.build(store="redis", redis_url=redis_url), "twice") for _ in range(2))
    await one.play(f"> 订单{ON_THE_WAY}到哪了")
    answers = await asyncio.gather(
        one.again(2, TurnKind.SPEECH, "对"), two.again(2, TurnKind.SPEECH, "对"), one.again(2, TurnKind.SPEECH, "对")
    )
    assert len({a.text for a in answers}) == 1 and len({a.reply_id for a in answers}) == 1
    told = await one.dialog.history("twice")
    assert [item.turn for item in told if item.role == "bot"] == [0, 1, 2]
