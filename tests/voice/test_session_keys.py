"""Keys and hold in whole calls, in virtual time."""

from __future__ import annotations

import asyncio

from dialog.api import Expect, TurnKind
from tests.fakes.line import FakeLine
from tests.fakes.scripted_dialog import Say
from tests.fakes.virtual_time import virtual_time
from tests.voice.house import LONG, House


@virtual_time
async def test_keys_end_at_the_hash_and_interrupt_the_bot() -> None:
    house = House({"我要查快递": Say("请输入订单号，以井号键结束，订单号在短信里可以找到。", expect=Expect.DIGITS)})

    async def caller(line: FakeLine) -> None:
        await line.quiet()
        await line.say("我要查快递")
        await line.talking(0.5)
        line.press("2024#")
        await line.quiet()

    await house.call(caller)
    assert house.texts[-1] == "2024" and house.dialog.turns[-1].kind is TurnKind.DTMF


@virtual_time
async def test_one_key_answers_a_yes_no_question_at_once() -> None:
    house = House({"退款到了吗": Say("问题解决了吗？解决请按一。", expect=Expect.YES_NO)})
    pressed: list[float] = []

    async def caller(line: FakeLine) -> None:
        await line.quiet()
        await line.say("退款到了吗")
        await line.quiet()
        line.press("1")
        pressed.append(asyncio.get_running_loop().time())
        await line.quiet()

    await house.call(caller)
    assert house.texts[-1] == "1"
    assert house.line.audible_since(pressed[0]) - pressed[0] < 0.2


@virtual_time
async def test_hold_silences_the_bot_and_resuming_goes_on() -> None:
    house = House({"会员有什么好处": Say(LONG)})
    during: list[int] = []

    async def caller(line: FakeLine) -> None:
        await line.quiet()
        await line.say("会员有什么好处")
        await line.talking(1.0)
        line.hold()
        await asyncio.sleep(0.1)
        start = len(line.ear)
        await line.noise(2000)  # music of the far end
        await asyncio.sleep(20)
        during.append(sum(h.audible for h in line.ear[start:]))
        line.resume()
        await line.quiet()

    report = await house.call(caller)
    assert during == [0]
    assert report.turns == 1 and report.barge_ins == 0
    assert sum(h.audible for h in house.line.ear) * 20 >= (len(LONG) + 12) * 150


@virtual_time
async def test_a_key_during_a_notice_is_kept() -> None:
    house = House({"我要办业务": Say("根据规定，本次通话将被录音，请您知悉。", interruptible=False)})

    async def caller(line: FakeLine) -> None:
        await line.quiet()
        await line.say("我要办业务")
        await line.talking(0.5)
        line.press("1#")
        await line.quiet()

    report = await house.call(caller)
    assert report.barge_ins == 0 and house.texts == ["我要办业务", "1"]
