"""What callers say when they dictate numbers or answer yes or no: seeded sentences for the small graphs.

Numbers come as tokens (one character each), so every digit string is possible and none is preferred; the frames around
them are what people say before, between and after. Yes-no answers come with the short things that people say instead.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import resources

DIGIT_WORDS = "零一二三四五六七八九"
DIGITS = DIGIT_WORDS + "幺洞"
LEADS = (
    "",
    "",
    "",
    "",
    "",
    "嗯",
    "那个",
    "我的电话是",
    "电话是",
    "手机号是",
    "手机号码是",
    "我的手机号是",
    "号码是",
    "订单号是",
    "订单号",
    "单号是",
    "我的订单号是",
    "订单编号是",
    "尾号是",
    "尾号",
    "后四位是",
    "验证码是",
    "是",
    "就是",
    "应该是",
    "身份证号是",
    "卡号是",
    "运单号是",
    "快递单号是",
    "你记一下",
    "你听好",
    "前面是",
    "后面是",
    "开头是",
    "最后是",
    "一共是",
    "金额是",
    "联系电话",
    "联系电话是",
    "我的联系电话是",
    "我的号码是",
    "我电话",
    "我的订单号",
    "我的订单号",
    "手机号",
    "号码",
    "你打",
)
TAILS = ("",) * 12 + ("对吗", "就这个", "谢谢", "没了", "好了", "你查一下", "这个号码", "帮我查一下")
FIXES = (
    "不对是",
    "不是",
    "错了是",
    "不对不对是",
    "说错了是",
    "应该是",
    "改成",
    "不是{a}是{b}",
    "最后一位是",
    "第{n}位是",
    "中间是",
    "倒数第二位是",
)
YES = (
    "是",
    "是的",
    "对",
    "对的",
    "对对",
    "对对对",
    "嗯",
    "嗯嗯",
    "嗯是的",
    "好",
    "好的",
    "好啊",
    "行",
    "行吧",
    "可以",
    "可以的",
    "没错",
    "对没错",
    "是这样",
    "是我",
    "是我本人",
    "我就是",
    "要",
    "要的",
    "需要",
    "有",
    "有的",
    "解决了",
    "已经解决了",
    "确认",
    "同意",
    "没问题",
    "当然",
    "满意",
    "是是是",
    "正确",
    "对是这个",
    "是这个",
    "就是这个",
    "好的谢谢",
    "嗯好的",
    "没有问题",
)
NO = (
    "不",
    "不是",
    "不是的",
    "不对",
    "没有",
    "没有啊",
    "没",
    "不用",
    "不用了",
    "不用了谢谢",
    "不要",
    "不行",
    "不可以",
    "不需要",
    "还没有",
    "没解决",
    "还没解决",
    "没有解决",
    "错了",
    "取消",
    "算了",
    "不同意",
    "不确认",
    "不满意",
    "我不是",
    "都不是",
    "不是这个",
    "没有了",
    "没有了谢谢",
    "没事了",
    "没别的了",
    "不知道",
    "不清楚",
    "听不清",
    "再说一遍",
    "等一下",
    "转人工",
    "人工",
    "人工服务",
    "我要转人工",
)
_UNITS = ((10000, "万"), (1000, "千"), (100, "百"), (10, "十"))


def cardinal(value: int) -> str:
    """0 .. 99,999,999 as it is said (两 before 百, 千 and 万)."""
    if value >= 10_000:
        high, low = divmod(value, 10_000)
        head = "两" if high == 2 else cardinal(high)
        return head + "万" + (("零" if low < 1000 else "") + cardinal(low) if low else "")
    said, gap, rest = "", False, value
    for unit, name in _UNITS[1:]:
        digit, rest = divmod(rest, unit)
        if digit:
            word = (
                ""
                if unit == 10 and digit == 1 and not said
                else "两"
                if digit == 2 and unit > 10
                else DIGIT_WORDS[digit]
            )
            said += ("零" if gap and said else "") + word + name
            gap = False
        elif said:
            gap = True
    if rest:
        said += ("零" if gap and said else "") + DIGIT_WORDS[rest]
    return said or "零"


def _string(rng: random.Random) -> str:
    length = rng.choice((11, 11, 11, 11, 3, 4, 4, 4, 5, 6, 6, 7, 8, 8, 9, 10, 10, 12, 12, 13, 14, 15, 16, 18, 19))
    digits = [rng.randrange(10) for _ in range(length)]
    if length == 11 and rng.random() < 0.8:
        digits[:2] = [1, rng.randrange(3, 10)]
    said = "".join(DIGIT_WORDS[d] for d in digits)
    if rng.random() < 0.6:
        said = said.replace("一", "幺")
    if rng.random() < 0.05:
        said = said.replace("零", "洞")
    return said


def _date(rng: random.Random) -> str:
    year = "".join(DIGIT_WORDS[int(c)] for c in str(rng.randrange(1950, 2035)))
    day = f"{cardinal(rng.randrange(1, 13))}月{cardinal(rng.randrange(1, 32))}{rng.choice('号日')}"
    clock = f"{rng.choice(('上午', '下午', '晚上', '早上', '中午', ''))}{cardinal(rng.randrange(1, 13))}点"
    minutes = rng.choice(("", "半", "一刻", cardinal(rng.randrange(10, 60)) + "分"))
    return rng.choice(
        (
            day,
            f"{year}年{day}",
            f"{year}年",
            clock + minutes,
            rng.choice("今明后昨前") + "天" + clock + minutes,
            "星期" + rng.choice("一二三四五六日"),
            "周" + rng.choice("一二三四五六日"),
        )
    )


def _amount(rng: random.Random) -> str:
    value = rng.choice(
        (rng.randrange(1, 100), rng.randrange(100, 1000), rng.randrange(1000, 10000), rng.randrange(10000, 500000))
    )
    tail = rng.choice(
        ("元", "块", "块钱", "", f"点{rng.choice(DIGIT_WORDS)}元", f"块{rng.choice(DIGIT_WORDS[1:])}", "个", "件")
    )
    return cardinal(value) + tail


@dataclass(frozen=True, slots=True)
class Chain:
    """A digit string as a row of positions: `digits[i]` may be said at position i, and `stop[i]` is the probability of
    ending before position i (the last position always ends)."""

    probability: float
    digits: tuple[str, ...]
    stop: tuple[float, ...]


_ONE = "一幺"
_ANY = "零一幺二三四五六七八九洞"
_LENGTHS = {1: 1, 2: 1, 3: 4, 4: 8, 5: 2, 6: 6, 7: 3, 8: 8, 9: 1, 10: 5, 11: 3, 12: 12, 13: 2, 14: 2, 15: 2, 16: 2}
_LENGTHS |= {18: 3, 19: 2}


_SAID = ("零洞", "一幺", *"二三四五六七八九")


def check_format(pattern: str) -> None:
    """ValueError unless `pattern` is made of digits and d (any digit), 2 to 24 of them, such as 2026dddddddd."""
    if not re.fullmatch(r"[0-9d]{2,24}", pattern):
        raise ValueError(f"number format {pattern!r} must be 2 to 24 digits, d for any digit: 2026dddddddd")


def formatted(pattern: str, probability: float) -> Chain:
    """The strings of one of the company's number formats."""
    check_format(pattern)
    return Chain(
        probability, tuple(_ANY if sign == "d" else _SAID[int(sign)] for sign in pattern), (0.0,) * len(pattern)
    )


