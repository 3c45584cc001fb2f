"""The order of things: repeats, interruptions, transfers, privacy, and doing without a helper."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from prometheus_client import REGISTRY

from common.errors import BadInput, Internal, NotFound
from dialog.actions import plain_phone
from dialog.api import Channel, Handoff, ReplyChunk, ReplyStart, SessionStart, TurnKind, UserTurn
from dialog.service import Dialog
from tests.dialog.conftest import World
from tests.fakes.dialog_helpers import ON_THE_WAY, PHONE, SIGNED
from tests.fakes.dialog_script import Answer, Caller

Call = Callable[..., Caller]


async def test_a_repeated_turn_repeats_its_reply(call: Call, world: World) -> None:
    caller = call()
    await caller.play("> 我要重置密码\n> 不是\n> 一三九零零零零零零零一")
    first = caller.answers[-1]
    again = await caller.again(3, TurnKind.SPEECH, "一三九零零零零零零零一")
    assert again.events == first.events and "幺三九，零零零零" in again.text
    assert sum(item.role == "user" for item in await caller.dialog.history("s1")) == 3
    with pytest.raises(BadInput):
        await caller.again(0, TurnKind.SPEECH, "x")


async def test_a_repeated_hand_over_is_repeated_whole(call: Call) -> None:
    caller = call()
    first = await caller.play(f"> 订单{ON_THE_WAY}到哪了\n> 对\n> 转人工")
    again = await caller.again(3, TurnKind.SPEECH, "转人工")
    assert again.events == first.events and isinstance(again.last, Handoff)


async def test_an_action_is_sent_once_however_often_the_turn_is(call: Call, world: World) -> None:
    caller = call()
    await caller.play(f"> 我要退货{SIGNED}\n> 对\n> 不想要了\n> 好的\n< TH0001")
    await caller.again(4, TurnKind.SPEECH, "好的")
    assert [what[0] for what in world.business.done].count("open_return") == 1


async def test_open_again_resumes(call: Call) -> None:
    caller = call()
    await caller.play("> 查订单\n> 二零二六")
    resumed = await caller.open()
    assert resumed.text == caller.answers[-2].text and resumed.end.expect.digits == 8
    await caller.dialog.close("s1", "gone")
    await caller.dialog.close("s1", "gone")
    with pytest.raises(NotFound):
        await caller.say("喂")
    assert "我们继续" in (await caller.open()).text
    assert (await caller.say("满多少包邮")).end.report.action == "answer"


async def test_bad_sessions_and_turns(call: Call) -> None:
    dialog = call().dialog
    for session in ("", "x" * 300, "a\nb"):
        with pytest.raises(BadInput):
            _ = [e async for e in dialog.open(SessionStart(session, Channel.PHONE))]
    with pytest.raises(NotFound):
        _ = [e async for e in dialog.respond(UserTurn("nobody", 1, TurnKind.SPEECH, "喂"))]
    for work in (dialog.interrupted("nobody", "r", "h"), dialog.transfer_failed("nobody", "x")):
        with pytest.raises(NotFound):
            await work
    with pytest.raises(NotFound):
        await dialog.history("nobody")
    await dialog.close("nobody", "bye")
    with pytest.raises(BadInput):
        _ = [e async for e in dialog.respond(UserTurn("s1", 1, TurnKind.SPEECH, "长" * 3000))]


async def test_history_keeps_what_was_really_heard(call: Call) -> None:
    caller = call()
    await caller.play("> 退货的运费谁出")
    reply = caller.answers[-1]
    await caller.dialog.interrupted("s1", reply.reply_id, "是这样的。退货的运")
    lines = await caller.dialog.history("s1")
    assert lines[-1].heard == "是这样的。退货的运" and lines[-1].text == reply.text and lines[-1].report is not None
    assert [item.seq for item in lines] == sorted({item.seq for item in lines})
    assert await caller.dialog.history("s1", after=lines[-2].seq) == lines[-1:]


async def test_nothing_personal_is_kept(
    call: Call, world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOTLINE_PATHS__DATA", str(tmp_path))
    secret, spoken = "13812345678", "幺三八，幺二三四，五六七八"
    caller = call(store="sqlite", number="13987654321")
    await caller.play(
        """
        > 我要重置密码
        > 不是
        > 一三八
        > 一二三四
        > 五六七八
        < 幺三八，幺二三四，五六七八， … 对吗
        """
    )
    await caller.dialog.interrupted("s1", caller.answers[-1].reply_id, f"跟您核对一下手机号，{spoken[:9]}")
    await caller.play(f"> 对\n< 短信\n> 我要改地址，订单{SIGNED[:-4]}0688")
    assert ("reset_password", secret) in world.business.done
    told = "\n".join(f"{i.text} {i.heard} {i.report}" for i in await caller.dialog.history("s1"))
    raw = b""
    for path in sorted(tmp_path.glob("dialog.sqlite3*")):  # noqa: ASYNC240
        raw += path.read_bytes()
    for leak in (secret, "幺二三四", "一二三四", "五六七八", "1234", "5678", "87654321"):
        assert leak not in told, leak
        assert leak.encode() not in raw, leak
    assert "138" in told or "幺**" in told or "***" in told  # masked, not dropped


async def test_close_deletes_the_vault(call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOTLINE_PATHS__DATA", str(tmp_path))
    caller = call(store="sqlite")
    await caller.play("> 满多少包邮")
    db = sqlite3.connect(tmp_path / "dialog.sqlite3")
    assert db.execute("SELECT count(*) FROM vault").fetchone() == (1,)
    await caller.dialog.close("s1", "bye")
    assert db.execute("SELECT count(*) FROM vault").fetchone() == (0,)
    db.close()


async def test_a_lost_vault_costs_a_question(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOTLINE_PATHS__DATA", str(tmp_path))
    one = Caller(world.build(store="sqlite"), "s1", number="")
    await one.play("> 我要重置密码\n> 一三八一二三四五六七八\n< 对吗")
    from pydantic import SecretStr

    two = Caller(world.build(store="sqlite", vault_key=SecretStr("z" * 40)), "s1", number="")
    two.answers, two.turn = one.answers, one.turn
    await two.play("> 对\n< 重置密码 … 手机号\n< goes on\n> 一三八一二三四五六七八\n> 对\n< 短信")


async def test_the_lead_in_is_said_before_a_slow_action(call: Call, world: World) -> None:
    caller = call()
    await caller.play(f"> 订单{ON_THE_WAY}到哪了")
    world.business.slow.add("order")
    stream = caller.dialog.respond(UserTurn("s1", 2, TurnKind.SPEECH, "对"))
    first, lead = await anext(stream), await anext(stream)
    assert isinstance(first, ReplyStart) and isinstance(lead, ReplyChunk) and lead.fixed and "查一下" in lead.text
    world.business.gate.set()
    rest = Answer([first, lead, *[e async for e in stream]])
    rest.check_form()
    assert "无线耳机" in rest.text and rest.text.count("查一下") == 1


async def test_a_turn_ends_and_is_kept_though_nobody_listens(call: Call, world: World) -> None:
    caller = call()
    await caller.play(f"> 我要退货{SIGNED}\n> 对\n> 不想要了")
    world.business.slow.add("open_return")
    world.business.entered.clear()
    stream = caller.dialog.respond(UserTurn("s1", 4, TurnKind.SPEECH, "好的"))
    await anext(stream)
    await world.business.entered.wait()
    await stream.aclose()  # the caller talks over it
    caller.turn = 4
    world.business.gate.set()
    answer = await caller.say("满多少包邮")  # waits for its turn
    assert "59元" in answer.text
    assert any("受理编号TH0001" in item.text for item in await caller.dialog.history("s1"))


async def test_turns_of_a_session_follow_one_another(call: Call, world: World) -> None:
    caller = call()
    await caller.open()
    world.nlu.gate = asyncio.Event()
    turns = [
        asyncio.create_task(caller.again(n, TurnKind.SPEECH, text)) for n, text in ((1, "查订单"), (2, "二零二六"))
    ]
    await world.nlu.entered.wait()
    for _ in range(20):
        await asyncio.sleep(0)  # the second turn has had its chance
    assert len(world.nlu.requests) == 1  # the second turn has not begun
    world.nlu.gate.set()
    one, two = await asyncio.gather(*turns)
    assert one.end.expect.digits == 12 and two.end.expect.digits == 8


async def test_after_a_failed_transfer_the_bot_goes_on(call: Call, world: World) -> None:
    caller = call()
    await caller.play("> 转人工\n< handoff requested")
    await caller.dialog.transfer_failed("s1", "refused")
    await caller.dialog.transfer_failed("s1", "refused")  # told twice, counted once
    await caller.play(
        """
        (silence)
        < 没能接通 … 回电
        > 好的
        < 登记好了 … TS0001
        > 还是给我转人工
        < handoff requested
        """
    )
    complaint = next(what for what in world.business.done if what[0] == "complain")
    assert PHONE in complaint[2] and "回电" in complaint[2]
    await caller.dialog.transfer_failed("s1", "refused")
    await caller.play("> 满多少包邮\n< 没能接通 … 59元\n> 转人工\n< 接不通\n< goes on")


async def test_transfer_failed_without_a_transfer_is_nothing(call: Call) -> None:
    caller = call()
    await caller.play("> 满多少包邮")
    await caller.dialog.transfer_failed("s1", "refused")
    await caller.play("> 电器保修多久\n< no 没能接通")


async def test_feedback_is_kept_masked(call: Call) -> None:
    caller = call()
    await caller.open()
    await caller.dialog.feedback("s1", False, "打我电话13812345678")
    assert "13812345678" not in (await caller.dialog.history("s1"))[-1].text


def degraded(helper: str) -> float:
    found = [
        s.value
        for metric in REGISTRY.collect()
        for s in metric.samples
        if s.name == "hotline_dialog_degraded_total" and s.labels.get("helper") == helper
    ]
    return sum(found)


async def test_without_nlu_keywords_and_acts_still_work(call: Call, world: World) -> None:
    world.nlu.down = True
    before = degraded("nlu")
    await call().play(
        """
        > 呱呱呱呱
        < 系统有点慢
        > 帮我看看快递
        < 订单号
        > 二零二六幺幺零八零四幺七
        > 对
        < 无线耳机
        > 转人工
        < handoff requested
        """
    )
    assert degraded("nlu") - before == 5


async def test_a_hanging_nlu_is_left_behind(call: Call, world: World) -> None:
    world.nlu.gate = asyncio.Event()
    await call(nlu_timeout_s=0.05).play("> 帮我看看快递\n< 订单号")


async def test_without_emotion_nothing_is_missed(call: Call, world: World) -> None:
    world.emotion.down = True
    answer = await call().play("> 满多少包邮\n< 59元")
    assert answer.end.report.emotion is None


async def test_without_knowledge_the_bot_is_honest(call: Call, world: World) -> None:
    world.kb.down = True
    await call().play("> 电器保修多久\n< 资料库暂时打不开 … 转人工\n> 好的\n< handoff requested")


async def test_without_the_order_system_the_bot_is_honest(call: Call, world: World) -> None:
    world.business.failing.add("order")
    await call().play(
        f"""
        > 订单{ON_THE_WAY}到哪了
        > 对
        < 没有响应，我现在查不到 … 转人工
        > 不用
        < goes on
        > 查订单
        > 对
        < 没有响应 … 转人工
        > 好
        < handoff requested
        """
    )


async def test_an_order_that_may_have_been_placed_is_said_to_be_unsure(call: Call, world: World) -> None:
    world.business.slow.add("open_return")
    await call(action_timeout_s=0.05).play(
        f"> 我要退货{SIGNED}\n> 对\n> 不想要了\n> 好的\n< 不能确定刚才有没有提交成功 … 转人工"
    )


async def test_a_fault_of_ours_ends_with_a_human(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise KeyError("bug")

    monkeypatch.setattr("dialog.worker.policy.decide", broken)
    await call().play("> 查订单\n< 出了点问题\n< handoff repeated_failure")


async def test_outbound_says_why(world: World) -> None:
    dialog = world.build()
    start = SessionStart("o1", Channel.PHONE, PHONE, outbound_purpose="您的订单明天送到")
    answer = Answer([e async for e in dialog.open(start)])
    assert "您的订单明天送到" in answer.text


async def test_a_closed_service_takes_no_turns(call: Call) -> None:
    caller = call()
    await caller.open()
    assert isinstance(caller.dialog, Dialog)
    await caller.dialog.aclose()
    with pytest.raises(Internal):
        await caller.say("喂")


async def test_slots_of_a_hand_over_are_real_and_words_are_masked(call: Call) -> None:
    caller = call(number="")
    await caller.play("> 我要重置密码\n> 一三八一二三四五六七八\n> 打我13812345678转人工")
    last = caller.answers[-1].last
    assert isinstance(last, Handoff)
    assert last.summary.slots["phone"] == "13812345678" and "12345678" not in last.summary.last_said
    assert "13812345678" not in str(caller.answers[-1].end.report)


@pytest.mark.parametrize(
    ("caller", "number"),
    [
        ("13900000001", "13900000001"),
        ("+86 139-0000-0001", "13900000001"),
        ("sip:8613900000001@trunk.example", "13900000001"),
        ("013900000001", "13900000001"),
        ("057112345678", "057112345678"),
        ("user-7", "user-7"),
        ("913900000001", "913900000001"),
    ],
)
def test_numbers_as_trunks_write_them(caller: str, number: str) -> None:
    assert plain_phone(caller) == number
