"""Did a call go as its scenario says, and the report of all calls. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from dialog.api import HandoffSummary
from hotline.callers.caller import CallOutcome, SaidLine
from hotline.callers.script import Persona
from hotline.live import Heard


@dataclass(slots=True)
class Played:
    """One call: what its caller's end and the bot's end saw of it."""

    persona: Persona
    outcome: CallOutcome
    turns: list[Heard]
    barge_ins: list[str]
    context: HandoffSummary | None
    recording: str
    problems: list[str] = field(default_factory=list)


def slots_of(turns: list[Heard]) -> dict[str, str]:
    """The last value of every slot."""
    return {name: value for turn in turns if turn.report is not None for name, value in turn.report.slots.items()}


def problems_of(played: Played) -> list[str]:
    """What did not go as the scenario says; empty when all went well."""
    persona, outcome, turns = played.persona, played.outcome, played.turns
    found: list[str] = []

    def expect(true: bool, problem: str) -> None:
        if not true:
            found.append(problem)

    expect(bool(played.recording), "there is no recording")
    expect(len(turns) >= 2, f"only {len(turns)} turns were heard")
    if persona.order_number:
        number = slots_of(turns).get("order_number", "")
        expect(number == persona.order_number, f"the order number was taken as {number or 'nothing'}")
    if persona.expects_human:
        expect(played.context is not None, "no human got the call with its context")
        scores = [t.report.emotion.score for t in turns if t.report is not None and t.report.emotion is not None]
        expect(max(scores, default=0.0) >= 0.5, f"the anger was not noticed: {scores}")
    else:
        expect(played.context is None, "was handed over to a human")
        expect(outcome.finished, "the story was not told to its end")
        expect(outcome.closed == "bye", f"the call ended by {outcome.closed or 'nobody'}")
    interruptions = sum(said.line.over_s is not None and not said.line.backchannel for said in outcome.said)
    expect(len(played.barge_ins) == interruptions, f"{len(played.barge_ins)} interruptions instead of {interruptions}")
    return found


def report_of(played: list[Played]) -> dict[str, Any]:
    """The report: one entry a call, and voice-to-voice latency at the callers' end over all turns."""
    calls = [_call(call) for call in played]
    speeds = [ms for call in played for said in call.outcome.said if (ms := said.voice_to_voice_ms) is not None]

    def quantile(q: float) -> int | None:
        return round(float(np.quantile(speeds, q))) if speeds else None

    return {"calls": calls, "voice_to_voice_ms": {"p50": quantile(0.5), "p95": quantile(0.95), "n": len(speeds)}}


def _call(played: Played) -> dict[str, Any]:
    spoken = [said for said in played.outcome.said if not said.line.backchannel]
    barges = [said.barge_in_ms for said in spoken if said.barge_in_ms is not None]
    turns = [t for t in played.turns if t.turn.text]
    return {
        "scenario": played.persona.name,
        "turns": [_turn(turn, spoken[i] if i < len(spoken) else None) for i, turn in enumerate(turns)],
        "escalated": played.context is not None,
        "barge_in_ms": round(barges[0]) if barges else None,
        "recording": played.recording,
        "problems": played.problems,
        "ok": not played.problems,
    }


def _turn(turn: Heard, said: SaidLine | None) -> dict[str, Any]:
    report = turn.report
    emotion = report.emotion if report is not None else None
    speed = said.voice_to_voice_ms if said is not None else None
    return {
        "caller_said": said.line.text if said is not None else "",
        "heard": turn.turn.text,
        "intent": report.intent if report is not None else "",
        "slots": dict(report.slots) if report is not None else {},
        "emotion": {
            "label": emotion.label.value,
            "arousal": round(emotion.arousal, 3),
            "valence": round(emotion.valence, 3),
            "score": round(emotion.score, 3),
        }
        if emotion is not None
        else None,
        "reply": turn.reply,
        "voice_to_voice_ms": round(speed) if speed is not None else None,
    }
