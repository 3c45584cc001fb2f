"""Text conversations: order, repeats, reconnects, failures, hand-over, end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from common.errors import BadInput, NotFound, Overloaded, Unavailable
from dialog.api import Channel, HandoffSummary, HangUp, ReplyChunk, TurnKind
from tests.text.fake_dialog import FakeDialog
from text_gateway.api import Failure, InboundMessage, Outgoing, Said, Transcript, Welcome
from text_gateway.service import WAITING_TURNS, TextChat


class Desk:
    """Remembers, or refuses."""

    def __init__(self) -> None:
        self.told: list[HandoffSummary] = []
        self.down = False

    async def bring_in(self, summary: HandoffSummary) -> None:
        if self.down:
            raise Unavailable("nobody is there")
        self.told.append(summary)

    async def aclose(self) -> None:
        pass


class World:
    def __init__(self) -> None:
        self.dialog = FakeDialog()
        self.desk = Desk()
        self.now = 1000.0
        self.chat = self.gateway()

    def gateway(self, sessions: int = 10, turn_timeout_s: float = 5.0) -> TextChat:
        return TextChat(
            self.dialog,
            self.desk,
            sessions=sessions,
            idle_s=60,
            turn_timeout_s=turn_timeout_s,
            clock=lambda: self.now,
            monotonic=lambda: self.now,
        )

    async def say(self, session: str, turn: int, text: str) -> int:
        return await self.chat.send(InboundMessage(session, turn, TurnKind.TEXT, text))


@pytest.fixture
async def world() -> AsyncIterator[World]:
    it = World()
    yield it
    it.dialog.gate.set()
    await it.chat.aclose()


def texts(outs: tuple[Outgoing, ...] | list[Outgoing]) -> list[str]:
    return [out.event.text for out in outs if isinstance(out.event, ReplyChunk)]


async def take(chat: TextChat, session: str, seen: int, count: int) -> list[Outgoing]:
    got: list[Outgoing] = []
    async with asyncio.timeout(5):
        async for out in chat.subscribe(session, seen):
            got.append(out)
            if len(got) == count:
                break
    return got


async def test_greeting_then_answers_in_order(world: World) -> None:
    session = await world.chat.open(Channel.WEB, "")
    await asyncio.gather(*(world.say(session, turn, f"话{turn}") for turn in (1, 2, 3)))
    outs = await world.chat.since(session, 0)
    assert texts(outs) == ["您好", "你说话1", "你说话2", "你说话3"]
    assert [out.event.text for out in outs if isinstance(out.event, Said)] == ["话1", "话2", "话3"]
    assert [out.seq for out in outs] == sorted({out.seq for out in outs})


async def test_a_repeated_send_is_answered_once(world: World) -> None:
    session = await world.chat.open(Channel.WEB, "")
    first, second = await asyncio.gather(world.say(session, 1, "喂"), world.say(session, 1, "喂"))
    assert first == second
    assert len(world.dialog.turns) == 1


async def test_an_answer_goes_on_without_its_sender(world: World) -> None:
    session = await world.chat.open(Channel.WEB, "")
    sending = asyncio.ensure_future(world.say(session, 1, "慢"))
    await world.dialog.entered.wait()
    sending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sending
    world.dialog.gate.set()
    await world.say(session, 1, "慢")
    assert texts(await world.chat.since(session, 0)) == ["您好", "你说慢"]
    assert len(world.dialog.turns) == 1


async def test_a_reader_that_comes_back_misses_nothing(world: World) -> None:
    session = await world.chat.open(Channel.WEB, "")
    before = await take(world.chat, session, 0, 4)
    assert isinstance(before[0].event, Welcome) and before[0].event.next_turn == 1
    await world.say(session, 1, "甲")
    after = await take(world.chat, session, before[-1].seq, 5)
    assert isinstance(after[0].event, Welcome) and after[0].event.next_turn == 2
    assert texts(after) == ["你说甲"]


async def test_another_process_takes_up_with_the_transcript(world: World) -> None:
    session = await world.chat.open(Channel.WEB, "")
    seen = await world.say(session, 1, "甲")
    world.now += 5
    world.chat = world.gateway()
    outs = await take(world.chat, session, seen, 2)
    assert isinstance(outs[0].event, Welcome) and outs[0].event.next_turn == 2
    assert isinstance(outs[1].event, Transcript)
    assert [item.text for item in outs[1].event.items] == ["您好", "甲", "你说甲"]
    assert outs[1].seq > seen
    await world.say(session, 2, "乙")
    assert texts(await world.chat.since(session, outs[1].seq)) == ["你说乙"]


@pytest.mark.parametrize(("text", "code"), [("坏", "unavailable"), ("崩", "internal")])
async def test_a_failure_is_said_and_can_be_tried_again(world: World, text: str, code: str) -> None:
    session = await world.chat.open(Channel.WEB, "")
    await world.say(session, 1, text)
    failures = [o.event for o in await world.chat.since(session, 0) if isinstance(o.event, Failure)]
    assert [f.code for f in failures] == [code]
    await world.say(session, 1, "好了")
    assert texts(await world.chat.since(session, 0))[-1] == "你说好了"


async def test_a_slow_dialog_is_given_up(world: World) -> None:
    world.chat = world.gateway(turn_timeout_s=0.05)
    session = await world.chat.open(Channel.WEB, "")
    await world.say(session, 1, "慢")
    last = (await world.chat.since(session, 0))[-1].event
    assert isinstance(last, Failure) and last.code == "timed_out"


async def test_handover_reaches_the_desk_or_the_dialog_learns_that_it_did_not(world: World) -> None:
    session = await world.chat.open(Channel.WEB, "")
    await world.say(session, 1, "人工")
    assert [s.reason for s in world.desk.told] == ["requested"]
    world.desk.down = True
    await world.say(session, 2, "人工")
    assert world.dialog.transfer_failures == ["unavailable"]
    last = (await world.chat.since(session, 0))[-1].event
    assert isinstance(last, Failure) and last.code == "no_agent"


async def test_goodbye_ends_readers_and_refuses_more(world: World) -> None:
    session = await world.chat.open(Channel.WEB, "")
    await world.say(session, 1, "再见")
    outs = [out async for out in world.chat.subscribe(session, 0)]
    assert isinstance(outs[-1].event, HangUp)
    assert world.dialog.closed == [(session, "goodbye")]
    with pytest.raises(BadInput, match="ended"):
        await world.say(session, 2, "喂")


@pytest.mark.parametrize("text", ["", "   ", "长" * 1001])
async def test_odd_texts_are_refused(world: World, text: str) -> None:
    session = await world.chat.open(Channel.WEB, "")
    with pytest.raises(BadInput):
        await world.say(session, 1, text)


async def test_odd_turns_kinds_and_sessions_are_refused(world: World) -> None:
    session = await world.chat.open(Channel.WEB, "")
    with pytest.raises(BadInput, match="ahead"):
        await world.say(session, 5, "喂")
    with pytest.raises(BadInput, match="dtmf"):
        await world.chat.send(InboundMessage(session, 1, TurnKind.DTMF, "1"))
    with pytest.raises(NotFound):
        await world.say("web-nobody", 1, "喂")


async def test_bounds(world: World) -> None:
    world.chat = world.gateway(sessions=1)
    session = await world.chat.open(Channel.WEB, "")
    with pytest.raises(Overloaded):
        await world.chat.open(Channel.WEB, "")
    waiting = [asyncio.ensure_future(world.say(session, 1, "慢"))]
    await world.dialog.entered.wait()
    for turn in range(2, WAITING_TURNS + 1):
        waiting.append(asyncio.ensure_future(world.say(session, turn, "话")))
        await asyncio.sleep(0)
    with pytest.raises(Overloaded):
        await world.say(session, WAITING_TURNS + 1, "话")
    world.dialog.gate.set()
    await asyncio.gather(*waiting)


async def test_idle_conversations_are_closed(world: World) -> None:
    session = await world.chat.open(Channel.WEB, "")
    world.now += 61
    world.chat.expire()
    await world.chat.aclose()
    assert world.dialog.closed == [(session, "idle")]


async def test_an_opening_that_fails_is_an_error(world: World) -> None:
    with pytest.raises(Unavailable):
        await world.chat.open(Channel.APP, "broken")