def chains(formats: Sequence[str] = ()) -> tuple[Chain, ...]:
    """The company's own formats (order numbers), mobile numbers (eleven digits from 13 to 19), and strings of the
    lengths that codes have.

    An n-gram cannot count; these can, so a digit said twice is not swallowed. Half of the probability is the formats'.
    """
    own = tuple(formatted(pattern, 0.5 / len(formats)) for pattern in formats)
    rest = 0.5 if own else 1.0
    total = sum(_LENGTHS.values())
    left, stop = float(total), []
    for length in range(max(_LENGTHS)):
        ending = float(_LENGTHS.get(length, 0))
        stop.append(ending / left)
        left -= ending
    mobile = Chain(0.5 * rest, (_ONE, "三四五六七八九", *[_ANY] * 9), (0.0,) * 11)
    return *own, mobile, Chain(0.5 * rest, (_ANY,) * max(_LENGTHS), tuple(stop))


def digit_probability(word: str, among: str) -> float:
    """Probability of one way to say a digit among those possible at a position: 一 and 幺 share, 洞 is rare."""
    share = {"一": 0.4, "幺": 0.6, "洞": 0.04, "零": 0.96}
    kinds = len({SAME.get(other, other) for other in among})
    return share.get(word, 1.0) / kinds


SAME = {"幺": "一", "洞": "零"}


