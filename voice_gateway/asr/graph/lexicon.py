"""Pronunciations: words to unit ids, all readings of a polyphone, Latin letters as Chinese callers say them.

A word of several characters is read as pypinyin's phrase dictionary reads it; a single character has each of its
readings, the less usual ones at a cost (a natural-log penalty). Letters are spelt out: VIP is three of them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType

from voice_gateway.asr.units import UnknownSyllable, same_final, syllable_ids

READING_COST = (0.0, 1.5, 2.5, 3.5)
LETTERS = MappingProxyType(
    {
        "A": "ei1",
        "B": "bi4",
        "C": "xi1",
        "D": "di4",
        "E": "yi4",
        "F": "ai2 fu5",
        "G": "ji4",
        "H": "ei2 chi5",
        "I": "ai4",
        "J": "zhei4",
        "K": "kei4",
        "L": "ai2 le5",
        "M": "ai1 mu5",
        "N": "en1",
        "O": "ou1",
        "P": "pi4",
        "Q": "kou1",
        "R": "a4",
        "S": "ai1 si5",
        "T": "ti4",
        "U": "you1",
        "V": "wei1",
        "W": "da2 bu5 liu5",
        "X": "ai1 ke5 si5",
        "Y": "wai4",
        "Z": "zei4",
    }
)
FIXED = MappingProxyType(
    {
        "幺": ("yao1",),
        "洞": ("dong4",),
        "零": ("ling2",),
        "两": ("liang3",),
        "一": ("yi1",),
        "不": ("bu4",),
        "了": ("le5", "liao3"),
        "的": ("de5", "di4"),
        "着": ("zhe5", "zhao2", "zhuo2"),
        "地": ("di4", "de5"),
        "得": ("de5", "de2", "dei3"),
        "吗": ("ma5",),
        "嗯": ("en1", "en4"),
        "都": ("dou1", "du1"),
        "还": ("hai2", "huan2"),
        "没": ("mei2", "mo4"),
        "和": ("he2",),
    }
)
_LATIN = re.compile(r"[A-Z][A-Z']*")
_PIECES = re.compile(r"[A-Z][A-Z']*|[\u3400-\u9fff\u3007]+")


@dataclass(frozen=True, slots=True)
class Reading:
    """One pronunciation of a word: unit ids, and what it costs (natural log)."""

    units: tuple[int, ...]
    cost: float = 0.0


@lru_cache(maxsize=200_000)
def readings(word: str) -> tuple[Reading, ...]:
    """Every pronunciation of a word; empty when a character of it has none."""
    if len(word) == 1 and not _LATIN.fullmatch(word):
        found: dict[tuple[int, ...], float] = {}
        for syllable, cost in zip(_single(word), READING_COST, strict=False):
            ids = _ids((syllable,))
            if ids:
                found.setdefault(ids, cost)
        return tuple(Reading(ids, cost) for ids, cost in found.items())
    syllables: list[str] = []
    for piece in _PIECES.findall(word):
        if _LATIN.fullmatch(piece):
            syllables += " ".join(LETTERS[letter] for letter in piece if letter in LETTERS).split()
        else:
            syllables += _phrase(piece)
    ids = _ids(syllables)
    return (Reading(ids),) if ids else ()


def in_any_tone(readings: Iterable[Reading], cost: float) -> tuple[Reading, ...]:
    """The readings, and for `cost` more each of them with every other tone of its last final.

    For words that their sounds tell apart, such as digits: accents and hurry change tones first.
    """
    found: dict[tuple[int, ...], float] = {}
    for reading in readings:
        *before, last = reading.units
        for unit in (last, *(other for other in same_final(last) if other != last)):
            price = reading.cost + (cost if unit != last else 0.0)
            found[*before, unit] = min(price, found.get((*before, unit), price))
    return tuple(Reading(units, price) for units, price in found.items())


def _single(character: str) -> tuple[str, ...]:
    if character in FIXED:
        return FIXED[character]
    from pypinyin import Style, pinyin

    return tuple(
        pinyin(character, style=Style.TONE3, heteronym=True, neutral_tone_with_five=True, errors="ignore")[0]
        if _known(character)
        else ()
    )


def _known(character: str) -> bool:
    from pypinyin.constants import PINYIN_DICT

    return ord(character) in PINYIN_DICT


def _phrase(text: str) -> list[str]:
    from pypinyin import Style, lazy_pinyin

    return lazy_pinyin(text, style=Style.TONE3, neutral_tone_with_five=True)


def _ids(syllables: Iterable[str]) -> tuple[int, ...]:
    """Unit ids, or () when one syllable is unknown."""
    ids: list[int] = []
    for syllable in syllables:
        try:
            ids.extend(syllable_ids(syllable))
        except UnknownSyllable:
            return ()
    return tuple(ids)
