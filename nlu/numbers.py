"""Numbers as people say them in Mandarin, written as Arabic digits.

Two ways of speaking are told apart: dictation, one character a digit (二零二六幺幺零, with 幺 for 1 and 洞 for 0), and
reading with units (一百二十三, 两千五, 一万二, 三点五). Where a numeral is likely part of a word (万一, 十分, 一下) it
stays Han: whoever extracts entities reads both forms, so leaving it is never wrong.
"""

from __future__ import annotations

import re

DIGITS = {
    "零": "0", "〇": "0", "洞": "0", "一": "1", "幺": "1", "二": "2", "两": "2", "三": "3", "四": "4",
    "五": "5", "六": "6", "七": "7", "八": "8", "九": "9",
}  # fmt: skip
SPOKEN = "零〇洞一幺二三四五六七八九"
UNITS = "十百千万亿"
NUMERAL = rf"[{SPOKEN}两{UNITS}]"
_TRANSLATE = str.maketrans(DIGITS)
_ONE = "一二两三四五六七八九"
_DICTATED = re.compile(rf"[{SPOKEN}0-9]{{3,}}")
_IDIOMS = re.compile("三三两两|一五一十|二一添作五|三七二十一|五大三粗|千千万万|万一|十全十美|双十一|双十二|六一八")
_PERCENT = re.compile(rf"百分之({NUMERAL}+(?:点[{SPOKEN}]+)?|\d+(?:\.\d+)?)")
_DECIMAL = re.compile(
    rf"(?<![上下午晚早晨{SPOKEN}{UNITS}])((?:{NUMERAL}|\d)+)点([{SPOKEN}]+|\d+)(?![{SPOKEN}{UNITS}\d分刻多钟半])"
)
_WITH_UNITS = re.compile(
    rf"(?:[{_ONE}][{UNITS}]|十[{_ONE}])[{SPOKEN}两{UNITS}]*|(?<!\d)\d+(?:\.\d+)?[万亿](?![{SPOKEN}两{UNITS}\d])"
)


def to_digits(text: str) -> str:
    """Every spoken digit of `text` as an Arabic one, other characters unchanged: for text known to be dictated."""
    return text.translate(_TRANSLATE)


def value(numeral: str) -> str | None:
    """The decimal string a numeral stands for (一百二 -> 120, 三点五 -> 3.5, 1.5万 -> 15000), None when it is none."""
    if re.fullmatch(r"\d+(?:\.\d+)?", numeral):
        return numeral
    if re.fullmatch(rf"[{SPOKEN}两]+", numeral):
        return numeral.translate(_TRANSLATE)
    import cn2an

    try:
        found = cn2an.cn2an(numeral, "smart")
    except (ValueError, KeyError, IndexError):  # the latter two escape from it for odd numerals such as 一亿一
        return None
    return f"{found:.6f}".rstrip("0").rstrip(".") if isinstance(found, float) else str(found)


def normalise_numbers(text: str) -> str:
    """`text` with percentages, dictated digits, decimals and numerals with units in Arabic digits."""
    kept = [match.span() for match in _IDIOMS.finditer(text)]
    if kept:
        parts, end = [], 0
        for start, stop in kept:
            parts += [normalise_numbers(text[end:start]), text[start:stop]]
            end = stop
        return "".join(parts) + normalise_numbers(text[end:])
    text = _PERCENT.sub(_percent, text)
    text = _DECIMAL.sub(_decimal, text)
    text = _WITH_UNITS.sub(_with_units, text)
    return _DICTATED.sub(_dictated, text)


def _percent(match: re.Match[str]) -> str:
    number = value(match[1])
    return f"{number}%" if number is not None else match[0]


def _decimal(match: re.Match[str]) -> str:
    whole = value(match[1])
    return f"{whole}.{to_digits(match[2])}" if whole is not None else match[0]


def _with_units(match: re.Match[str]) -> str:
    return value(match[0]) or match[0]


def _dictated(match: re.Match[str]) -> str:
    return to_digits(match[0])
