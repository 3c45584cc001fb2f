"""How whole calls end, in virtual time: hanging up, silence, a dead line, a shutdown; nothing said is lost."""

from __future__ import annotations

import asyncio

from tests.fakes.line import FakeLine
from tests.fakes.scripted_dialog import Say
from tests.fakes.virtual_time import virtual_time
from tests.voice.house import LONG, House


@virtual_time
async def test_silence_is_told_to_the_dialog_which_ends_the_call() -> None:
    house = House({"silence": Say("请问您还在吗？")})
    house.dialog.script["silence"] = Say("您好，请问您还在吗？")

    async def caller(line: FakeLine) -> None:
        await asyncio.sleep(12)
        house.dialog.script["silence"] = Say("先不打扰您了，再见。", hang_up="no_input")
        await asyncio.sleep(600)

    report = await house.call(caller)
    assert house.texts == ["silence", "silence"] and report.ended == "no_input"


@virtual_time
async def test_endless_silence_ends_even_if_the_dialog_never_does() -> None:
    house = House({"silence": Say("请问您还在吗？")})

    async def caller(line: FakeLine) -> None:
        await asyncio.sleep(600)

    report = await house.call(caller)
    assert report.ended == "no_input" and len(house.texts) == 4


@virtual_time
async def test_a_line_without_frames_is_dead() -> None:
    house = House()

    async def caller(line: FakeLine) -> None:
        await line.quiet()
        line.frozen = True
        await asyncio.sleep(600)

    report = await house.call(caller)
    assert report.ended == "dead_line"


@virtual_time
async def test_frames_that_end_end_the_call() -> None:
    house = House({"会员有什么好处": Say(LONG)})

    async def caller(line: FakeLine) -> None:
        await line.quiet()
        await line.say("会员有什么好处")
        await line.talking(1.0)
        line.die()
        await asyncio.sleep(60)

    report = await house.call(caller)
    assert report.ended == "dead_line"
    assert house.dialog.interruptions[0][0] == "r1"


@virtual_time
async def test_hanging_up_mid_reply_tells_what_was_heard_and_leaves_nothing_running() -> None:
    house = House({"会员有什么好处": Say(LONG)})

    async def caller(line: FakeLine) -> None:
        await line.quiet()
        await line.say("会员有什么好处")
        await line.talking(1.0)

    await house.call(caller)
    reply_id, heard = house.dialog.interruptions[0]
    assert reply_id == "r1" and LONG.startswith(heard) and len(heard) < 12
    assert house.dialog.log[-1] == "close"


@virtual_time
async def test_last_words_before_hanging_up_are_not_lost() -> None:
    house = House()

    async def caller(line: FakeLine) -> None:
        await line.quiet()
        await line.say("我要投诉你们")

    await house.call(caller)
    assert house.texts == ["我要投诉你们"] and house.dialog.log == ["respond 我要投诉你们", "close"]


@virtual_time
async def test_words_whose_text_was_still_coming_are_not_lost_either() -> None:
    house = House()
    house.asr._final_s = 1.0

    async def caller(line: FakeLine) -> None:
        await line.quiet()
        await line.say("我要投诉你们")
        await asyncio.sleep(0.6)

    await house.call(caller)
    assert house.texts == ["我要投诉你们"]


@virtual_time
async def test_closing_the_gateway_ends_running_calls() -> None:
    house = House({"会员有什么好处": Say(LONG)})

    async def caller(line: FakeLine) -> None:
        await line.quiet()
        await line.say("会员有什么好处")
        await line.talking(0.5)
        await house.gateway.aclose()
        await asyncio.sleep(60)

    report = await house.call(caller)
    assert report.ended == "shutdown"
