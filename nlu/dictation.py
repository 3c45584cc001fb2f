"""Numbers being dictated, piece by piece and with corrections: 二零二六 嗯 幺幺零三; 不是三是四; 最后一位是五; 三个八.

Pure. Reads normalised text. What is found says which digits were said, which ones they replace, and where in the
earlier number the person means.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from nlu.numbers import SPOKEN, to_digits, value

_D = rf"[0-9{SPOKEN}拐勾]"
_FILLER = r"(?:嗯|啊|呃|额|哦|那个|然后|接着|后面是|再来|还有|杠|[ ，,、。.\-])*"
_REPEAT = re.compile(rf"([两二三四五六2-6])个({_D})(?![个位十百千万])")
_ATOM = rf"(?:{_REPEAT.pattern.replace('(', '(?:', 2)}|{_D})"
_RUN = re.compile(rf"{_ATOM}(?:{_FILLER}{_ATOM})*(?:{_FILLER}(?:[xX]|叉|艾克斯))?")
_COUNT = {"两": 2, "二": 2, "三": 3, "四": 4, "五": 5, "六": 6}
_N = r"([0-9一二两三四五六七八九十]{1,2})"
_POSITION = re.compile(
    rf"(?P<last>最后面?|末尾?|后面?){_N}(?:位|个)(?:数字?)?|(?P<tail>末位|尾数)"
    rf"|倒数第{_N}(?:位|个)(?:数字?)?|第{_N}(?:位|个)(?:数字?)?|(?P<first>前面?|开头|头){_N}(?:位|个)(?:数字?)?"
)
_NOT_BUT = re.compile(rf"不是(?P<wrong>{_D}+)[，, ]*(?:而|应该)?(?:是|要|得)(?P<right>{_D}+)")
_BUT_NOT = re.compile(rf"(?:是|应该)?(?P<right>{_D}+)[，, ]*(?:而)?不是(?P<wrong>{_D}+)")
_CHANGE = re.compile(rf"(?:把)?(?P<wrong>{_D}+)(?:改成|改为|换成|应该是|应改成)(?P<right>{_D}+)")
_QUIET = re.compile(
    r"[我你他的这那个它嗯啊呃额哦呢吧呀嘛了就是对好说错改成为叫请把给要应该得不码号数字位记打写念报订单手机电话身份证银行卡"
    r"验证尾最后前面第倒末开头共总一下 ，,。、？?！!：:\-]+"
)
_NOT_DICTATED = re.compile(rf"[{SPOKEN}](?=[个下点样些起会定直般共次件台份种块元毛号月日天年周点分秒岁遍])")
# What a recogniser writes for a digit, by sound. Only believed next to digits while a number is expected.
_HOMOPHONES = {
    ord(char): digit
    for digit, chars in {
        "1": "腰妖邀要依衣医", "2": "而儿耳", "0": "林灵铃领令动栋冻", "3": "山散伞", "4": "司思丝死",
        "5": "无午武舞吴务物", "6": "刘流留柳溜", "7": "期其妻齐起气", "8": "巴吧把爸扒", "9": "就酒久旧救",
    }.items()
    for char in chars
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Dictation:
    """digits: what was said. wrong: what it replaces ("" = not said). start, end: the span of the digits in the text.

    position: the part of the earlier number that is meant, as a Python slice ("-1:", "2:3", ":3"; "" = not said).
    share: part of the text that is the dictation and words around it, 0 … 1.
    """

    digits: str
    start: int
    end: int
    wrong: str = ""
    position: str = ""
    share: float = 1.0


def dictation(text: str, *, expected: bool) -> Dictation | None:
    """The digits dictated in `text`. `expected` (a number is asked for) believes single digits and homophones too."""
    work = _repair(text) if expected else text
    position, where = _position(work)
    if where:
        work = work[: where[0]] + " " * (where[1] - where[0]) + work[where[1] :]
    for pattern in (_NOT_BUT, _BUT_NOT, _CHANGE):
        if match := pattern.search(work):
            right, wrong = _digits(match["right"]), _digits(match["wrong"])
            quiet = not _QUIET.sub("", work[: match.start()] + work[match.end() :])
            if quiet and (pattern is not _CHANGE or position or expected or len(right) > 2):
                return Dictation(right, *match.span("right"), wrong=wrong, position=position)
    best: tuple[str, int, int] | None = None
    for match in _RUN.finditer(work):
        digits = _digits(match[0])
        if best is None or len(digits) >= len(best[0]):
            best = digits, *match.span()
    if best is None:
        return None
    digits, start, end = best
    if not position and re.search(r"尾号[是为]?$", work[:start]):
        position = f"-{len(digits)}:"
    rest = _QUIET.sub("", work[:start] + work[end:])
    share = 1.0 - len(rest) / max(1, len(work))
    alone = share >= 0.7 and not _NOT_DICTATED.search(work)
    if len(digits) >= 4 or (expected and (len(digits) >= 3 or alone)) or (position and alone):
        return Dictation(digits, start, end, position=position, share=share)
    return None


def _repair(text: str) -> str:
    """Homophones between digits, or before two of them, as digits; same length."""
    chars = list(text)
    heard = text.translate(_HOMOPHONES)
    for i, (char, digit) in enumerate(zip(text, heard, strict=True)):
        if char == digit:
            continue
        left, right = i > 0 and re.fullmatch(_D, chars[i - 1]), i + 1 < len(text) and re.fullmatch(_D, text[i + 1])
        if (left and right) or (i + 2 < len(text) and right and re.fullmatch(_D, text[i + 2])):
            chars[i] = digit
    return "".join(chars)


def _digits(said: str) -> str:
    said = _REPEAT.sub(lambda m: _COUNT.get(m[1], int(to_digits(m[1]) or 1)) * m[2], said)
    said = re.sub("叉|艾克斯", "X", said).replace("拐", "7").replace("勾", "9")
    return re.sub(r"[^0-9X]", "", to_digits(said).upper())


def _position(text: str) -> tuple[str, tuple[int, int] | None]:
    match = _POSITION.search(text)
    if match is None:
        return "", None
    named = (match["last"], match["first"], match["tail"])
    n = int(value(next((g for g in match.groups() if g and g not in named), "1")) or 1)
    if match["last"] or match["tail"]:
        found = f"-{n}:"
    elif match["first"]:
        found = f":{n}"
    elif match[0].startswith("倒"):
        found = f"-{n}:{-n + 1}" if n > 1 else "-1:"
    else:
        found = f"{n - 1}:{n}"
    return found, match.span()
