"""From written text to what is said: numbers, dates, amounts, units and signs in Mandarin words.

`speakable` cuts a text into `Piece`s. A piece keeps what was written and gives what is said, so the pieces' `written`
joined are the text, character for character, and audio can be matched to the written text. What cannot be said (emoji,
control characters) keeps its place with an empty `spoken`.

`spoken` holds Chinese characters, Latin words (letters to be spelled stand apart: "V I P") and the marks `MARKS`.
A list of rules is tried at each position, the first that matches wins. No language model: ambiguous figures are read
by their neighbours (订单号 before a figure, 天 after it). The rules follow GB/T 15835 and common TTS front ends
(WeTextProcessing); cn2an writes the values.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from voice_gateway.tts import reading

MARKS = "，。！？；：、…,.!?;:()“”"
"""Marks that may stand in `Piece.spoken`; they make pauses and intonation."""


@dataclass(frozen=True, slots=True)
class Piece:
    """`written` of the text is said as `spoken`."""

    written: str
    spoken: str


Match = re.Match[str]
Say = Callable[[Match], str | None]

_NUMBER = r"\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?"
_TO = r"[-~～—–至到]{1,2}"
_AFTER_LETTER = r"(?<![A-Za-z0-9.])"
_CODE_WORDS = (
    r"(?:订单|单|编|工|卡|账|帐|证件|身份证|护照|税|邮|尾|房|门牌|车牌|流水|快递|运单|物流|凭证|序列|电话|手机|联系电话|热线|分机|客服)号?码?"
    r"|(?:验证|取件|提货|提取|优惠|兑换|邮政编|确认|激活|密)码|邮编|号码|尾数|分机|ID|id|编号|短信|拨打|致电|热线|拨|回复"
)
_CODE_BEFORE = re.compile(rf"(?:{_CODE_WORDS})(?:为|是|尾号|号|[:：]|\s)*$")
_COUNTED = re.compile(rf"\s*(?:{reading.MEASURES}|[万千百亿月日号元岁人点级楼页]|工作日|[a-zA-Z%℃°㎡])")
_ANY_UNIT = "|".join(map(re.escape, reading.UNITS))
_WORD_UNIT = "|".join(unit for unit in reading.UNITS if len(unit) > 1 and unit.isascii() and unit.isalpha())
_LETTER_NAMES = {"α": "阿尔法", "β": "贝塔", "Ω": "欧姆", "μ": "微", "π": "派"}
_SIGNS = {
    "&": "和",
    "@": "艾特",
    "#": "井号",
    "*": "星号",
    "+": "加",
    "=": "等于",
    "×": "乘",
    "÷": "除以",
    "<": "小于",
    ">": "大于",
    "≥": "大于等于",
    "≤": "小于等于",
    "≈": "约等于",
    "±": "正负",
    "%": "百分号",
    "‰": "千分号",
    "/": "、",
    "|": "、",
    "\\": "、",
    "_": "下划线",
    "-": "",
    "–": "，",
    "—": "，",
    "~": "",
    "～": "",
    "·": "",
    "•": "",
    "●": "",
    "\n": "，",
    "\t": "，",
    "←": "",
    "→": "，",
    "¥": "元",
    "￥": "元",
    "$": "美元",
    "€": "欧元",
    "£": "英镑",
    "°": "度",
    "℃": "摄氏度",
    "㎡": "平方米",
    "○": "零",
    "〇": "零",
    "№": "号",
    "《": "“",
    "》": "”",
    "「": "“",
    "」": "”",
    "『": "“",
    "』": "”",
    "【": "“",
    "】": "”",
    "〈": "“",
    "〉": "”",
    "[": "(",
    "]": ")",
    "{": "(",
    "}": ")",
    "（": "(",
    "）": ")",
    '"': "",
    "'": "",
    "‘": "",
    "’": "",
    "`": "",
    "^": "",
    "。": "。",
    "．": ".",
    "﹐": "，",
    "％": "百分号",
}
_SPELLED_WORDS = re.compile(
    r"app|vip|otp|url|pdf|usb|sms|qq|id|ip|dvd|cd|tv|pc|ok|led|lcd|gps|nfc|ktv|atm|faq|hr|it|ai|api|wps|ppt|html"
    r"|https?|www|xx?l|xs|jd|sf|ems|dhl|ups"
)
_SAID_WORDS = re.compile(r"sim|pin|apple|nasa|java|ipad|visa|pos")
_VOWELS = frozenset("aeiouy")


def speakable(text: str) -> tuple[Piece, ...]:
    """`text` cut into pieces. Never drops a character: the pieces' `written` joined are `text`."""
    same_length = "".join(_fold(char) for char in text)
    return tuple(_pieces(text, same_length))


def spoken(text: str) -> str:
    """What is said for `text`, marks included."""
    return "".join(piece.spoken for piece in speakable(text))


