"""Entities by rule: numbers with check digits, money, dates, addresses, e-mail, names, the tenant's products."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import datetime

from nlu import checks, chinese
from nlu.addresses import addresses
from nlu.api import Entity
from nlu.dates import dates
from nlu.dictation import Dictation, dictation
from nlu.money import amounts
from nlu.numbers import NUMERAL, value

_EMAIL = re.compile(
    r"(?P<user>[A-Za-z0-9][A-Za-z0-9._%+\-]*)(?:@|艾特|圈a)(?P<host>[A-Za-z0-9\-]+)(?P<dots>(?:(?:\.|点)[A-Za-z]{2,})+)"
)
_RUN = re.compile(r"(?<![\dA-Za-z.])(?:\+?86[- ]?(?=1\d{2}))?\d(?:[ \-]?\d)*[xX]?(?![\dA-Za-z])")
_SURNAMES = (
    "王李张刘陈杨黄赵吴周徐孙马朱胡郭何高林罗郑梁谢宋唐许韩冯邓曹彭曾肖田董袁潘于蒋蔡余杜叶程苏魏吕丁任沈姚卢姜崔"
    "钟谭陆汪范金石廖贾夏韦付方白邹孟熊秦邱江尹薛闫段雷侯龙史陶黎贺顾毛郝龚邵万钱严覃武戴莫孔向汤"
)
_NAME = rf"(?:欧阳|司马|上官|诸葛|[{_SURNAMES}])[一-鿿]{{1,2}}?"
_PERSON = re.compile(
    rf"(?:我叫|名字(?:是|叫)|姓名(?:是|叫)?|收[件货]人(?:是|叫|改成|改为|换成)|联系人(?:是|叫|改成|换成)|我是)(?P<name>{_NAME})"
    r"(?=$|[，。,.！!？?；;\s的啊吧呀住在电手]|先生|女士|小姐)"
)
_NAME_ALONE = re.compile(rf"(?:我?是|叫|嗯)*(?P<name>{_NAME})[，。]?")
_SURNAME = re.compile(rf"我?(?:免贵)?姓(?P<name>欧阳|司马|上官|诸葛|[{_SURNAMES}])")
_NUMBER = re.compile(
    rf"(?<![\d.A-Za-z])(?:\d+(?:\.\d+)?%?|(?<!第)(?!一个){NUMERAL}+(?=[个件双台份次条本瓶箱盒袋包套支只张])"
    rf"|^{NUMERAL}+$)(?![\d.A-Za-z])"
)
_DIGIT_SLOTS = ("order", "phone", "mobile", "tel", "card", "number", "code", "digits", "id")
_MONEY_SLOTS = ("amount", "money", "price")
_PERSON_SLOTS = ("name", "person", "receiver", "contact")


class RuleEntities:
    """The rule engine. `products` are the tenant's own names of things."""

    def __init__(self, products: Iterable[str] = ()) -> None:
        names = sorted({p for p in products if len(p) >= 2}, key=len, reverse=True)
        self._products = re.compile("|".join(map(re.escape, names)), re.IGNORECASE) if names else None

    def warm_up(self) -> None:
        """Loads place names and time grammar (about 2 s)."""
        chinese.warm_up()

    def extract(self, text: str, *, expected_slot: str, now: datetime) -> list[Entity]:
        """See `EntityEngine`. While a number is expected every digit said is also given as `digits`.

        A correction gives `digits` (the right ones), `wrong_digits` (what they replace) and `position` (a Python slice
        of the earlier number: "-1:", "2:3", ":3").
        """
        found: list[Entity] = [*_emails(text), *self._named_products(text), *_persons(text, expected_slot)]
        found += _numbers(text, _is(expected_slot, _DIGIT_SLOTS), expected_slot)
        found += [
            Entity("address", a.value, text[a.start : a.end], a.start, a.end, a.confidence)
            for a in addresses(text, expected="address" in expected_slot)
        ]
        found += [
            Entity("money", m.yuan, text[m.start : m.end], m.start, m.end, 0.9)
            for m in amounts(text, expected=_is(expected_slot, _MONEY_SLOTS))
        ]
        found += [Entity(w.kind, w.value, text[w.start : w.end], w.start, w.end, 0.85) for w in dates(text, now)]
        for match in _NUMBER.finditer(text):
            if (number := value(match[0].rstrip("%"))) is not None:
                found.append(Entity("number", number, match[0], *match.span(), 0.4))
        return found

    def _named_products(self, text: str) -> Iterator[Entity]:
        if self._products is not None:
            for match in self._products.finditer(text):
                yield Entity("product", match[0], match[0], *match.span(), 0.9)


def _is(slot: str, kinds: tuple[str, ...]) -> bool:
    return any(kind in slot.lower().split("_") or slot.lower().startswith(kind) for kind in kinds)


def _emails(text: str) -> Iterator[Entity]:
    for match in _EMAIL.finditer(text):
        address = f"{match['user']}@{match['host']}{match['dots'].replace('点', '.')}".lower()
        yield Entity("email", address, match[0], *match.span(), 1.0)


def _persons(text: str, expected_slot: str) -> Iterator[Entity]:
    for match in _PERSON.finditer(text):
        yield Entity("person", match["name"], match["name"], *match.span("name"), 0.85)
    for match in _SURNAME.finditer(text):
        yield Entity("person", match["name"], match["name"], *match.span("name"), 0.6)
    if _is(expected_slot, _PERSON_SLOTS) and (alone := _NAME_ALONE.fullmatch(text)):
        yield Entity("person", alone["name"], alone["name"], *alone.span("name"), 0.8)


def _numbers(text: str, expected: bool, slot: str) -> Iterator[Entity]:
    typed = [e for match in _RUN.finditer(text) if (e := _typed(match[0], *match.span(), slot)) is not None]
    said = dictation(text, expected=expected)
    if said is not None:
        if not any(e.value == said.digits for e in typed) and (
            whole := _typed(said.digits, said.start, said.end, slot, raw=text[said.start : said.end])
        ):
            typed.append(whole)
        inside = any(e.start <= said.start and said.end <= e.end for e in typed)
        if expected or said.wrong or said.position or not inside:
            yield from _dictated(said, text)
    yield from typed


def _dictated(said: Dictation, text: str) -> Iterator[Entity]:
    for kind, found in (("digits", said.digits), ("wrong_digits", said.wrong), ("position", said.position)):
        if found:
            yield Entity(kind, found, text[said.start : said.end], said.start, said.end, 0.7)


def _typed(run: str, start: int, end: int, slot: str, raw: str = "") -> Entity | None:
    number = re.sub(r"[ \-]", "", run).upper()
    raw = raw or run
    if len(number.removeprefix("+86")) == 11 and number.startswith("+86"):
        number = number.removeprefix("+86")
    elif len(number) == 13 and number.startswith("86") and checks.is_mobile(number[2:]):
        number = number[2:]
    if checks.is_id_card(number):
        return Entity("id_card", number, raw, start, end, 1.0)
    if checks.is_mobile(number):
        return Entity("phone", number, raw, start, end, 1.0)
    if checks.is_order_number(number) or (len(number) == 12 and number.isdecimal() and slot.startswith("order")):
        return Entity("order_number", number, raw, start, end, 1.0 if checks.is_order_number(number) else 0.5)
    if checks.is_bank_card(number):
        return Entity("bank_card", number, raw, start, end, 0.95)
    if checks.is_landline(number):
        return Entity("phone", number, raw, start, end, 0.85)
    return None
