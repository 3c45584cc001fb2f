"""Scores of recognised text: character error rate with its parts, and digit strings.

Both sides are written the same way first (`text.canonical`): numbers as Chinese characters, no punctuation, Latin in
capitals; the telephone words 幺 and 洞 count as 一 and 零 there. Alignment by rapidfuzz.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from voice_gateway.asr.text import canonical, digit_strings

_TELEPHONE = str.maketrans("幺洞", "一零")


@dataclass(frozen=True, slots=True)
class Score:
    """Counts over a set. `digit_strings` are runs of four and more digits in the references."""

    utterances: int
    characters: int
    substitutions: int
    deletions: int
    insertions: int
    exact: int
    digit_strings: int
    digit_strings_right: int
    phone_numbers: int
    phone_numbers_right: int

    @property
    def cer(self) -> float:
        """Errors per reference character."""
        return (self.substitutions + self.deletions + self.insertions) / max(1, self.characters)

    @property
    def digit_accuracy(self) -> float:
        """Share of digit strings that are right from end to end; 1.0 when there are none."""
        return self.digit_strings_right / self.digit_strings if self.digit_strings else 1.0


def normal(text: str) -> str:
    """The form in which both sides are compared."""
    return canonical(text).translate(_TELEPHONE)


def score(pairs: Iterable[tuple[str, str]]) -> Score:
    """Score pairs of reference and hypothesis."""
    from rapidfuzz.distance import Levenshtein

    count = {"replace": 0, "delete": 0, "insert": 0}
    utterances = characters = exact = strings = right = phones = phones_right = 0
    for reference, hypothesis in pairs:
        wanted, heard = normal(reference), normal(hypothesis)
        utterances += 1
        characters += len(wanted)
        exact += wanted == heard
        for operation in Levenshtein.editops(wanted, heard):
            count[operation.tag] += 1
        found = digit_strings(hypothesis)
        for string in digit_strings(reference):
            hit = string in found
            strings += 1
            right += hit
            if len(string) == 11:
                phones += 1
                phones_right += hit
            if hit:
                found.remove(string)
    return Score(
        utterances,
        characters,
        count["replace"],
        count["delete"],
        count["insert"],
        exact,
        strings,
        right,
        phones,
        phones_right,
    )
