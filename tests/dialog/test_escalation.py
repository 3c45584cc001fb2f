"""When a human must come in."""

from __future__ import annotations

from dialog.api import TurnKind
from dialog.escalation import EscalationRules, failed_enough, may_transfer, mood, upset
from dialog.heard import Heard
from dialog.state import State, apply
from tests.fakes.dialog_helpers import reading

RULES = EscalationRules(high=0.6, low=0.4, extreme=0.9, turns=2)
HEARD = Heard(TurnKind.SPEECH, "怎么还没到")


def after(*scores: float) -> list[tuple[bool, bool]]:
    """(hot, a human is called) after each score."""
    state, seen = State("s"), []
    for score in scores:
        state = apply(state, mood(state, reading(score), RULES))
        seen.append((state.hot, upset(state, reading(score), HEARD, RULES)))
    return seen


def test_upset_has_hysteresis() -> None:
    assert after(0.5, 0.65, 0.3) == [(False, False), (True, False), (False, False)]
    assert after(0.65, 0.45) == [(True, False), (True, True)]  # still above `low`
    assert after(0.45, 0.55) == [(False, False), (False, False)]  # never reached `high`
    assert after(0.65, 0.35, 0.65) == [(True, False), (False, False), (True, False)]


def test_extreme_and_repeated_anger_call_at_once() -> None:
    assert after(0.95) == [(True, True)]
    hot = apply(State("s"), mood(State("s"), reading(0.7), RULES))
    assert upset(hot, reading(0.7), Heard(TurnKind.SPEECH, "怎么还没到", repeated=True), RULES)
    assert not upset(hot, None, HEARD, RULES)


def test_an_unread_turn_changes_nothing() -> None:
    hot = apply(State("s"), mood(State("s"), reading(0.7), RULES))
    assert apply(hot, mood(hot, None, RULES)) == hot


def test_failures_count_double_for_the_upset() -> None:
    assert not failed_enough(State("s", failures=1), RULES) and failed_enough(State("s", failures=2), RULES)
    assert failed_enough(State("s", failures=1, hot=True), RULES)


def test_transfers_are_not_tried_for_ever() -> None:
    assert may_transfer(State("s", transfers_failed=1), RULES) and not may_transfer(
        State("s", transfers_failed=2), RULES
    )
