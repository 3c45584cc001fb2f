"""What fails in whole calls, in virtual time: the dialog, the recogniser, the voice, the hand-over, a full gateway."""

from __future__ import annotations

import asyncio

import pytest

from common.errors import Misconfigured, Unavailable
from tests.fakes.line import FakeLine
from tests.fakes.scripted_dialog import Say
from tests.fakes.virtual_time import virtual_time
from tests.voice.house import House
from voice_gateway.api import TransferOutcome
from voice_gateway.asr.api import AsrFailed
from voice_gateway.settings import VoiceSettings


@virtual_time
async def test_a_failing_dialog_is_retried_once_without_the_caller_noticing() -> None:
    house = House({"退款到了吗": Say("退款已经到账。")})
    house.dialog.fail = [Unavailable("down")]

    async def caller(line: FakeLine) -> None:
        await line.quiet()
        await line.say("退款到了吗")
        await line.quiet()

    await house.call(caller)
    assert house.watcher.replies[-1] == "退款已经到账。"


@virtual_time
async def test_a_dialog_that_is_down_apologises_then_calls_a_human() -> None:
    house = House()
    house.dialog.fail = [Unavailable("down") for _ in range(4)]

    async def caller(line: FakeLine) -> None:
        await line.quiet()
        await line.say("退款到了吗")
        await line.quiet()
        await line.say("退款到了吗")
        await asyncio.sleep(60)

    report = await house.call(caller)
    settings = house.settings
    assert house.watcher.replies[1:] == [settings.say_trouble, settings.say_trouble, settings.say_handover]
    assert report.transferred and house.line.transfers[0][1].reason == "repeated_failure"


@virtual_time
async def test_when_nobody_takes_over_either_the_call_ends_honestly() -> None:
    house = House(line=FakeLine(transfer_outcome=TransferOutcome.REFUSED))
    house.dialog.fail = [Unavailable("down") for _ in range(4)]

    async def caller(line: FakeLine) -> None:
        for _ in range(2):
            await line.quiet()
            await line.say("退款到了吗")
        await asyncio.sleep(60)

    report = await house.call(caller)
    assert house.watcher.replies[-1] == house.settings.say_failed and report.ended == "error"


@virtual_time
async def test_a_silent_dialog_times_out_with_a_filler_meanwhile() -> None:
    house = House({"退款到了吗": Say("退款已经到账。", takes_s=100.0)})

    async def caller(line: FakeLine) -> None:
        await line.quiet()
        await line.say("退款到了吗")
        await line.quiet()  # the filler
        await line.quiet()  # the apology

    await house.call(caller)
    assert house.watcher.replies[-1] == house.settings.say_trouble
    assert house.watcher.latencies[0].filled


@virtual_time
async def test_a_slow_dialog_gets_one_filler_and_a_fast_one_none() -> None:
    house = House({"退款到了吗": Say("退款已经到账。", takes_s=3.0)})

    async def caller(line: FakeLine) -> None:
        await line.quiet()
        await line.say("退款到了吗")
        await line.quiet(2.5)

    await house.call(caller)
    heard_ms = 20 * sum(h.audible for h in house.line.ear)
    text = house.dialog.greeting.text + house.settings.say_filler + "退款已经到账。"
    assert heard_ms == pytest.approx(150 * len(text), abs=80)
    assert house.watcher.latencies[0].filled and house.watcher.latencies[0].dialog == pytest.approx(3000, abs=100)


@virtual_time
async def test_a_recogniser_that_fails_is_apologised_for() -> None:
    house = House()
    house.asr.fail = AsrFailed("broken")

    async def caller(line: FakeLine) -> None:
        await line.quiet()
        await line.say("退款到了吗")
        await line.quiet()
        house.asr.fail = None
        await line.say("退款到了吗")
        await line.quiet()

    await house.call(caller)
    assert house.watcher.replies[1] == house.settings.say_unheard
    assert house.texts == ["退款到了吗"]


@virtual_time
async def test_a_voice_that_fails_is_replaced_by_a_prompt_that_is_ready() -> None:
    house = House({"退款到了吗": Say("退款已经到账。")})

    async def caller(line: FakeLine) -> None:
        await line.quiet()
        house.tts.fail = Unavailable("no voice")
        await line.say("退款到了吗")
        before = len(line.ear)
        await line.quiet()
        heard = sum(h.audible for h in line.ear[before:])
        assert heard * 20 == pytest.approx(150 * len(house.settings.say_trouble), abs=80)

    await house.call(caller)


@virtual_time
async def test_a_hand_over_is_announced_to_its_end_and_then_made() -> None:
    house = House({"转人工": Say("好的，正在为您转接人工客服，请稍候。", handoff="agents")})
    times: list[float] = []

    async def caller(line: FakeLine) -> None:
        await line.quiet()
        await line.say("转人工")
        await line.talking(0.5)
        times.append(await line.say("快点快点我很着急"))
        await asyncio.sleep(60)

    report = await house.call(caller)
    assert report.transferred and report.ended == "transferred" and report.barge_ins == 0
    assert house.line.transfers[0][0] == "agents"
    assert house.dialog.closed == ["transferred"]


@virtual_time
async def test_a_refused_hand_over_goes_on_with_the_bot() -> None:
    line = FakeLine(transfer_outcome=TransferOutcome.REFUSED)
    house = House({"转人工": Say("正在为您转接，请稍候。", handoff="")}, line=line)

    async def caller(line: FakeLine) -> None:
        await line.quiet()
        await line.say("转人工")
        await line.quiet()
        await line.quiet()
        await line.say("那退款怎么办")
        await line.quiet()

    report = await house.call(caller)
    assert house.dialog.failed_transfers == ["refused"] and not report.transferred
    assert house.settings.say_no_agent in house.watcher.replies
    assert house.texts[-1] == "那退款怎么办"


@virtual_time
async def test_a_full_gateway_says_so_and_hangs_up() -> None:
    house, other = House(settings=VoiceSettings(max_calls=1, drain_s=1)), FakeLine(id="call-2")

    async def caller(line: FakeLine) -> None:
        await line.talking(0.2)
        serve = asyncio.create_task(_serve(other))
        report = await house.gateway.handle(other)
        await serve
        assert report.ended == "overloaded" and other.hung_up == "overloaded"

    await house.call(caller)


async def _serve(line: FakeLine) -> None:
    """Let the line's clock run although nobody listens."""
    async for _ in line.audio.frames():
        pass


@virtual_time
async def test_a_voice_that_cannot_say_our_own_prompts_is_misconfigured() -> None:
    house = House()
    house.tts.fail = Unavailable("no voice")
    with pytest.raises(Misconfigured, match="prompts"):
        await house.gateway.prepare()
