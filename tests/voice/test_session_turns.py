"""Turns in whole calls, in virtual time: a caller speaks, is waited for, and is answered."""

from __future__ import annotations

import asyncio

import pytest

from dialog.api import Expect
from tests.fakes.line import FakeLine
from tests.fakes.scripted_dialog import Say
from tests.fakes.virtual_time import virtual_time
from tests.voice.house import House
from voice_gateway.asr.api import Expect as AsrExpect


@virtual_time
async def test_a_question_is_answered_within_half_a_second() -> None:
    house = House({"我的快递到哪里了": Say("您的快递已经到了上海。")})

    async def caller(line: FakeLine) -> None:
        await line.quiet()
        await line.say("我的快递到哪里了")
        await line.quiet()

    report = await house.call(caller)
    assert house.texts == ["我的快递到哪里了"]
    assert report.turns == 1 and report.ended == "bye"
    latency = house.watcher.latencies[0]
    assert latency.total < 500
    assert latency.total == pytest.approx(latency.endpoint + latency.asr + latency.dialog + latency.tts, abs=1)


@virtual_time
async def test_the_turn_carries_the_voice_reading_and_the_confidence() -> None:
    house = House()

    async def caller(line: FakeLine) -> None:
        await line.quiet()
        await line.say("我要投诉你们")
        await line.quiet()

    await house.call(caller)
    turn = house.dialog.turns[0]
    assert turn.acoustic is not None and turn.asr_confidence == pytest.approx(0.9)
    assert house.emotion.heard[0].sample_rate == 8000


@virtual_time
async def test_a_slow_voice_reading_does_not_delay_the_reply() -> None:
    house = House()
    house.emotion._takes_s = 5.0

    async def caller(line: FakeLine) -> None:
        await line.quiet()
        await line.say("我要投诉你们")
        await line.quiet()

    await house.call(caller)
    assert house.dialog.turns[0].acoustic is None
    assert house.watcher.latencies[0].total < 600


@virtual_time
async def test_a_caller_who_goes_on_before_the_reply_is_heard_says_one_thing() -> None:
    house = House()

    async def caller(line: FakeLine) -> None:
        await line.quiet()
        await line.say("我要退货")
        await asyncio.sleep(0.7)
        await line.say("订单是昨天的")
        await line.quiet()

    await house.call(caller)
    assert house.texts[-1] == "我要退货订单是昨天的"


@virtual_time
async def test_a_dictated_number_is_waited_for_through_pauses() -> None:
    house = House(
        {"我要查快递": Say("请报一下手机号。", expect=Expect.DIGITS, digits=11), "13800138000": Say("好，查到了。")}
    )

    async def caller(line: FakeLine) -> None:
        await line.quiet()
        await line.say("我要查快递")
        await line.quiet()
        await line.say("138")
        await asyncio.sleep(1.0)
        await line.say("0013")
        await asyncio.sleep(1.2)
        await line.say("8000")
        await line.quiet()

    await house.call(caller)
    assert house.texts == ["我要查快递", "13800138000"]
    assert house.asr.hints[-1].expect is AsrExpect.DIGITS
    assert house.watcher.latencies[-1].total < 400  # complete: no need to wait


@virtual_time
async def test_yes_said_just_before_a_question_ends_is_the_answer() -> None:
    question = Say("您的订单尾号是八八六六，您是要办理退货，对吗？", expect=Expect.YES_NO)
    house = House({"我要退货": question})

    async def caller(line: FakeLine) -> None:
        await line.quiet()
        await line.say("我要退货")
        await line.talking(2.6)
        await line.say("对")
        await line.quiet()

    await house.call(caller)
    assert house.texts == ["我要退货", "对"]


@virtual_time
async def test_noise_without_words_is_a_noise_turn_and_a_click_is_nothing() -> None:
    house = House()

    async def caller(line: FakeLine) -> None:
        await line.quiet()
        await line.noise(60)
        await asyncio.sleep(2)
        assert house.texts == []
        await line.noise(1200)
        await line.quiet()

    await house.call(caller)
    assert house.texts == ["noise"]


@virtual_time
async def test_a_caller_is_waited_for_longer_while_looking_for_a_number() -> None:
    house = House({"我要查快递": Say("请报一下订单号。", expect=Expect.DIGITS)})

    async def caller(line: FakeLine) -> None:
        await line.quiet()
        await line.say("我要查快递")
        await line.quiet()
        await asyncio.sleep(12)

    await house.call(caller)
    assert house.texts == ["我要查快递"]


@virtual_time
async def test_lost_packets_do_not_end_an_utterance() -> None:
    house = House(line=FakeLine(loss=0.05))

    async def caller(line: FakeLine) -> None:
        await line.quiet()
        await line.say("我的快递到哪里了今天能送到吗")
        await line.quiet()

    report = await house.call(caller)
    assert report.turns == 1


@virtual_time
async def test_two_calls_do_not_mix() -> None:
    house, other = House(), FakeLine(id="call-2", seed=2)
    house.asr._spoken = merged = {}
    house.line.spoken = other.spoken = merged

    async def second() -> None:
        await other.quiet()
        await other.say("我要退货")
        await other.quiet()
        other.hang_up_by_caller()

    async def caller(line: FakeLine) -> None:
        handled = asyncio.create_task(house.gateway.handle(other))
        speaking = asyncio.create_task(second())
        await line.quiet()
        await line.say("我要开发票")
        await line.quiet()
        await speaking
        await handled
        house.dialog.closed.pop()

    await house.call(caller)
    assert {(turn.session, turn.text) for turn in house.dialog.turns} == {
        ("call-1", "我要开发票"),
        ("call-2", "我要退货"),
    }


@virtual_time
async def test_prompts_are_rendered_once_before_the_first_call() -> None:
    house = House()

    async def caller(line: FakeLine) -> None:
        house.tts.said.clear()
        await line.quiet()

    await house.call(caller)
    assert house.tts.said == []
