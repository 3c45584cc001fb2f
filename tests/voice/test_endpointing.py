"""When an utterance begins, pauses and ends."""

from __future__ import annotations

import pytest

from dialog.api import Expect, Expectation
from voice_gateway.endpointing import (
    Endpointer,
    EndpointRules,
    EndReason,
    SpeechEnded,
    SpeechEvent,
    SpeechPaused,
    SpeechResumed,
    SpeechStarted,
    silence_needed,
)

RULES = EndpointRules()
STEP = 32


def feed(endpointer: Endpointer, pattern: str, start: int = 0) -> list[SpeechEvent]:
    """`#` is a window of speech, `.` one of silence, `~` one in between."""
    events: list[SpeechEvent] = []
    for index, mark in enumerate(pattern, 1):
        events += endpointer.push(start + index * STEP, {"#": 0.9, ".": 0.05, "~": 0.45}[mark], STEP)
    return events


def test_speech_starts_pauses_and_ends() -> None:
    events = feed(Endpointer(RULES), "..####" + "." * 15)
    assert events[0] == SpeechStarted(2 * STEP)
    assert events[1] == SpeechPaused(6 * STEP)
    ended = events[2]
    assert isinstance(ended, SpeechEnded)
    assert (ended.started_ms, ended.speech_ms, ended.voiced_ms) == (2 * STEP, 6 * STEP, 4 * STEP)
    assert 360 <= ended.at_ms - ended.speech_ms <= 500 and ended.reason is EndReason.SILENCE


def test_a_doubtful_window_keeps_speech_open_but_does_not_begin_it() -> None:
    assert feed(Endpointer(RULES), "~~~~") == []
    events = feed(Endpointer(RULES), "#" + "~" * 20)
    assert events == [SpeechStarted(0)]


def test_speech_that_goes_on_takes_the_pause_back() -> None:
    events = feed(Endpointer(RULES), "###" + "." * 6 + "##")
    assert [type(event) for event in events] == [SpeechStarted, SpeechPaused, SpeechResumed]


def test_a_new_utterance_after_the_end() -> None:
    events = feed(Endpointer(RULES), "##" + "." * 14 + "##")
    assert [type(event) for event in events] == [SpeechStarted, SpeechPaused, SpeechEnded, SpeechStarted]


def test_the_longest_utterance_is_cut() -> None:
    events = feed(Endpointer(EndpointRules(max_utterance_ms=1000)), "#" * 40)
    ended = [event for event in events if isinstance(event, SpeechEnded)]
    assert ended[0].reason is EndReason.TOO_LONG and ended[0].at_ms < 1100


def test_reset_forgets_the_open_utterance() -> None:
    endpointer = Endpointer(RULES)
    feed(endpointer, "###")
    endpointer.reset()
    assert feed(endpointer, "." * 30) == []


@pytest.mark.parametrize(
    ("kind", "digits", "text", "expected"),
    [
        (Expect.FREE, 0, "我的快递到哪里", RULES.default_ms),
        (Expect.FREE, 0, "", RULES.default_ms),
        (Expect.FREE, 0, "可以退货吗", RULES.finished_ms),
        (Expect.FREE, 0, "我想", RULES.unfinished_ms),
        (Expect.FREE, 0, "转人工", RULES.complete_ms),
        (Expect.FREE, 0, "不是的。", RULES.complete_ms),
        (Expect.YES_NO, 0, "对对", RULES.complete_ms),
        (Expect.YES_NO, 0, "我想想看", RULES.default_ms),
        (Expect.DIGITS, 11, "一三八零零", RULES.number_ms),
        (Expect.DIGITS, 11, "一三八零零一三八零零零", RULES.complete_ms),
        (Expect.DIGITS, 0, "幺二三", RULES.number_ms),
        (Expect.DIGITS, 12, "订单号是二零二六嗯", RULES.number_ms),
        (Expect.DIGITS, 12, "四十块钱能退吗", RULES.finished_ms),
        (Expect.DIGITS, 11, "我没有手机号", RULES.default_ms),
        (Expect.ADDRESS, 0, "北京市海淀区", RULES.address_ms),
        (Expect.ADDRESS, 0, "中关村大街一号", RULES.default_ms),
        (Expect.ADDRESS, 0, "没有", RULES.complete_ms),
    ],
)
def test_how_long_to_wait(kind: Expect, digits: int, text: str, expected: int) -> None:
    assert silence_needed(RULES, Expectation(kind, digits=digits), text) == expected


def test_only_numbers_and_addresses_wait_longer_than_half_a_second() -> None:
    for text in ("", "我想", "然后", "我的快递"):
        assert silence_needed(RULES, Expectation(), text) <= 500
