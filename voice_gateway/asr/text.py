"""Written Chinese to what is said: one form for language model texts, for references and for what engines return.

`sentences` cuts a text at punctuation and writes every number out in Chinese characters, Latin letters in capitals.
`canonical` is the same without the cuts, for scoring. It leaves out prosody, sandhi and Traditional characters.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator
from re import Match

DIGITS = "零一二三四五六七八九"
SPOKEN_DIGITS = {
    "〇": "0",
    "零": "0",
    "洞": "0",
    "一": "1",
    "幺": "1",
    "二": "2",
    "两": "2",
    "三": "3",
    "四": "4",
    "五": "5",
    "六": "6",
    "七": "7",
    "八": "8",
    "九": "9",
}
_TABLE = str.maketrans("0123456789", DIGITS)
_UNITS = {
    "%": "",
    "℃": "摄氏度",
    "°C": "摄氏度",
    "km": "公里",
    "kg": "公斤",
    "cm": "厘米",
    "mm": "毫米",
    "ml": "毫升",
    "m²": "平方米",
    "GB": "G",
    "¥": "",
    "￥": "",
}
_MONEY = re.compile(r"[¥￥$]\s*(\d+(?:\.\d+)?)(?!\d)元?")
_DATE = re.compile(r"(?<!\d)(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})(?!\d)")
_YEAR = re.compile(r"(?<!\d)(\d{4}|\d{2})年")
_CLOCK = re.compile(r"(?<!\d)([01]?\d|2[0-4])[:：]([0-5]\d)(?:[:：]([0-5]\d))?(?!\d)")
_RANGE = re.compile(r"(?<=\d)\s*[-~～—–]\s*(?=\d{1,4}(?!\d))")
_PERCENT = re.compile(r"(\d+(?:\.\d+)?)\s*[%％]")
_GROUPED = re.compile(r"(?<![\d,])(\d{1,3}(?:,\d{3})+)(?!\d)")
_NUMBER = re.compile(r"\d+(?:\.\d+)?")
_CUT = re.compile(r"[^\u3400-\u9fff\u3007A-Za-z']+")
_KEEP = re.compile(r"[^\u3400-\u9fff\u3007A-Z]+")


def digits(text: str) -> str:
    """Each Arabic digit as a Chinese one: 138 -> 一三八."""
    return text.translate(_TABLE)


def number(text: str) -> str:
    """A decimal numeral as a quantity: 128.5 -> 一百二十八点五; digit by digit when long or with a leading zero."""
    whole, _, fraction = text.partition(".")
    if len(whole) > 8 or (len(whole) > 1 and whole.startswith("0")):
        head = digits(whole)
    else:
        import cn2an

        head = str(cn2an.an2cn(whole, "low"))
    return head + ("点" + digits(fraction) if fraction else "")


def _clock(match: Match[str]) -> str:
    hour, minute, second = match.groups()
    minutes = ("零" if minute[0] == "0" else "") + number(str(int(minute))) + "分" if int(minute) else ""
    return number(str(int(hour))) + "点" + minutes + (number(str(int(second))) + "秒" if second else "")


def _plain(match: Match[str]) -> str:
    text = match.group()
    return digits(text) if "." not in text and len(text) >= 5 else number(text)


_RULES: tuple[tuple[re.Pattern[str], Callable[[Match[str]], str]], ...] = (
    (_GROUPED, lambda m: m[1].replace(",", "")),
    (_DATE, lambda m: f"{digits(m[1])}年{number(str(int(m[2])))}月{number(str(int(m[3])))}日"),
    (_YEAR, lambda m: digits(m[1]) + "年"),
    (_CLOCK, _clock),
    (_MONEY, lambda m: number(m[1]) + "元"),
    (_PERCENT, lambda m: "百分之" + number(m[1])),
    (_RANGE, lambda m: "到"),
    (_NUMBER, _plain),
)


def spoken(text: str) -> str:
    """The text with numbers written out; punctuation stays."""
    text = unicodedata.normalize("NFKC", text)
    for name, said in _UNITS.items():
        if name not in "%¥￥":
            text = re.sub(rf"(?<=\d)\s*{re.escape(name)}(?![A-Za-z])", said, text)
    for pattern, rule in _RULES:
        text = pattern.sub(rule, text)
    return text.replace("〇", "零")


def sentences(text: str, *, minimum: int = 1) -> Iterator[str]:
    """Clauses as said, without punctuation; Latin words keep their letters in capitals and stand between spaces."""
    for clause in re.split(
        r"[^\w%¥￥$.:：,/~～—–\-'℃°²\s]+|[\n\r]+|[，,](?!\d)|(?<!\d)[.:：](?!\d)|\s*[—–]{2,}\s*", text
    ):
        parts = [part for part in _CUT.split(spoken(clause).upper().replace("_", " ")) if part.strip("'")]
        if sum(len(part) for part in parts) >= minimum:
            yield " ".join(parts)


def canonical(text: str) -> str:
    """For scoring: Han characters and capital letters only, numbers as Chinese characters."""
    return _KEEP.sub("", spoken(text).upper())


def digit_strings(text: str, *, minimum: int = 4) -> list[str]:
    """Runs of at least `minimum` digits said one by one, as Arabic digits (幺 is 1, 洞 is 0)."""
    runs = re.findall(f"[{''.join(SPOKEN_DIGITS)}]{{{minimum},}}", canonical(text))
    return ["".join(SPOKEN_DIGITS[c] for c in run) for run in runs]
