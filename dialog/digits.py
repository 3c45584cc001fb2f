"""Dictated numbers: reading digits, collecting them over several turns, and mending them. Pure.

Works on what a recogniser writes (幺三八, 138, 三个零) and on corrections as people say them:

    不是，是幺三八…          the whole number, or a group that differs in one digit from a group of the number
    最后一位是九, 第三位是五   by place
    是五不是六, 把六改成五     by value; when the old digit occurs more than once the place is asked for
    …零八不对零九            within one breath
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from dialog.sound import syllables

_VALUE = {
    c: str(v)
    for v, group in enumerate(("零〇洞", "一幺", "二两", "三", "四", "五", "六", "七拐", "八", "九勾"))
    for c in group
}
_VALUE |= {str(v): str(v) for v in range(10)}
_DIGIT = "".join(_VALUE)
_SOUND = {"ling": "0", "dong": "0", "yi": "1", "yao": "1", "er": "2", "liang": "2", "san": "3", "si": "4", "wu": "5"}
_SOUND |= {"liu": "6", "qi": "7", "ba": "8", "jiu": "9"}
_FILLER = re.compile(
    r"[\s,，.。、!！?？:：;；~—…\-]|嗯+|呃+|额|啊+|哦|噢|那个|这个|然后|接着|后面|就是|我的|订单号?|单号|手机号?码?|电话号?码?|号码|是的?|对"
)
_TIMES = re.compile(rf"([两二三四五六2-6])个([{_DIGIT}])")
_WRONG = re.compile(r"不对|不是|错了|说错|哦不|更正|改一下|改成")
_COUNT = {
    "一": 1,
    "两": 2,
    "二": 2,
    "三": 3,
    "四": 4,
    "五": 5,
    "六": 6,
    "七": 7,
    "八": 8,
    "九": 9,
    "十": 10,
    "十一": 11,
    "十二": 12,
}
_COUNT |= {str(n): n for n in range(1, 19)}
_N = "(十一|十二|十|[一二两三四五六七八九]|1[0-8]|[1-9])"
_RUN = rf"([{_DIGIT}](?:[\s,，、]*[{_DIGIT}])*)"
_IS = r"(?:数字|数|号)?(?:应该|其实)?(?:是|为|改成|改为|换成)"
_PLACES = (
    (re.compile(rf"(?:最后|末尾|后面?)(?:的)?{_N}?[位个]?(?:数字|数|号)?{_IS}{_RUN}"), "tail"),
    (re.compile(rf"(?:尾号|末位|最后){_IS}?{_RUN}"), "tail"),
    (re.compile(rf"倒数第{_N}[位个]{_IS}{_RUN}"), "from_end"),
    (re.compile(rf"第{_N}[位个]{_IS}{_RUN}"), "at"),
    (re.compile(rf"(?:前面?|开头|最前)(?:的)?{_N}?[位个]?{_IS}{_RUN}"), "head"),
)
_NOT_BUT = (
    re.compile(rf"不是([{_DIGIT}])(?![{_DIGIT}])\D{{0,3}}?[，,\s]*(?:而)?是([{_DIGIT}])(?![{_DIGIT}])"),
    re.compile(rf"(?:把|将)?(?:那个)?([{_DIGIT}])(?:应该)?(?:改成|改为|换成|应该是)([{_DIGIT}])(?![{_DIGIT}])"),
)
_BUT_NOT = re.compile(rf"是([{_DIGIT}])(?![{_DIGIT}])[，,\s]*(?:而)?不是([{_DIGIT}])(?![{_DIGIT}])")
_PLACE_ONLY = (
    (re.compile(rf"倒数第{_N}"), "from_end"),
    (re.compile(rf"第{_N}"), "at"),
    (re.compile(r"最后|后面|末"), "last"),
    (re.compile(r"最前|前面|开头|第一"), "first"),
)


def _plain(text: str) -> str:
    return _TIMES.sub(lambda m: _VALUE[m[2]] * _COUNT[m[1]], text)


def read(text: str, *, dictating: bool = False) -> str:
    """The digits of `text` in order, "" when it has none.

    While a number is being dictated, a character that only sounds like a digit counts as one if the text is mostly
    digits (recognisers write 久 for 九).
    """
    text = _plain(text)
    if not dictating:
        return "".join(_VALUE.get(c, "") for c in text)
    rest = _FILLER.sub("", text)
    known = sum(c in _VALUE for c in rest)
    if known < 3 or known / len(rest) < 0.6:
        return "".join(_VALUE.get(c, "") for c in rest)
    return "".join(_VALUE.get(c) or _SOUND.get(syllables(c)[0], "") for c in rest)


def longest_run(text: str) -> str:
    """The longest unbroken run of digits (separators between digits do not break it)."""
    runs = re.findall(_RUN, _plain(text))
    return max(("".join(_VALUE.get(c, "") for c in run) for run in runs), key=len, default="")


def share(text: str) -> float:
    """How much of `text`, fillers aside, is digits: 0 … 1."""
    rest = _FILLER.sub("", _plain(text))
    return sum(c in _VALUE for c in rest) / len(rest) if rest else 0.0


@dataclass(frozen=True, slots=True)
class Fix:
    """What a correction makes of a number.

    number: the mended number ("" = none could be made). old, new: a digit to replace whose place is not known yet.
    """

    number: str = ""
    old: str = ""
    new: str = ""


def says_wrong(text: str) -> bool:
    """Whether the person says that something is not right."""
    return _WRONG.search(text) is not None


def correct(number: str, text: str) -> Fix | None:
    """What `text` changes about `number`; None when it is no correction that can be understood."""
    if not number:
        return None
    text = _plain(text)
    fixed = _by_place(number, text)
    if fixed:
        return Fix(fixed)
    swap = _swap(text)
    if swap is not None:
        return _by_value(number, *swap)
    if not says_wrong(text):
        return None
    return _by_group(number, longest_run(_WRONG.split(text)[-1]))


def place(number: str, old: str, new: str, text: str) -> str:
    """`number` with the `old` digit that `text` points at (第八位, 最后那个) made `new`; "" when it points nowhere."""
    spots = [i for i, c in enumerate(number) if c == old]
    for pattern, how in _PLACE_ONLY:
        if found := pattern.search(text):
            if how in ("at", "from_end"):
                n = _COUNT[found[1]]
                spot = n - 1 if how == "at" else len(number) - n
                ordinal = how == "at" and spot not in spots and n <= len(spots)
                spot = spots[n - 1] if ordinal else spot
            else:
                spot = spots[-1] if how == "last" else spots[0]
            return number[:spot] + new + number[spot + 1 :] if spot in spots else ""
    return ""


def _by_place(number: str, text: str) -> str:
    for pattern, how in _PLACES:
        found = pattern.search(text)
        if not found:
            continue
        group = "".join(_VALUE.get(c, "") for c in found[found.lastindex or 1])
        count = _COUNT.get(found[1] or "", 0) if found.lastindex == 2 else 0
        if len(group) > len(number) or (how in ("tail", "head") and count and count != len(group)):
            continue
        if how == "tail":
            return number[: len(number) - len(group)] + group
        if how == "head":
            return group + number[len(group) :]
        start = count - 1 if how == "at" else len(number) - count
        if start >= 0 and start + len(group) <= len(number):
            return number[:start] + group + number[start + len(group) :]
    return ""


def _swap(text: str) -> tuple[str, str] | None:
    for pattern in _NOT_BUT:
        if found := pattern.search(text):
            return _VALUE[found[1]], _VALUE[found[2]]
    if found := _BUT_NOT.search(text):
        return _VALUE[found[2]], _VALUE[found[1]]
    return None


def _by_value(number: str, old: str, new: str) -> Fix | None:
    count = number.count(old)
    if count == 1:
        return Fix(number.replace(old, new))
    return Fix(old=old, new=new) if count and old != new else None


def _by_group(number: str, group: str) -> Fix | None:
    """The group in the one place where it differs from the number in one digit, else a new number."""
    if len(group) < 2:
        return None
    if len(group) >= len(number):
        return Fix(group)
    near = []
    for start in range(len(number) - len(group) + 1):
        window = number[start : start + len(group)]
        if sum(a != b for a, b in zip(window, group, strict=True)) == 1:
            near.append(start)
    if len(group) >= 3 and len(near) == 1:
        return Fix(number[: near[0]] + group + number[near[0] + len(group) :])
    return None


def collect(known: str, text: str, length: int) -> str:
    """The digits known after `text` was heard, when `length` digits make the number.

    Longer than `length` when it cannot be made to fit: the caller starts again.
    """
    pieces = _WRONG.split(text)
    for i, piece in enumerate(pieces):
        new = read(piece, dictating=True)
        if not new:
            continue
        known = _mend(known, new) if i else _join(known, new, length)
    return known


def _mend(known: str, new: str) -> str:
    """A self-correction within one breath: the new digits replace as many at the end."""
    return known[: -len(new)] + new if len(new) <= len(known) else new


def _join(known: str, new: str, length: int) -> str:
    if len(new) == length or not known:
        return new
    if len(known) >= 3 and new.startswith(known) and len(new) <= length:
        return new  # said again from the beginning
    if len(known) + len(new) <= length:
        return known + new
    overlap = len(known) + len(new) - length  # the last group said again before going on
    if overlap < len(new) and known.endswith(new[:overlap]):
        return known + new[overlap:]
    return known + new


def distance(a: str, b: str) -> int:
    """Edit distance (insert, delete, replace)."""
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        previous, row[0] = row[0], i
        for j, y in enumerate(b, 1):
            previous, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, previous + (x != y))
    return row[-1]


_HAN = "零幺二三四五六七八九"


def groups(number: str) -> list[str]:
    """The number in the groups in which people say it: 3-4-4 for a mobile number, else fours."""
    if len(number) == 11:
        return [number[:3], number[3:7], number[7:]]
    return [number[i : i + 4] for i in range(0, len(number), 4)]


def aloud(number: str) -> str:
    """The number as it is read back on the phone: 二零二六，幺幺零八，…"""
    return "，".join("".join(_HAN[int(c)] if c.isdigit() else c for c in group) for group in groups(number))


def star(text: str) -> str:
    """`text` with every digit starred: for what is said while a personal number is dictated in pieces."""
    return "".join("*" if c in _VALUE else c for c in text)
