"""Sentences that customer-service callers say, made from templates: the texts of synthetic callers.

Numbers are written as they are said (幺三八, 两百三十块), so the text is its own transcript. Commas are pauses. Half of
the output is digit strings, since phone and order numbers decide whether a call succeeds. Pure and seeded.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from importlib import resources

DIGITS = "零一二三四五六七八九"


@dataclass(frozen=True, slots=True)
class Sentence:
    """One utterance: ``kind`` is ``phone``, ``order``, ``amount``, ``date``, ``address``, ``talk``, ``short``..."""

    text: str
    kind: str


@cache
def words(section: str) -> tuple[str, ...]:
    """Return the entries of a section of ``callers.txt`` (``[section]``, then one entry a line)."""
    found: dict[str, list[str]] = {}
    current: list[str] = []
    text = resources.files(__package__).joinpath("callers.txt").read_text(encoding="utf-8")
    for line in text.splitlines():
        if line.startswith("["):
            current = found.setdefault(line.strip("[]"), [])
        elif line:
            current.append(line)
    return tuple(found[section])


def say_digits(digits: str, rng: random.Random, *, pause: str = "，", yao: bool | None = None) -> str:
    """Write a digit string as it is said; ``yao`` chooses 幺 for one (by chance when None), ``pause`` splits groups."""
    use_yao = rng.random() < 0.65 if yao is None else yao
    said = "".join(DIGITS[int(d)] for d in digits)
    if use_yao:
        said = said.replace("一", "幺")
    if rng.random() < 0.04:
        said = said.replace("零", "洞")
    if len(said) == 11:
        cuts: tuple[int, ...] = rng.choice(((3, 7), (3, 7), (3, 7), (4, 8), (3, 6, 9), ()))
    elif len(said) > 5:
        step = rng.choice((3, 4, 4, len(said)))
        cuts = tuple(range(step, len(said) - 1, step))
    else:
        cuts = ()
    bounds = (0, *cuts, len(said))
    return pause.join(said[a:b] for a, b in zip(bounds, bounds[1:], strict=False))


def say_number(value: int) -> str:
    """Write 0 <= value < 100,000,000 as a spoken cardinal (两 before 百, 千 and 万)."""
    if value < 0 or value >= 100_000_000:
        raise ValueError(f"out of range: {value}")
    if value >= 10_000:
        high, low = divmod(value, 10_000)
        head = "两" if high == 2 else say_number(high)
        return head + "万" + (("零" if low < 1000 else "") + say_number(low) if low else "")
    out, gap = "", False
    for unit, name in ((1000, "千"), (100, "百"), (10, "十"), (1, "")):
        digit, value = divmod(value, unit)
        if digit:
            out += "零" if gap and out else ""
            gap = False
            word = "两" if digit == 2 and unit >= 100 else DIGITS[digit]
            out += ("" if unit == 10 and digit == 1 and not out else word) + name
        elif out:
            gap = True
    return out or "零"


def _phone(rng: random.Random) -> str:
    digits = "1" + rng.choice("3456789") + "".join(rng.choices("0123456789", k=9))
    said = say_digits(digits, rng)
    frame = rng.choice(
        ("{}",) * 6 + ("我的电话是{}", "手机号{}", "号码是{}", "你打{}", "联系电话，{}", "我的手机号是{}")
    )
    return frame.format(said)


def _order(rng: random.Random) -> str:
    said = say_digits("".join(rng.choices("0123456789", k=rng.choice((6, 8, 8, 10, 12)))), rng)
    return rng.choice(("{}", "{}", "{}", "订单号是{}", "单号{}", "我的订单号，{}", "尾号是{}")).format(said)


def _code(rng: random.Random) -> str:
    said = say_digits("".join(rng.choices("0123456789", k=rng.choice((3, 4, 4, 5, 6)))), rng, pause="")
    return rng.choice(("{}", "{}", "{}", "验证码是{}", "尾号{}", "后四位{}", "工号{}", "房间号{}")).format(said)


def _repeats(rng: random.Random) -> str:
    """A string with doubled and tripled digits: heard once, they are what most often spoils a number."""
    digits = "1" + rng.choice("3456789") if rng.random() < 0.7 else rng.choice("0123456789")
    size = 11 if len(digits) == 2 else rng.choice((4, 6, 8, 10, 12))
    while len(digits) < size:
        digits += digits[-1] if rng.random() < 0.4 else rng.choice("0123456789")
    frame = rng.choice(("{}",) * 5 + ("我的电话是{}", "手机号{}", "号码是{}", "单号{}"))
    return frame.format(say_digits(digits, rng))


def _long(rng: random.Random) -> str:
    """A string of 13 to 20 digits: a tracking or card number."""
    said = say_digits("".join(rng.choices("0123456789", k=rng.randint(13, 20))), rng)
    return rng.choice(("{}", "{}", "{}", "快递单号{}", "运单号是{}", "卡号是{}")).format(said)


def _amount(rng: random.Random) -> str:
    value = rng.choice((rng.randint(1, 99), rng.randint(100, 999), rng.randint(1000, 9999), rng.randint(10000, 300000)))
    said = say_number(value)
    tail = rng.choice(
        ("块", "块钱", "元", "元", "块五", "点五元", f"元{rng.choice(DIGITS[1:])}角", f"块{rng.choice(DIGITS[1:])}")
    )
    frame = rng.choice(("{}", "{}", "一共{}", "多扣了我{}", "退给我{}", "我付了{}", "花了{}买的", "账单是{}", "转账{}"))
    return frame.format(said + tail)


def _date(rng: random.Random) -> str:
    month, day = say_number(rng.randint(1, 12)), say_number(rng.randint(1, 31))
    hour = (
        rng.choice(("上午", "下午", "晚上", "早上", "中午"))
        + rng.choice("两三四五六七八九十")
        + "点"
        + rng.choice(("", "", "半", "一刻", say_number(rng.randint(10, 59)) + "分", "钟"))
    )
    year = say_digits(str(rng.randint(1950, 2027)), rng, pause="", yao=False) + "年"
    dates = (
        f"{month}月{day}号",
        f"{month}月{day}日",
        f"{year}{month}月{day}号",
        rng.choice("今明后昨") + "天" + hour,
        f"{rng.choice(('这周', '下周', '上周', '星期'))}{rng.choice('一二三四五六')}{hour}",
        f"{month}月{day}号{hour}",
        hour,
    )
    frame = rng.choice(("{}", "{}", "{}", "我是{}买的", "{}可以吗", "约在{}吧", "{}下的单", "我的生日是{}"))
    return frame.format(rng.choice(dates))


def _address(rng: random.Random) -> str:
    number = say_number(rng.randint(1, 299))
    door = say_digits(str(rng.randint(101, 2805)), rng, pause="")
    city, estate = rng.choice(words("cities")), rng.choice(words("estates"))
    place = city + rng.choice(words("roads")) + number + "号"
    home = f"{estate}{say_number(rng.randint(1, 30))}栋{say_number(rng.randint(1, 6))}单元{door}"
    said = rng.choice((place, place, home, f"{city}，{home}", f"{place}，{home}室"))
    return rng.choice(("{}", "{}", "我的地址是{}", "送到{}", "地址改成{}", "我住在{}")).format(said)


def _talk(rng: random.Random) -> str:
    if rng.random() < 0.25:
        return "，".join(rng.sample(words("plain"), rng.choice((1, 2))))
    product, fault = rng.choice(words("products")), rng.choice(words("faults"))
    name = rng.choice(words("surnames")) + "".join(rng.choices(words("given"), k=rng.choice((1, 2))))
    question = rng.choice(words("questions"))
    frames = (
        f"我买的{product}{fault}",
        f"这个{product}{fault}，{rng.choice(words('demands'))}",
        f"我上个月在你们店里买的{product}，{fault}",
        f"请问{product}{question}",
        f"我想{rng.choice(('买', '退', '换', '咨询一下', '预订', '修一下'))}{product}",
        f"{rng.choice(('帮我', '麻烦你', '你给我', '能不能帮我'))}查一下{product}的订单",
        f"我叫{name}",
        f"免贵姓{name[0]}，{rng.choice(('我是来投诉的', '我想问一下' + product, '刚才打过电话'))}",
    )
    return rng.choice(frames)


def _short(rng: random.Random) -> str:
    return rng.choice(words("short"))


_KINDS: dict[str, tuple[Callable[[random.Random], str], float]] = {
    "phone": (_phone, 0.30),
    "order": (_order, 0.12),
    "code": (_code, 0.08),
    "amount": (_amount, 0.10),
    "date": (_date, 0.09),
    "address": (_address, 0.09),
    "talk": (_talk, 0.12),
    "short": (_short, 0.10),
    "repeats": (_repeats, 0.16),
    "long": (_long, 0.05),
}
KINDS = tuple(_KINDS)


def sentences(count: int, seed: int, shares: dict[str, float] | None = None) -> Iterator[Sentence]:
    """Yield ``count`` sentences; ``shares`` overrides the mix of kinds. The same seed gives the same sentences."""
    rng = random.Random(seed)
    weights = [(shares or {}).get(kind, 0.0 if shares else share) for kind, (_, share) in _KINDS.items()]
    for _ in range(count):
        kind = rng.choices(KINDS, weights)[0]
        yield Sentence(_KINDS[kind][0](rng), kind)
