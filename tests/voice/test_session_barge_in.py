"""Barge-in in whole calls, in virtual time: what stops the bot, what only pauses it, what must be heard."""

from __future__ import annotations

import asyncio

import pytest

from dialog.api import Expect
from tests.fakes.line import FakeLine
from tests.fakes.scripted_dialog import Say
from tests.fakes.virtual_time import virtual_time
from tests.voice.house import LONG, House
from voice_gateway.api import Direction


@virtual_time
async def test_barge_in_silences_the_bot_within_200_ms_and_tells_what_was_heard() -> None:
    house = House({"会员有什么好处": Say(LONG)})
    stopped: list[float] = []

    async def caller(line: FakeLine) -> None:
        await line.quiet()
        await line.say("会员有什么好处")
        await line.talking(2.0)
        began = await line.say("等一下我想问别的")
        stopped.append(max(h.at for h in line.ear if h.audible and h.at < began + 1.5) - began)
        await line.quiet()

    report = await house.call(caller)
    assert stopped[0] <= 0.12  # the line adds its jitter buffer
    assert report.barge_ins == 1
    reply_id, heard = house.dialog.interruptions[0]
    assert reply_id == "r1" and LONG.startswith(heard) and 8 <= len(heard) <= 20
    assert house.texts == ["会员有什么好处", "等一下我想问别的"]
    assert house.dialog.log.index("interrupted r1") < house.dialog.log.index("respond 等一下我想问别的")


@pytest.mark.parametrize("murmur", ["嗯", "对", "好的", "哦", "嗯嗯"])
@virtual_time
async def test_an_acknowledgement_does_not_stop_the_bot_and_is_no_turn(murmur: str) -> None:
    house = House({"会员有什么好处": Say(LONG)})
    said: list[float] = []

    async def caller(line: FakeLine) -> None:
        await line.quiet()
        await line.say("会员有什么好处")
        await line.talking(2.0)
        said.append(await line.say(murmur, level=6000))
        await line.quiet(1.0)

    report = await house.call(caller)
    assert house.texts == ["会员有什么好处"] and report.barge_ins == 0
    audible = [h.at for h in house.line.ear if h.audible and h.at > said[0] - 1]
    gaps = [b - a for a, b in zip(audible, audible[1:], strict=False)]
    assert max(gaps) < 0.75  # held for about as long as the murmur, then on from the same sample
    played = sum(h.audible for h in house.line.ear if h.at > said[0] - 2.6)
    assert played * 20 >= len(LONG) * 150 - 60  # nothing of the reply was lost


@virtual_time
async def test_a_quiet_acknowledgement_makes_no_gap_at_all() -> None:
    house = House({"会员有什么好处": Say(LONG)})
    said: list[float] = []

    async def caller(line: FakeLine) -> None:
        await line.quiet()
        await line.say("会员有什么好处", level=12000)
        await line.talking(2.0)
        said.append(await line.say("嗯", level=3000))
        await line.quiet(1.0)

    await house.call(caller)
    audible = [h.at for h in house.line.ear if h.audible and said[0] - 1 < h.at < said[0] + 1.5]
    assert max(b - a for a, b in zip(audible, audible[1:], strict=False)) < 0.03


@virtual_time
async def test_noise_over_the_bot_only_pauses_it() -> None:
    house = House({"会员有什么好处": Say(LONG)})

    async def caller(line: FakeLine) -> None:
        await line.quiet()
        await line.say("会员有什么好处")
        await line.talking(1.0)
        await line.noise(400)
        await line.quiet(1.5)

    report = await house.call(caller)
    assert report.barge_ins == 0 and house.texts == ["会员有什么好处"]


@virtual_time
async def test_a_television_does_not_silence_the_bot_for_good() -> None:
    house = House({"会员有什么好处": Say(LONG)})
    ears: list[int] = []

    async def caller(line: FakeLine) -> None:
        await line.quiet()
        await line.say("会员有什么好处")
        await line.talking(0.5)
        await line.noise(8000)
        ears.append(sum(h.audible for h in line.ear[-200:]))

    await house.call(caller)
    assert ears[0] > 150


@virtual_time
async def test_without_partials_half_a_second_of_speech_stops_the_bot() -> None:
    house = House({"会员有什么好处": Say(LONG)}, partials=False)

    async def caller(line: FakeLine) -> None:
        await line.quiet()
        await line.say("会员有什么好处")
        await line.talking(1.0)
        await line.say("等一下我想问别的")
        await line.quiet()

    report = await house.call(caller)
    assert report.barge_ins == 1
    assert house.texts[-1] == "等一下我想问别的"