def unspoken(pieces: tuple[Piece, ...]) -> str:
    """Characters of `pieces` for which nothing is said, white space and marks left out."""
    silent = "".join(piece.written for piece in pieces if not piece.spoken)
    return "".join(char for char in silent if char not in _SIGNS and unicodedata.category(char)[0] not in "PZ")


def _fold(char: str) -> str:
    """Full-width to half-width where that is one character; full-width Chinese marks stay."""
    if char in "，。！？；：（）～￥":
        return char
    folded = unicodedata.normalize("NFKC", char)
    return folded if len(folded) == 1 and char not in "℃㎡…²³" else char


def _pieces(text: str, folded: str) -> Iterator[Piece]:
    at = 0
    while at < len(text):
        for pattern, say in _RULES:
            match = pattern.match(folded, at)
            if match is None or match.end() == at:
                continue
            said = say(match)
            if said is not None:
                yield Piece(text[at : match.end()], said)
                at = match.end()
                break
        else:
            yield Piece(text[at], _single(folded[at]))
            at += 1


def _single(char: str) -> str:
    if char in _SIGNS:
        return _SIGNS[char]
    if char in MARKS:
        return char
    if is_hanzi(char):
        return char
    if char.isspace():
        return " "
    return _LETTER_NAMES.get(char, "")


def is_hanzi(char: str) -> bool:
    """Whether `char` is a Chinese character."""
    return "\u4e00" <= char <= "\u9fff" or "\u3400" <= char <= "\u4dbf" or char in "〇"


# -- rules -----------------------------------------------------------------------------------------------------------


def _before(match: Match, count: int = 12) -> str:
    return match.string[max(0, match.start() - count) : match.start()]


def _after(match: Match, count: int = 6) -> str:
    return match.string[match.end() : match.end() + count]


def _spelled(text: str) -> str:
    """Letters one by one, each a word of its own; digits one by one."""
    return " ".join(char.upper() if char.isalpha() else reading.digits(char) for char in text if char.isalnum())


def _address(match: Match) -> str:
    """Web and mail addresses: words and the names of the signs."""
    names = {".": "点", "@": " 艾特 ", "/": "斜杠", ":": "冒号", "-": "杠", "_": "下划线", "?": "问号", "=": "等于"}
    text = re.sub(r"^https?://", "", match[0])
    said = []
    for part in re.findall(r"[A-Za-z]+|\d+|.", text):
        if part.isdigit():
            said.append(reading.digits(part))
        elif part.isalpha():
            said.append(f" {_word(part)} ")
        else:
            said.append(names.get(part, ""))
    return re.sub(r" +", " ", "".join(said)).strip()


def _date(match: Match) -> str | None:
    if not (1 <= int(match["m"]) <= 12 and 1 <= int(match["d"]) <= 31):
        return None
    month, day = reading.value(str(int(match["m"]))), reading.value(str(int(match["d"])))
    return f"{reading.year(match['y'])}年{month}月{day}日"


def _year(match: Match) -> str:
    return reading.year(match["y"]) + "年"


def _month(match: Match) -> str | None:
    month = int(match["m"])
    return f"{reading.value(str(month))}月" if 1 <= month <= 12 else None


def _day(match: Match) -> str:
    return reading.value(str(int(match["d"]))) + match["w"]


def _time(match: Match) -> str | None:
    if int(match["h"]) > 24 or int(match["m"]) > 59 or int(match["s"] or 0) > 59:
        return None
    return reading.clock(match["h"], match["m"], match["s"] or "")


def _time_range(match: Match) -> str:
    return reading.clock(match["h"], match["m"]) + "到" + reading.clock(match["h2"], match["m2"])


def _range(match: Match) -> str | None:
    """3-5天, 100~200元, 50%-60%."""
    after = _after(match)
    first, second = match["a"], match["b"]
    if match["p"] or match["q"]:
        return reading.percent(first) + "到" + reading.percent(second)
    signed = "至" in match["to"] or "到" in match["to"] or "~" in match["to"] or "～" in match["to"]
    if not signed and not _COUNTED.match(after):
        return None
    if "." not in first + second and len(first) > 5:
        return None
    return reading.value(first, after) + "到" + reading.value(second, after)


def _phone(match: Match) -> str:
    return reading.telephone(match[0])


def _masked(match: Match) -> str:
    """138****8000: the digits, and how many are hidden."""
    said = []
    for part in re.findall(r"\d+|[*xX×]+", match[0]):
        said.append(reading.digits(part) if part.isdigit() else f"隐去{reading.value(str(len(part)), '位')}位")
    return "，".join(said)


