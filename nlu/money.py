"""Amounts of money as people say them: 三百块五, 一百二十元, 五毛, 九块九, 3块2毛5, ￥299. Pure; values in yuan."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal

from nlu.numbers import SPOKEN, UNITS, value

_NUMERAL = rf"(?:\d+(?:\.\d+)?[万亿]?|(?:[{SPOKEN}两]|(?<![一-鿿])十|十(?=[{UNITS}{SPOKEN}块元]))[{SPOKEN}两{UNITS}]*)"
_SMALL = rf"[\d{SPOKEN}两]"
_AMOUNT = re.compile(
    rf"(?:[¥￥]\s?(?P<sign>\d[\d,]*(?:\.\d+)?))"
    rf"|(?!一块[儿去来买发退寄送给吃办弄走换])(?P<yuan>{_NUMERAL})[多几来]?(?:块|元|圆)(?:(?P<jiao>{_SMALL})(?:(?:毛|角)(?:(?P<fen>{_SMALL})分?)?)?(?![{UNITS}\d个件天次年月号]))?(?:钱|整)?"
    rf"|(?P<only_jiao>{_SMALL})(?:毛|角)(?:(?P<only_fen>{_SMALL})分?)?(?:钱)?(?![子巾衣线])"
)
_BARE = re.compile(_NUMERAL)


@dataclass(frozen=True, slots=True)
class Amount:
    """yuan: decimal string without needless zeros. start, end: span in the text."""

    yuan: str
    start: int
    end: int


def amounts(text: str, *, expected: bool = False) -> list[Amount]:
    """Amounts in the normalised `text`; `expected` (an amount is asked for) also takes a number without a unit."""
    found = []
    for match in _AMOUNT.finditer(text):
        if match["sign"]:
            total: Decimal | None = Decimal(match["sign"].replace(",", ""))
        else:
            parts = (match["yuan"], match["jiao"] or match["only_jiao"], match["fen"] or match["only_fen"])
            total = _sum(parts)
        if total is not None:
            found.append(Amount(_plain(total), *match.span()))
    if not found and expected and (bare := _BARE.search(text)) and (number := value(bare[0])) is not None:
        found.append(Amount(_plain(Decimal(number)), *bare.span()))
    return found


def _sum(parts: tuple[str | None, ...]) -> Decimal | None:
    total = Decimal(0)
    for said, worth in zip(parts, (Decimal(1), Decimal("0.1"), Decimal("0.01")), strict=True):
        if said is not None:
            number = value(said)
            if number is None:
                return None
            total += Decimal(number) * worth
    return total


def _plain(amount: Decimal) -> str:
    text = f"{amount:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
