"""Misheard words put right by the company's own vocabulary: 腿货怎么申请 is asked as 退货怎么申请. Pure.

A stretch of two to four characters that the segmenter knows no word for, and that sounds like a word of the knowledge
base, becomes that word. Real words are left alone, even where another would fit better.
"""

from __future__ import annotations

from collections.abc import Mapping

from kb import text

_LONGEST = 4


class Spelling:
    """Words of the knowledge base by their sound. Not changed after it is made."""

    def __init__(self, frequency: Mapping[str, int], known: Mapping[str, tuple[str, ...]] | None = None) -> None:
        """`frequency`: number of entries that hold each word. `known`: `sounds` of an earlier one, to save time."""
        han = [word for word in frequency if 2 <= len(word) <= _LONGEST and text.is_han(word)]
        self.sounds = {word: (known or {}).get(word) or text.sound(word) for word in han}
        self._words: dict[tuple[str, ...], str] = {}
        for word in sorted(han, key=lambda word: (frequency[word], word)):
            self._words[self.sounds[word]] = word  # the most frequent of the same sound comes last and stays

    def corrected(self, question: str) -> str:
        """`question` with what was misheard replaced."""
        loose = text.loose_characters(question)
        spelt = list(question)
        place = 0
        while place < len(question):
            place += self._replace(question, spelt, loose, place) or 1
        return "".join(spelt)

    def _replace(self, question: str, spelt: list[str], loose: frozenset[int], place: int) -> int:
        """Put right the longest misheard word that begins at `place`; its length, 0 = there is none."""
        for length in range(_LONGEST, 1, -1):
            span = range(place, place + length)
            part = question[place : place + length]
            if len(part) < length or not text.is_han(part) or not loose.issuperset(span):
                continue
            word = self._words.get(text.sound(part))
            if word is not None:
                spelt[place : place + length] = word
                return length
        return 0