def _code(match: Match) -> str | None:
    """Letters and digits mixed, or digits after a word such as 订单号: one by one."""
    text = match[0]
    if text.isdigit() and _quantity_follows(match):
        return None
    letters = any(char.isalpha() for char in text)
    long_digits = text.isdigit() and (len(text) >= 8 or (text.startswith("0") and len(text) > 1))
    named = text.isdigit() and len(text) >= 2 and _CODE_BEFORE.search(_before(match)) is not None
    if text.isdigit() and (long_digits or named):
        return reading.grouped(text) if len(text) > 8 else reading.digits(text)
    if letters and any(char.isdigit() for char in text):
        return _mixed(text)
    return None


def _quantity_follows(match: Match) -> bool:
    return not match[0].startswith("0") and re.match(rf"\s*(?:元|万|亿|{reading.MEASURES})", _after(match)) is not None


def _mixed(text: str) -> str:
    """SF1234567890 letter by letter; iPhone15 as a word and a number."""
    said = []
    for part in re.findall(r"[A-Za-z]+|\d+", text):
        if part.isdigit():
            short = len(part) <= 2 and not part.startswith("0")
            said.append(reading.value(part) if short else reading.grouped(part))
        else:
            said.append(f" {_word(part)} ")
    return re.sub(r" +", " ", "".join(said)).strip()


def _money(match: Match) -> str:
    name = reading.CURRENCIES.get(match["c"] or "", "元")
    scale = match["k"] or ""
    return _amount(match["n"], scale or name) + scale + name


def _amount(number: str, following: str) -> str:
    """99.00 is 九十九, 1.50 is 一点五."""
    if "." in number:
        number = number.rstrip("0").rstrip(".")
    return reading.value(number, following)


def _yuan(match: Match) -> str:
    return _amount(match["n"], "元") + match["w"]


def _discount(match: Match) -> str:
    return reading.digits(match["n"], telephone=False) + "折"


def _room(match: Match) -> str:
    return reading.digits(match["n"])


def _two_oclock(match: Match) -> str:
    return "两点"


def _percent(match: Match) -> str:
    return reading.percent(match["n"], match["s"])


def _fraction(match: Match) -> str | None:
    above, below = match["a"], match["b"]
    if int(below) in (0, 1) or len(above) > 3 or len(below) > 3:
        return None
    return f"{reading.value(below)}分之{reading.value(above)}"


def _ratio(match: Match) -> str:
    return f"{reading.value(match['a'])}比{reading.value(match['b'])}"


def _times(match: Match) -> str:
    return f"{reading.value(match['a'])}乘{reading.value(match['b'])}"


def _measured(match: Match) -> str:
    return reading.value(match["n"], reading.unit(match["u"])) + reading.unit(match["u"])


def _ordinal(match: Match) -> str:
    return "第" + reading.value(match["n"])


def _version(match: Match) -> str:
    parts = (reading.digits(part, telephone=False) for part in match["n"].split("."))
    return "V " + "点".join(parts) if match["v"] else "点".join(parts)


def _number(match: Match) -> str:
    return reading.value(match[0], _after(match))


def _negative(match: Match) -> str:
    return reading.value(match[0].replace("−", "-"), _after(match))


def _latin(match: Match) -> str:
    return _word(match[0])


def _word(word: str) -> str:
    """A Latin word as it is, or spelled: capitals without a vowel pattern, and well-known abbreviations."""
    lower = word.lower()
    if len(word) == 1:
        return word.upper()
    if _SAID_WORDS.fullmatch(lower):
        return word
    if _SPELLED_WORDS.fullmatch(lower) or (word.isupper() and len(word) <= 5) or not _VOWELS & set(lower):
        return _spelled(word)
    return word


def _spaced(match: Match) -> str:
    """Space between Chinese characters says nothing; elsewhere it parts words."""
    return "，" if "\n" in match[0] else " "


def _ellipsis(match: Match) -> str:
    return "…"


def _dash(match: Match) -> str:
    return "，"


def _rule(pattern: str, say: Say) -> tuple[re.Pattern[str], Say]:
    return re.compile(pattern), say


