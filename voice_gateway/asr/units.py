"""The unit inventory of the bundled recogniser: Mandarin initials and tonal finals.

A syllable in pypinyin's TONE3 spelling (``zhong1``, ``lv4``, ``de5``) becomes an optional initial and one tonal
final. Tones are the dictionary's; sandhi is left to the acoustic model. The spelling is undone first (``yi`` is a bare
``i``, ``jun`` is ``j`` + ``vn``), so that one final is one sound: ``ih`` is the buzzed vowel of zi/zhi, ``o`` is
written as ``uo``, ``weng`` as a bare ``ong``. Neutral tone exists for the finals that carry it often; elsewhere it is
read as the fourth tone, which it is nearest to in length and fall.

The inventory follows the initial/final modelling of Mandarin LVCSR (e.g. Huang and Seide, "Pitch tracking and tone
features for Mandarin speech recognition", ICASSP 2000), with the blank of CTC at id 0. Standard library only.
"""

from __future__ import annotations

import hashlib
import re
from functools import cache
from types import MappingProxyType

BLANK = "<blk>"
INITIALS = tuple(
    ["b", "p", "m", "f", "d", "t", "n", "l", "g", "k", "h", "j", "q", "x", "zh", "ch", "sh", "r", "z", "c", "s"]
)
FINALS = tuple(
    [
        "a",
        "ai",
        "ao",
        "an",
        "ang",
        "e",
        "ei",
        "en",
        "eng",
        "er",
        "i",
        "ih",
        "ia",
        "ie",
        "iao",
        "iou",
        "ian",
        "in",
        "iang",
        "ing",
        "iong",
        "ong",
        "ou",
        "u",
        "ua",
        "uo",
        "uai",
        "uei",
        "uan",
        "uen",
        "uang",
        "v",
        "ve",
        "van",
        "vn",
    ]
)
NEUTRAL_FINALS = ("a", "e", "en", "i", "ih", "ou", "u", "uo")
"""Finals that have a unit of their own in the neutral tone."""

SYMBOLS: tuple[str, ...] = (
    BLANK,
    *INITIALS,
    *(f"{final}{tone}" for final in FINALS for tone in "1234"),
    *(f"{final}5" for final in NEUTRAL_FINALS),
)
"""Every unit; the index is the id."""

UNIT_IDS = MappingProxyType({symbol: index for index, symbol in enumerate(SYMBOLS)})

_SYLLABLE = re.compile(r"([a-zê]+)([1-5]?)\Z")
_LONG_INITIALS = ("zh", "ch", "sh")
_BUZZED = frozenset(("zh", "ch", "sh", "r", "z", "c", "s"))
_ABBREVIATED = MappingProxyType({"iu": "iou", "ui": "uei", "un": "uen", "o": "uo", "ue": "ve", "io": "iou"})
_WHOLE = MappingProxyType(
    {
        "n": "en",
        "ng": "en",
        "m": "en",
        "hm": "en",
        "hng": "en",
        "r": "er",
        "ê": "ei",
        "yo": "iou",
        "weng": "ong",
        "wong": "ong",
    }
)


class UnknownSyllable(ValueError):
    """The text is not one Mandarin syllable in TONE3 spelling."""


def split_syllable(base: str) -> tuple[str, str]:
    """Undo the spelling of a toneless syllable: ``yuan`` -> ``("", "van")``, ``zhi`` -> ``("zh", "ih")``."""
    if base in _WHOLE:
        return "", _WHOLE[base]
    if base.startswith("yu"):
        initial, final = "", "v" + base[2:]
    elif base.startswith("y"):
        initial, final = "", base[1:] if base[1:2] == "i" else "i" + base[1:]
    elif base.startswith("w"):
        initial, final = "", base[1:] if base[1:2] == "u" else "u" + base[1:]
    elif base[:2] in _LONG_INITIALS:
        initial, final = base[:2], base[2:]
    elif base[:1] in INITIALS:
        initial, final = base[0], base[1:]
    else:
        initial, final = "", base
    if initial in ("j", "q", "x") and final.startswith("u"):
        final = "v" + final[1:]
    if final == "i" and initial in _BUZZED:
        return initial, "ih"
    if initial in ("b", "p", "m", "f") and final == "ong":
        return initial, "eng"
    return initial, _ABBREVIATED.get(final, final)


def syllable_units(syllable: str) -> tuple[str, ...]:
    """Return the one or two unit symbols of a syllable such as ``zhong1`` (``lü4`` and ``lv4`` are the same).

    A syllable without a tone digit is read in the neutral tone. Raises :class:`UnknownSyllable`.
    """
    match = _SYLLABLE.match(syllable.strip().lower().replace("ü", "v").replace("u:", "v"))
    if match is None:
        raise UnknownSyllable(f"not a pinyin syllable: {syllable!r}")
    initial, final = split_syllable(match[1])
    tone = match[2] or "5"
    if tone == "5" and final not in NEUTRAL_FINALS:
        tone = "2" if final == "er" else "4"
    symbol = f"{final}{tone}"
    if symbol not in UNIT_IDS:
        raise UnknownSyllable(f"not a pinyin syllable: {syllable!r}")
    return (initial, symbol) if initial else (symbol,)


def syllable_ids(syllable: str) -> tuple[int, ...]:
    """Return the unit ids of a syllable; raises :class:`UnknownSyllable`."""
    return tuple(UNIT_IDS[symbol] for symbol in syllable_units(syllable))


@cache
def same_final(unit: int) -> tuple[int, ...]:
    """Return the ids of the units that are the same final in the first to fourth tone, this one included."""
    bare = SYMBOLS[unit][:-1]
    return tuple(UNIT_IDS[f"{bare}{tone}"] for tone in "1234" if f"{bare}{tone}" in UNIT_IDS)


def units_text() -> str:
    """Return the content of ``units.txt``: one ``symbol id`` a line."""
    return "".join(f"{symbol} {index}\n" for index, symbol in enumerate(SYMBOLS))


def units_sha() -> str:
    """Return the SHA-256 (hex) of :func:`units_text`; a model states it, so a stale inventory is noticed."""
    return hashlib.sha256(units_text().encode()).hexdigest()
