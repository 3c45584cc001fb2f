"""Masking of personal data in free text: phone numbers, ID cards, bank cards, e-mail addresses, person names.

Works on written digits and on dictated ones (幺三八…), with spaces or hyphens between. Length and leading digits
decide, checksums do not: a misheard card number is still personal. Twelve digits that begin with 20 are an order number
and stay. Names are found by what people say around them (我叫…, …先生), not by a tagger, which would mask products.
"""

from __future__ import annotations

import re

_HAN = "零〇洞一幺二两三四五六七八九"
_TO_DIGIT = str.maketrans(_HAN, "000112234567" + "89")
_DIGIT = f"[0-9{_HAN}]"
_RUN = re.compile(rf"(?<![0-9A-Za-z_.])(?:\+?86[- ]?)?{_DIGIT}(?:[ -]?{_DIGIT}){{6,24}}[xX]?(?![0-9A-Za-z_])")
_EMAIL = re.compile(r"[A-Za-z0-9._%+-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+")
_SURNAMES = (
    "王李张刘陈杨黄赵吴周徐孙马朱胡郭何高林罗郑梁谢宋唐许韩冯邓曹彭曾肖田董袁潘于蒋蔡余杜叶程苏魏吕丁任沈姚卢姜崔"
    "钟谭陆汪范金石廖贾夏韦付方白邹孟熊秦邱江尹薛闫段雷侯龙史陶黎贺顾毛郝龚邵万钱严覃武戴莫孔向汤"
)
_SURNAME = f"(?:欧阳|司马|上官|诸葛|[{_SURNAMES}])"
_INTRODUCED = re.compile(
    rf"((?:我叫|本人叫|名字是|名字叫|姓名[是为：:]?|收件人[是叫为：:]?|联系人[是叫为：:]?|我是)\s*)"
    rf"({_SURNAME})((?!先生|女士|小姐)[一-鿿]{{1,2}})"
    r"(?=$|[，。,.！!？?；;\s的啊吧呀住在]|先生|女士|小姐|手机|电话|地址|身份证)"
)
_ADDRESSED = re.compile(rf"({_SURNAME})([一-鿿]{{1,2}})(?=先生|女士|小姐|同学|师傅)")


def mask(text: str) -> str:
    """`text` with personal data starred out; idempotent. Lengths of what is not personal never change."""
    if not text:
        return text
    text = _EMAIL.sub(_email, text)
    text = _RUN.sub(_number, text)
    text = _INTRODUCED.sub(lambda m: m[1] + m[2] + "*" * len(m[3]), text)
    return _ADDRESSED.sub(lambda m: m[1] + "*" * len(m[2]), text)


def mask_number(value: str) -> str:
    """A value known to be personal: the first three and the last two characters stay, fewer when it is short."""
    head, tail = (3, 2) if len(value) >= 9 else (1, 1) if len(value) >= 4 else (0, 0)
    return value[:head] + "*" * (len(value) - head - tail) + (value[-tail:] if tail else "")


def _email(match: re.Match[str]) -> str:
    name, _, domain = match[0].partition("@")
    return f"{name[0]}***@{domain}"


def _number(match: re.Match[str]) -> str:
    raw = match[0]
    digits = re.sub(r"[ -]", "", raw.removeprefix("+")).translate(_TO_DIGIT)
    if len(digits) == 13 and digits.startswith("86"):
        digits = digits[2:]
    spoken = any(c in _HAN for c in raw)
    if len(digits) == 12 and digits.startswith("20"):
        return raw
    mobile = len(digits) == 11 and digits[0] == "1" and digits[1] in "3456789"
    landline = digits.startswith("0") and 10 <= len(digits) <= 12
    card = len(digits) >= 13
    dictated = spoken and len(digits) >= 7
    return mask_number(digits) if mobile or landline or card or dictated else raw