_ADDRESS_LEADS = ((), (), ("我", "的", "地址", "是"), ("地址", "是"), ("我", "住", "在"), ("送到",))


def addresses(count: int, *, seed: int = 7) -> Iterator[tuple[str, ...]]:
    """`count` ends of addresses as words: road, number, estate, building, unit, room."""
    rng = random.Random(seed)
    text = (resources.files("voice_gateway.asr.graph") / "places.txt").read_text(encoding="utf-8")
    roads, estates = (part.split() for part in re.split(r"^#.*\n", text, flags=re.MULTILINE)[1:])

    def number(limit: int) -> tuple[str, ...]:
        return tuple(cardinal(rng.randrange(1, limit)))

    for _ in range(count):
        words: list[str] = [
            *rng.choice(((), (), ("我", "的", "地址", "是"), ("地址", "是"), ("我", "住", "在"), ("送到",)))
        ]
        if rng.random() < 0.8:
            words += [rng.choice(roads), *number(400), "号"]
        if rng.random() < 0.6:
            words += [rng.choice(estates), *rng.choice(((), ("小区",)))]
        words += [*number(40), rng.choice(("栋", "栋", "号楼", "幢", "座"))]
        if rng.random() < 0.7:
            words += [*number(6), "单元"]
        if rng.random() < 0.8:
            room = str(rng.randrange(101, 3999))
            said = "".join(DIGIT_WORDS[int(c)] for c in room)
            words += [*(said if rng.random() < 0.5 else said.replace("一", "幺")), *rng.choice((("室",), ("号",), ()))]
        else:
            words += [*number(33), rng.choice(("楼", "层"))]
        yield tuple(words)


def dictation(count: int, *, seed: int = 7) -> Iterator[tuple[str, ...]]:
    """`count` sentences, each a tuple of single-character words: digit strings, corrections, amounts, dates."""
    rng = random.Random(seed)
    for _ in range(count):
        kind = rng.random()
        if kind < 0.68:
            text = rng.choice(LEADS) + _string(rng) + rng.choice(TAILS)
        elif kind < 0.78:
            fix = rng.choice(FIXES)
            names = {"a": rng.choice(DIGIT_WORDS), "b": rng.choice(DIGIT_WORDS), "n": cardinal(rng.randrange(1, 12))}
            text = fix.format(**names) + ("" if "{a}" in fix else _string(rng)[: rng.choice((1, 1, 2, 4, 11))])
        elif kind < 0.9:
            text = rng.choice(("", "", "一共", "是", "付了", "退", "大概")) + _amount(rng)
        else:
            text = rng.choice(("", "", "是", "就", "大概")) + _date(rng)
        yield tuple(text)


_PLACES = ("最后一位", "第一位", "末位", "倒数第二位", *(f"第{n}位" for n in "二三四五六七八九十"))
_REFUSALS = ("", "不对", "不是", "错了", "不对不对")


def corrections() -> Iterator[tuple[str, ...]]:
    """How one digit of a number that was read back is put right, each a tuple of single-character words."""
    digits = DIGIT_WORDS + "幺"
    for refusal in _REFUSALS:
        for digit in digits:
            for place in _PLACES:
                yield tuple(f"{refusal}{place}是{digit}")
            yield tuple(f"{refusal}应该是{digit}")
            for other in digits:
                yield tuple(f"{refusal}是{digit}不是{other}")
                yield tuple(f"不是{other}是{digit}")


def answers(count: int, *, seed: int = 7) -> Iterator[tuple[str, ...]]:
    """`count` yes-no answers, each a tuple of single-character words."""
    rng = random.Random(seed)
    for _ in range(count):
        yield tuple(rng.choice(rng.choice((YES, NO))))