_RULES: tuple[tuple[re.Pattern[str], Say], ...] = (
    _rule(r"[\s]*\n[\s]*|\s+", _spaced),
    _rule(r"…+|\.{3,}|。{2,}", _ellipsis),
    _rule(r"[—–]{2,}|-{2,}", _dash),
    _rule(r"https?://[\w./?=&%:#-]+(?<![.,])|www\.[\w./-]+\w|[\w.+-]+@[\w-]+(?:\.[\w-]+)+", _address),
    _rule(r"[A-Za-z][A-Za-z0-9-]*(?:\.[A-Za-z0-9-]+)*\.(?:com|cn|net|org|io)\b", _address),
    _rule(rf"{_AFTER_LETTER}(?P<y>\d{{4}})年", _year),
    _rule(rf"{_AFTER_LETTER}(?P<y>(?:19|20)\d\d)[-/.](?P<m>\d{{1,2}})[-/.](?P<d>\d{{1,2}})(?![\d.])", _date),
    _rule(rf"{_AFTER_LETTER}(?P<y>(?:19|20)\d\d)(?=[年度级届]|世纪)", lambda m: reading.year(m["y"])),
    _rule(rf"{_AFTER_LETTER}(?P<m>\d{{1,2}})月(?!份?\d*份?前后)", _month),
    _rule(rf"{_AFTER_LETTER}(?P<d>[0-3]?\d)(?P<w>[日号])(?!码|线|楼)", _day),
    _rule(
        rf"{_AFTER_LETTER}(?P<h>\d{{1,2}}):(?P<m>[0-5]\d)\s*{_TO}\s*(?P<h2>\d{{1,2}}):(?P<m2>[0-5]\d)(?!\d)",
        _time_range,
    ),
    _rule(rf"{_AFTER_LETTER}(?P<h>\d{{1,2}})[:：](?P<m>\d\d)(?:[:：](?P<s>\d\d))?(?![\d:])", _time),
    _rule(r"(?<!\d)\d{2,6}[*×xX]{2,}\d{2,6}(?!\d)", _masked),
    _rule(r"(?<![\d.])(?:\+?86[- ]?)?1[3-9]\d[- ]?\d{4}[- ]?\d{4}(?![\d.])", _phone),
    _rule(r"(?<![\d.])[48]00[- ]?\d{3}[- ]?\d{4}(?!\d)|(?<![\d.])[48]00-?\d{7}(?!\d)", _phone),
    _rule(r"(?<![\d.])0\d{2,3}[- ]\d{7,8}(?:-\d{1,5})?(?!\d)", _phone),
    _rule(
        rf"(?:(?P<c>[¥￥$€£]|RMB|CNY|USD)\s*)(?P<n>-?(?:{_NUMBER}))(?P<k>[万亿千])?(?:元|块)?",
        _money,
    ),
    _rule(rf"(?<![\d.A-Za-z-])(?P<n>{_NUMBER})(?P<w>元|块)", _yuan),
    _rule(r"(?<![\d.A-Za-z])(?P<n>[1-9]\d?)折", _discount),
    _rule(r"(?<![\d.A-Za-z-])(?P<n>\d{3,4})(?=室|房间|号房|包间)", _room),
    _rule(r"(?<![\d.])2点(?!\d*[%个万])", _two_oclock),
    _rule(r"(?<=\d)-(?=\d)", lambda _: "杠"),
    _rule(r"(?<=[A-Za-z])[-·](?=[A-Za-z])", lambda _: " "),
    _rule(rf"(?<![\d.A-Za-z])(?P<n>-?(?:{_NUMBER}))(?P<s>[%‰])(?!\s*{_TO}\s*\d)", _percent),
    _rule(
        rf"(?<![\d.A-Za-z-])(?P<a>\d+(?:\.\d+)?)(?P<p>%)?\s*(?P<to>{_TO})\s*(?P<b>\d+(?:\.\d+)?)(?P<q>%)?(?![\d-])",
        _range,
    ),
    _rule(r"(?<![\d.A-Za-z])(?P<v>[Vv])?(?P<n>\d+(?:\.\d+){2,3})(?![\d.]*\d)", _version),
    _rule(r"(?P<v>[Vv])(?P<n>\d+(?:\.\d+)?)(?![\w])", _version),
    _rule(rf"(?<![\d.A-Za-z])(?P<n>{_NUMBER})\s?(?P<u>{_ANY_UNIT})(?![A-Za-z0-9])", _measured),
    _rule(rf"(?i:(?<![\d.A-Za-z])(?P<n>{_NUMBER})\s?(?P<u>{_WORD_UNIT})(?![A-Za-z0-9]))", _measured),
    _rule(r"(?<![\d./])(?P<a>\d+)/(?P<b>\d+)(?![\d/])", _fraction),
    _rule(r"(?<![\d:])(?P<a>\d{1,3})[:：](?P<b>\d{1,3})(?![\d:])", _ratio),
    _rule(r"(?<![\d.A-Za-z])(?P<a>\d+(?:\.\d+)?)\s?[xX×*]\s?(?P<b>\d+(?:\.\d+)?)(?![\d*])", _times),
    _rule(r"第(?P<n>\d{1,6})(?!\d)", _ordinal),
    _rule(r"[A-Za-z]*\d[A-Za-z0-9]*(?:-[A-Za-z0-9]*\d[A-Za-z0-9]*)*(?![.,]\d)|[A-Za-z]+-?\d[A-Za-z0-9-]*", _code),
    _rule(rf"(?<![\w.)）%])[-−](?:{_NUMBER})", _negative),
    _rule(_NUMBER, _number),
    _rule(r"[A-Za-z]+(?:['’][A-Za-z]+)*", _latin),
)
