"""Simulated callers: what they say next, and how their calls are judged."""

from __future__ import annotations

import numpy as np
import pytest

from dialog.api import HandoffSummary, TurnKind, TurnReport, UserTurn
from emotion.api import EmotionLabel, EmotionReading
from hotline.callers.caller import CallOutcome, SaidLine, prepare
from hotline.callers.scenarios import DEMO
from hotline.callers.script import MAX_REPEATS, Beat, Line, Memory, Persona
from hotline.callers.verdict import Played, problems_of, report_of
from hotline.live import Heard
from voice_gateway.observer import Latency

STORY = Persona(
    "test",
    "a story",
    "139",
    "zf_xiaoni",
    (
        Beat("您好", Line(("查订单",))),
        Beat("订单号", Line(("二零二六", "零零一"), pause_s=0.5)),
        Beat("还有", Line(("没有了",))),
    ),
)


def test_beats_follow_the_bot() -> None:
    memory = Memory(STORY)
    assert [memory.next(text) for text in ("您好，请讲", "请报订单号", "还有什么可以帮您")] == [
        beat.line for beat in STORY.beats
    ]
    assert memory.done


def test_asked_again_the_caller_repeats_but_not_for_ever() -> None:
    memory = Memory(STORY)
    first = memory.next("您好")
    for _ in range(MAX_REPEATS):
        again = memory.next("抱歉没听清，请再说一遍")
        assert first is not None and again is not None and again.pieces == first.pieces
    assert memory.next("嗯嗯") is None


def test_a_bot_that_reads_back_again_does_not_ask_for_a_repeat() -> None:
    memory = Memory(STORY)
    memory.next("您好")
    assert memory.next("我重复一遍，您的订单号") == STORY.beats[1].line


def test_a_skipped_question_is_skipped() -> None:
    memory = Memory(STORY)
    memory.next("您好")
    assert memory.next("已经查到了，还有什么事吗") == STORY.beats[2].line


def test_an_unforeseen_yes_no_question_is_agreed_to() -> None:
    memory = Memory(STORY)
    memory.next("您好")
    answer = memory.next("按来电号码查可以吗")
    assert answer is not None and answer.text == "对"


async def test_lines_are_prepared_with_pauses_level_and_noise() -> None:
    async def render(text: str, voice: str, speed: float) -> np.ndarray:
        return np.full(800 * len(text), 1000, np.int16)

    spoken = await prepare(STORY, render)
    assert set(spoken) == {"查订单", "二零二六零零一", "没有了", "对"}
    assert len(spoken["二零二六零零一"]) == 800 * 7 + 4000
    assert spoken["查订单"].std() > 10


def heard(text: str, score: float = 0.1, **slots: str) -> Heard:
    emotion = EmotionReading(EmotionLabel.NEUTRAL, 0.2, 0.0, score, 0.5)
    report = TurnReport("order_status", 0.9, slots, emotion, "ask", "order")
    return Heard(UserTurn("s", 1, TurnKind.SPEECH, text), report, Latency(), "好的")


def outcome(persona: Persona) -> CallOutcome:
    said = [
        SaidLine(beat.line, began_at=10 * i, ended_at=10 * i + 1, bot_began_at=10 * i + 1.4)
        for i, beat in enumerate(persona.beats)
    ]
    return CallOutcome(said, finished=True, closed="bye")


def played(name: str, turns: list[Heard], **given: object) -> Played:
    persona = next(p for p in DEMO if p.name == name)
    made = Played(persona, outcome(persona), turns, [], None, "call.wav")
    for key, value in given.items():
        setattr(made, key, value)
    return made


def test_a_good_order_call_has_no_problems_and_its_report_is_whole() -> None:
    call = played("order", [heard("查订单"), heard("二零二六", order_number="202611030926")])
    assert problems_of(call) == []
    report = report_of([call])
    assert report["voice_to_voice_ms"] == {"p50": 400, "p95": 400, "n": 6}
    turn = report["calls"][0]["turns"][1]
    assert set(turn) == {"caller_said", "heard", "intent", "slots", "emotion", "reply", "voice_to_voice_ms"}
    assert set(turn["emotion"]) == {"label", "arousal", "valence", "score"}
    assert report["calls"][0]["ok"] is True


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (played("order", [heard("查"), heard("号", order_number="202611030925")]), "order number"),
        (played("order", [heard("查")], recording=""), "recording"),
        (played("angry", [heard("a", 0.9), heard("b", 0.9)]), "no human"),
        (
            played("angry", [heard("a"), heard("b")], context=HandoffSummary("s", "emotion", "…")),
            "anger was not noticed",
        ),
        (played("faq", [heard("a"), heard("b")]), "interruptions"),
    ],
)
def test_what_goes_wrong_is_named(call: Played, says: str) -> None:
    assert any(says in problem for problem in problems_of(call))
