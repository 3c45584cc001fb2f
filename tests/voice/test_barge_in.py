"""The barge-in rule and the phrases it knows."""

from __future__ import annotations

import pytest

from voice_gateway import phrases
from voice_gateway.barge_in import BargeInRules, Playing, Sound, Verdict, judge

RULES = BargeInRules()


@pytest.mark.parametrize(
    ("playing", "sound", "verdict"),
    [
        (Playing(), Sound(32), Verdict.HOLD),
        (Playing(), Sound(32, level_db=-3.0), Verdict.HOLD),
        (Playing(), Sound(96, level_db=-12.0), Verdict.LEAVE),
        (Playing(), Sound(288, level_db=-12.0), Verdict.HOLD),
        (Playing(), Sound(200, "嗯"), Verdict.LEAVE),
        (Playing(held=True), Sound(200, "嗯"), Verdict.LEAVE),
        (Playing(held=True), Sound(200, "嗯", over=True), Verdict.RESUME),
        (Playing(held=True), Sound(200, "", over=True), Verdict.RESUME),
        (Playing(held=True), Sound(1700), Verdict.RESUME),
        (Playing(noisy=True), Sound(1800), Verdict.LEAVE),
        (Playing(noisy=True), Sound(1800, "我要退货"), Verdict.STOP),
        (Playing(held=True), Sound(300, "等一"), Verdict.LEAVE),
        (Playing(held=True), Sound(450, "等一"), Verdict.STOP),
        (Playing(held=True), Sound(300, "我的", confidence=0.2, over=True), Verdict.RESUME),
        (Playing(held=True), Sound(300, "人工", confidence=0.2, over=True), Verdict.STOP),
        (Playing(held=True), Sound(300, "退货", confidence=0.9, over=True), Verdict.STOP),
        (Playing(held=True), Sound(300, "等"), Verdict.LEAVE),
        (Playing(held=True), Sound(300, "停", over=True), Verdict.STOP),
        (Playing(), Sound(600, "嗯我要"), Verdict.STOP),
        (Playing(held=True), Sound(900, "好的好的明白了", over=True), Verdict.RESUME),
        (Playing(interruptible=False), Sound(900, "我要退货"), Verdict.LEAVE),
        (Playing(closing=True), Sound(900, "好的谢谢再见", over=True), Verdict.LEAVE),
        (Playing(closing=True), Sound(900), Verdict.LEAVE),
        (Playing(closing=True), Sound(900, "等等我还想问发票"), Verdict.STOP),
        (Playing(answerable=True), Sound(200, "对"), Verdict.STOP),
        (Playing(greeting=True), Sound(400, "喂你好"), Verdict.HOLD),
        (Playing(greeting=True, held=True), Sound(400, "喂", over=True), Verdict.RESUME),
        (Playing(greeting=True), Sound(500, "我要退货"), Verdict.STOP),
        (Playing(held=True), Sound(520, partials=False), Verdict.STOP),
        (Playing(held=True), Sound(300, partials=False, over=True), Verdict.RESUME),
    ],
)
def test_judge(playing: Playing, sound: Sound, verdict: Verdict) -> None:
    assert judge(RULES, playing, sound) is verdict


@pytest.mark.parametrize("text", ["嗯", "对", "好的", "哦", "嗯嗯", "对对对", "好的好的", "是的。", "哦，这样啊", ""])
def test_backchannels(text: str) -> None:
    assert phrases.is_backchannel(text) and phrases.count_new(text) == 0


@pytest.mark.parametrize("text", ["不对", "不是", "等一下", "好的那我要退货", "人工", "没有"])
def test_no_backchannels(text: str) -> None:
    assert not phrases.is_backchannel(text) and phrases.count_new(text) >= 2


def test_counts_characters_not_words() -> None:
    assert phrases.count_new("我想取消订单") == 6
    assert phrases.count_new("我 想 取 消") == 4


def test_courtesies_ask_for_nothing() -> None:
    assert phrases.is_courtesy("好的谢谢你再见") and phrases.is_courtesy("没有了，谢谢您")
    assert not phrases.is_courtesy("谢谢，还有发票怎么开")


def test_digits_are_counted_in_both_scripts() -> None:
    assert phrases.count_digits("幺三八0013") == 7