@pytest.mark.parametrize("echo_db", [-6.0, -20.0])
@virtual_time
async def test_the_bots_own_echo_does_not_stop_it(echo_db: float) -> None:
    house = House({"会员有什么好处": Say(LONG)}, line=FakeLine(echo_db=echo_db))

    async def caller(line: FakeLine) -> None:
        await line.quiet()
        await line.say("会员有什么好处")
        await line.quiet(1.5)

    report = await house.call(caller)
    assert report.barge_ins == 0 and house.texts == ["会员有什么好处"]
    audible = [h.at for h in house.line.ear if h.audible]
    gaps = [b - a for a, b in zip(audible, audible[1:], strict=False)]
    assert sum(gap > 0.1 for gap in gaps) == 1  # only the caller's turn


@virtual_time
async def test_a_caller_can_interrupt_over_echo() -> None:
    house = House({"会员有什么好处": Say(LONG)}, line=FakeLine(echo_db=-15.0))

    async def caller(line: FakeLine) -> None:
        await line.quiet()
        await line.say("会员有什么好处")
        await line.talking(2.0)
        await line.say("等一下我想问别的")
        await line.quiet()

    report = await house.call(caller)
    assert report.barge_ins == 1


@virtual_time
async def test_a_goodbye_that_is_talked_over_still_ends_the_call() -> None:
    bye = Say("感谢您的来电，祝您生活愉快，再见。", expect=Expect.NOTHING, hang_up="goodbye")
    house = House({"没有了谢谢": bye})

    async def caller(line: FakeLine) -> None:
        await line.quiet()
        await line.say("没有了谢谢")
        await line.talking(0.8)
        await line.say("好的谢谢再见")
        await asyncio.sleep(30)

    report = await house.call(caller)
    assert report.ended == "goodbye" and report.barge_ins == 0
    assert house.dialog.closed == ["goodbye"]


@virtual_time
async def test_a_goodbye_is_taken_back_when_something_new_is_asked() -> None:
    bye = Say("感谢您的来电，祝您生活愉快，再见。", expect=Expect.NOTHING, hang_up="goodbye")
    house = House({"没有了谢谢": bye, "等等我还想问发票怎么开": Say("发票可以在订单页面申请。")})

    async def caller(line: FakeLine) -> None:
        await line.quiet()
        await line.say("没有了谢谢")
        await line.talking(0.8)
        await line.say("等等我还想问发票怎么开")
        await line.quiet()

    report = await house.call(caller)
    assert house.texts == ["没有了谢谢", "等等我还想问发票怎么开"] and report.ended == "bye"


@virtual_time
async def test_something_asked_as_the_goodbye_ends_is_still_answered() -> None:
    bye = Say("再见。", expect=Expect.NOTHING, hang_up="goodbye")
    house = House({"没有了谢谢": bye, "等等发票怎么开": Say("发票可以在订单页面申请。")})

    async def caller(line: FakeLine) -> None:
        await line.quiet()
        await line.say("没有了谢谢")
        await line.talking(0.25)
        await line.say("等等发票怎么开")
        await line.quiet()

    report = await house.call(caller)
    assert house.texts[-1] == "等等发票怎么开" and report.ended == "bye"


@virtual_time
async def test_a_notice_that_must_be_heard_is_not_interrupted_but_what_was_said_is_kept() -> None:
    notice = Say("根据规定，本次通话将被录音，请您知悉。", interruptible=False)
    house = House({"我要办业务": notice})

    async def caller(line: FakeLine) -> None:
        await line.quiet()
        await line.say("我要办业务")
        await line.talking(0.5)
        await line.say("帮我查订单")
        await line.quiet()

    report = await house.call(caller)
    assert report.barge_ins == 0 and house.texts == ["我要办业务", "帮我查订单"]


@virtual_time
async def test_an_outbound_call_says_why_and_hello_does_not_stop_it() -> None:
    line = FakeLine(direction=Direction.OUTBOUND, purpose="delivery_delay")
    house = House(line=line, greeting="您好，这里是客服，您的订单会晚两天送达，非常抱歉。")

    async def caller(line: FakeLine) -> None:
        await line.say("喂你好")
        await line.quiet()

    report = await house.call(caller)
    assert house.dialog.starts[0].outbound_purpose == "delivery_delay"
    assert report.barge_ins == 0 and house.texts == []
