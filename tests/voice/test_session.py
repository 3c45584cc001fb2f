"""Whole calls in virtual time: turns, turn-taking, keys, hold, silence, failures, ends."""

from __future__ import annotations

import asyncio

import pytest

from common.errors import Misconfigured, Unavailable
from dialog.api import Expect, TurnKind
from tests.fakes.line import FakeLine
from tests.fakes.scripted_dialog import Say
from tests.fakes.virtual_time import virtual_time
from tests.voice.house import House
from voice_gateway.api import Direction, TransferOutcome
from voice_gateway.asr.api import AsrFailed
from voice_gateway.asr.api import Expect as AsrExpect
from voice_gateway.settings import VoiceSettings

LONG = "会员可以享受九五折优惠，生日当月赠送一张二十元的优惠券，每个月还有两次免费退货上门取件的机会。"


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


@virtual_time
async def test_a_voice_that_cannot_say_our_own_prompts_is_misconfigured() -> None:
    house = House()
    house.tts.fail = Unavailable("no voice")
    with pytest.raises(Misconfigured, match="prompts"):
        await house.gateway.prepare()


@virtual_time
async def test_prompts_are_rendered_once_before_the_first_call() -> None:
    house = House()

    async def caller(line: FakeLine) -> None:
        house.tts.said.clear()
        await line.quiet()

    await house.call(caller)
    assert house.tts.said == []
