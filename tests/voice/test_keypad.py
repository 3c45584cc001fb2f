"""Keys become entries."""

from __future__ import annotations

from dialog.api import Expect, Expectation
from voice_gateway.keypad import Keypad, KeypadRules

RULES = KeypadRules(number_s=3.0, single_s=1.0)


def keypad(kind: Expect = Expect.FREE, digits: int = 0) -> Keypad:
    made = Keypad(RULES)
    made.expect(Expectation(kind, digits=digits))
    return made


def press(pad: Keypad, keys: str) -> list[str | None]:
    return [pad.press(key, 10.0 + index) for index, key in enumerate(keys)]


def test_hash_ends_a_number() -> None:
    assert press(keypad(Expect.DIGITS), "12#") == [None, None, "12"]


def test_star_starts_again() -> None:
    assert press(keypad(Expect.DIGITS), "12*34#")[-1] == "34"


def test_a_full_number_needs_no_hash() -> None:
    assert press(keypad(Expect.DIGITS, 3), "123") == [None, None, "123"]


def test_one_key_answers_yes_or_no() -> None:
    assert press(keypad(Expect.YES_NO), "1") == ["1"]


def test_hash_or_star_alone_is_an_entry() -> None:
    assert press(keypad(), "#") == ["#"] and press(keypad(), "*") == ["*"]


def test_a_pause_ends_an_entry_sooner_where_one_key_may_be_all() -> None:
    pad = keypad()
    pad.press("0", 10.0)
    assert pad.deadline == 11.0 and pad.expire(10.9) is None and pad.expire(11.0) == "0"
    assert pad.deadline is None and pad.expire(20.0) is None
    number = keypad(Expect.DIGITS)
    number.press("1", 10.0)
    assert number.deadline == 13.0
