"""When a human must come in. Pure.

Three ways: the person asks; the bot fails twice in a row (once is enough when the person is upset); the person stays
upset. Being upset has hysteresis: it begins at `high`, ends only below `low`, and calls a human when it lasts `turns`
turns, when the person says the same thing again, or at once from `extreme` on. One angry word brings an apology first.
"""

from __future__ import annotations

from common.settings import Section
from dialog.events import Mood
from dialog.heard import Heard
from dialog.state import State
from emotion.api import EmotionReading


class EscalationRules(Section):
    """Thresholds on the emotion score (0 … 1), and counts.

    failures: failures in a row that call a human. turns: upset turns in a row that do. transfers: failed transfers
    after which none is tried again (a call back is offered instead).
    """

    high: float = 0.6
    low: float = 0.4
    extreme: float = 0.85
    turns: int = 2
    failures: int = 2
    transfers: int = 2


def mood(state: State, reading: EmotionReading | None, rules: EscalationRules) -> Mood:
    """The mood after this reading; unchanged when there is none."""
    if reading is None:
        return Mood(state.hot, state.hot_turns)
    hot = reading.score >= (rules.low if state.hot else rules.high)
    return Mood(hot, state.hot_turns + 1 if hot else 0)


def upset(state: State, reading: EmotionReading | None, heard: Heard, rules: EscalationRules) -> bool:
    """Whether feelings alone call a human now. `state` is after the mood of this turn."""
    if not state.hot or reading is None:
        return False
    return reading.score >= rules.extreme or state.hot_turns >= rules.turns or heard.repeated


def failed_enough(state: State, rules: EscalationRules) -> bool:
    """Whether the failures in a row, this one counted, call a human."""
    return state.failures >= (1 if state.hot else rules.failures)


def may_transfer(state: State, rules: EscalationRules) -> bool:
    """Whether a transfer may be tried (again)."""
    return state.transfers_failed < rules.transfers
