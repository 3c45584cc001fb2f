"""Keys pressed in a call, collected into an entry. Pure; time (seconds) is an argument.

`#` ends an entry, `*` starts it anew. A yes/no question and a full number end it at once; otherwise a pause does.
"""

from __future__ import annotations

from dataclasses import dataclass

from dialog.api import Expect, Expectation


@dataclass(frozen=True, slots=True)
class KeypadRules:
    """Seconds without a key that end an entry: of a number, and where a single key may be all."""

    number_s: float = 3.0
    single_s: float = 1.2


class Keypad:
    """One call's keys."""

    def __init__(self, rules: KeypadRules) -> None:
        self._rules = rules
        self._expectation = Expectation()
        self._keys = ""
        self.deadline: float | None = None

    def expect(self, expectation: Expectation) -> None:
        """What the dialog waits for."""
        self._expectation = expectation

    def press(self, key: str, now: float) -> str | None:
        """One key; the entry if it is complete now."""
        if key == "*" and self._keys:
            self._clear()
            return None
        if key == "#" and self._keys:
            return self._take()
        self._keys += key
        if self._is_complete():
            return self._take()
        number = self._expectation.kind in (Expect.DIGITS, Expect.ADDRESS)
        self.deadline = now + (self._rules.number_s if number else self._rules.single_s)
        return None

    def expire(self, now: float) -> str | None:
        """The entry if its pause is over."""
        return self._take() if self.deadline is not None and now >= self.deadline else None

    def _is_complete(self) -> bool:
        if self._expectation.kind is Expect.YES_NO or self._keys in ("#", "*"):
            return True
        return 0 < self._expectation.digits <= len(self._keys)

    def _take(self) -> str:
        keys = self._keys
        self._clear()
        return keys

    def _clear(self) -> None:
        self._keys, self.deadline = "", None
