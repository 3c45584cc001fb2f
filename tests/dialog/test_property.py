"""Any sequence of turns: nothing raises, nothing is asked for ever, and what is kept folds to the state that was."""

from __future__ import annotations

import asyncio
import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from common.errors import BadInput
from dialog.api import Channel, Handoff, ReplyEnd, TurnKind
from dialog.runner import MAX_ASKS
from tests.dialog.conftest import World
from tests.fakes.dialog_helpers import ON_THE_WAY, SIGNED
from tests.fakes.dialog_script import Caller

SAID = (
    *(
        "查订单",
        "退款什么时候到",
        "我要退货",
        "我要换货",
        "我要投诉",
        "改地址",
        "开发票",
        "密码忘了",
        "几点上班",
        "今天天气怎么样",
    ),
    *(
        "对",
        "不对",
        "是的",
        "不是",
        "嗯",
        "好的",
        "没有",
        "没有了",
        "谢谢",
        "不知道",
        "算了",
        "等一下",
        "再说一遍",
        "解决了",
        "没解决",
    ),
    *(
        "二零二六",
        "幺幺零八",
        "零四幺七",
        "零四幺九",
        "是七不是九",
        "最后一位是三",
        "不是一是二",
        "第八位",
        "一三九零零零零",
        "零零零一",
    ),
    *(
        ON_THE_WAY,
        SIGNED,
        "13900000001",
        "202699999999",
        "不想要了",
        "上海市张杨路5号301室",
        "个人",
        "a@b.com",
        "你这个垃圾",
    ),
    *(
        "满多少包邮",
        "退货运费谁出",
        "呱呱呱",
        "个",
        "。",
        "",
        "你好",
        "那另外一个订单呢",
        "九" * 40,
        "x" * 500,
        "\x00\n",
        "{rest}|",
    ),
)
turns = st.one_of(
    st.tuples(st.sampled_from([TurnKind.SPEECH, TurnKind.TEXT]), st.sampled_from(SAID)),
    st.tuples(st.just(TurnKind.SPEECH), st.text(max_size=30)),
    st.tuples(st.just(TurnKind.DTMF), st.text(alphabet="0123456789*#", min_size=1, max_size=13)),
    st.tuples(st.sampled_from([TurnKind.SILENCE, TurnKind.NOISE]), st.just("")),
    st.tuples(
        st.just(TurnKind.BUTTON), st.sampled_from(["yes", "no", "solved", "unsolved", "flow:invoice", "flow:x", "?"])
    ),
)
scripts = st.lists(st.tuples(turns, st.floats(0, 1)), max_size=25)


async def converse(script: list[tuple[tuple[TurnKind, str], float]], channel: Channel, faults: int) -> None:
    world = World()
    world.nlu.down, world.kb.down, world.emotion.down = bool(faults & 1), bool(faults & 2), bool(faults & 4)
    world.business.failing = {"order", "complain"} if faults & 8 else set()
    dialog = world.build()
    caller = Caller(dialog, channel=channel, emotion=world.emotion)
    try:
        await caller.open()
        for (kind, text), score in script:
            world.emotion.score = lambda request, score=score: score
            answer = await caller.send(kind, text)
            assert "出了点问题" not in answer.text, "the turn crashed"
            if answer.over and faults & 16:
                await dialog.transfer_failed("s1", "refused")
        lines = await dialog.history("s1")
        assert sum(line.role == "bot" for line in lines) == len(script) + 1
    finally:
        await dialog.aclose()


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(scripts, st.sampled_from([Channel.PHONE, Channel.WEB]), st.integers(0, 31))
def test_no_sequence_of_turns_raises(
    script: list[tuple[tuple[TurnKind, str], float]], channel: Channel, faults: int
) -> None:
    asyncio.run(converse(script, channel, faults))


STUBBORN = [
    "呱呱呱呱呱",
    "",
    "嗯",
    "不对",
    "等一下",
    "再说一遍",
    "你好",
    "二零二六",
    "查订单",
    "是七不是九",
    "最后一位是三",
    "谢谢",
    "好的",
]


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("start", ["查订单", "我要退货", "密码忘了", "改地址", "我要投诉"])
async def test_nothing_is_asked_for_ever(world: World, start: str, seed: int) -> None:
    """A person who never gives what is asked for meets an end: a human, a goodbye, or another question."""
    dice = random.Random(seed * 100 + len(start))
    caller = Caller(world.build(), number="")
    answer = await caller.play(f"> {start}")
    asked: dict[tuple[str, str], int] = {}
    for _ in range(80):
        if answer.over:
            return
        end = next(e for e in answer.events if isinstance(e, ReplyEnd))
        if end.expect.slot:
            place = (end.report.flow, end.expect.slot)
            asked[place] = asked.get(place, 0) + 1
            assert asked[place] <= 40, place
        answer = await caller.say(dice.choice(STUBBORN))
    pytest.fail(f"no end after 80 turns: {asked}")


@pytest.mark.parametrize("text", STUBBORN)
async def test_the_same_thing_said_for_ever_ends(world: World, text: str) -> None:
    caller = Caller(world.build(), number="")
    answer = await caller.play("> 查订单")
    for _ in range(16):
        if answer.over:
            return
        answer = await caller.say(text)
    pytest.fail(f"no end: {answer.text}")


async def test_corrections_for_ever_end(world: World) -> None:
    """Each correction is understood, so nothing fails; the question still has an end."""
    caller = Caller(world.build(), number="")
    answer = await caller.play("> 查订单\n> 二零二六幺幺零八零四幺七\n< 对吗")
    for turn in range(MAX_ASKS):
        answer = await caller.say(f"不对，最后一位是{'三四'[turn % 2]}")
    assert isinstance(answer.last, Handoff)


async def test_a_turn_from_the_past_is_refused(world: World) -> None:
    caller = Caller(world.build())
    await caller.open()
    await caller.again(5, TurnKind.SPEECH, "查订单")
    with pytest.raises(BadInput):
        await caller.again(3, TurnKind.SPEECH, "查订单")
