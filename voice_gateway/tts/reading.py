"""How Mandarin says numbers: values, digit strings, years, times, units.

Only readings; where they apply is decided in `text`. Values are written by cn2an.
"""

from __future__ import annotations

import re
from types import MappingProxyType

import cn2an

_DIGITS = "零一二三四五六七八九"
_MAX_VALUE_DIGITS = 16

UNITS = MappingProxyType(
    {
        "km/h": "公里每小时",
        "m/s": "米每秒",
        "kwh": "度",
        "mah": "毫安时",
        "mbps": "兆比特每秒",
        "kbps": "千比特每秒",
        "gbps": "千兆比特每秒",
        "km²": "平方公里",
        "m²": "平方米",
        "cm²": "平方厘米",
        "m³": "立方米",
        "㎡": "平方米",
        "km": "公里",
        "cm": "厘米",
        "mm": "毫米",
        "nm": "纳米",
        "kg": "公斤",
        "mg": "毫克",
        "ml": "毫升",
        "ghz": "吉赫兹",
        "mhz": "兆赫兹",
        "khz": "千赫兹",
        "hz": "赫兹",
        "kw": "千瓦",
        "db": "分贝",
        "℃": "摄氏度",
        "°c": "摄氏度",
        "°": "度",
        "min": "分钟",
        "ms": "毫秒",
        "gb": "G",
        "tb": "T",
        "mb": "兆",
        "kb": "K",
        "px": "像素",
        "rmb": "元",
        "cny": "元",
        "g": "克",
        "m": "米",
        "l": "升",
        "h": "小时",
        "s": "秒",
        "w": "瓦",
        "v": "伏",
        "a": "安",
    }
)
"""Units written in Latin letters or signs, lower case; G and T are said as letters."""

CURRENCIES = MappingProxyType(
    {"¥": "元", "￥": "元", "$": "美元", "€": "欧元", "£": "英镑", "RMB": "元", "CNY": "元", "USD": "美元"}
)

MEASURES = (
    "个|件|次|天|位|张|台|份|条|种|小时|分钟|秒钟|周|星期|年|年期|元|块|毛|公斤|斤|箱|瓶|盒|包|套|双|只|家|部|项|步|遍|名"
    "|封|笔|款|层|倍|间|把|本|支|根|片|颗|袋|桶|辆|架|首|句|段|组|对|批|口|米|公里|升|克|吨|度|点钟|轮|场|趟|串|折叠|期"
)
"""Words before which 2 is 两. Not 月, 日, 号, 楼, 点 (a time), 分: those take 二 or are handled as dates and times."""

_TWO_IS_LIANG = re.compile(rf"(?:{MEASURES}|多|万|亿|千|百)")


def digits(text: str, *, telephone: bool = True) -> str:
    """Digit by digit; in telephone style 1 is 幺. Characters that are no digits are left out."""
    one = "幺" if telephone else "一"
    return "".join(one if char == "1" else _DIGITS[int(char)] for char in text if char.isdigit())


def grouped(text: str, *sizes: int) -> str:
    """Digit by digit with a short pause between groups; without `sizes` groups of four from the left."""
    plain = [char for char in text if char.isdigit()]
    groups, at = [], 0
    for size in sizes or ([4] * (len(plain) // 4 - 1) + [len(plain)]):
        groups.append(digits("".join(plain[at : at + size])))
        at += size
    groups.append(digits("".join(plain[at:])))
    return "，".join(group for group in groups if group)


def telephone(text: str) -> str:
    """A telephone number: mobiles 3-4-4, 400/800 numbers 3-3-4, landlines as written."""
    plain = re.sub(r"\D", "", text)
    if len(plain) == 13 and plain.startswith("86"):
        return "加八六，" + grouped(plain[2:], 3, 4, 4)
    if len(plain) == 11 and plain.startswith("1"):
        return grouped(plain, 3, 4, 4)
    if len(plain) == 10 and plain[:3] in ("400", "800"):
        return grouped(plain, 3, 3, 4)
    return "，".join(digits(part) for part in re.split(r"\D+", text) if part)


def value(text: str, following: str = "") -> str:
    """A number as a quantity: "1,234.5" -> 一千二百三十四点五; `following` is what comes after (两个, 二月).

    Numbers longer than a quadrillion and numbers with leading zeros are read digit by digit.
    """
    text = text.replace(",", "").replace("，", "")
    negative, text = text.startswith("-"), text.lstrip("+-")
    whole, _, fraction = text.partition(".")
    if len(whole) > _MAX_VALUE_DIGITS or (len(whole) > 1 and whole.startswith("0")):
        spoken = digits(whole, telephone=False)
    else:
        spoken = str(cn2an.an2cn(whole or "0", "low"))
        spoken = _colloquial(spoken)
        if spoken == "二" and not fraction and _TWO_IS_LIANG.match(following):
            spoken = "两"
    if fraction:
        spoken += "点" + digits(fraction, telephone=False)
    return ("负" if negative else "") + spoken


def _colloquial(spoken: str) -> str:
    """两百, 两千, 两万 at the head of a number."""
    return "两" + spoken[1:] if re.match(r"二[百千万亿]", spoken) else spoken


def year(text: str) -> str:
    """A year digit by digit: 二零二六."""
    return digits(text, telephone=False)


def clock(hour: str, minute: str, second: str = "") -> str:
    """A time of day: 九点, 九点零五分, 十二点三十分十秒."""
    said = ("两" if int(hour) == 2 else value(str(int(hour)))) + "点"
    if int(minute) or second:
        said += ("零" if 0 < int(minute) < 10 else "") + value(str(int(minute))) + "分"
    if second:
        said += ("零" if 0 < int(second) < 10 else "") + value(str(int(second))) + "秒"
    return said


def percent(number: str, sign: str = "%") -> str:
    """百分之…, 千分之…."""
    base = "千分之" if sign == "‰" else "百分之"
    negative = number.startswith("-")
    if number.lstrip("-+") == "100" and sign == "%":
        return ("负" if negative else "") + "百分之百"
    return ("负" if negative else "") + base + value(number.lstrip("-+"))


def unit(text: str) -> str:
    """The Mandarin name of a unit."""
    return UNITS[text.lower()]
