"""Postal addresses in a text, by jionlp's place names and the words that addresses are built of."""

from __future__ import annotations

import re
from dataclasses import dataclass

from nlu import chinese

_LEAD = re.compile(
    r".*(?:地址(?:是|为|写|应该是|改成|改为|改到|换成|换到|变成|:|：)*|(?:送|寄|发|改|搬|换|邮)(?:到|至|往|成|去)"
    r"|(?:应该)是|住在|搬到|我在|就在)"
)
_HEAD = re.compile(r"^(?:嗯|啊|呃|那个|就是|是|我|在|请|帮我|到|改成|改到|[，, :：])+")
_TAIL = re.compile(
    r"(?:[，,。.！!\s]|就行了?|就可以了?|可以吗|行吗|好吗|谢谢|吧|呀|啊|了|呢|吗|哈|这里|那里|那边|这边)+$"
)
_PART = r"[一-鿿A-Za-z0-9]"
_STREET = re.compile(
    rf"{_PART}{{1,8}}(?:路|街|大道|(?<![楼频渠知])道|巷|胡同|弄|里(?=\d)|村|镇|乡|小区|花园|广场|大厦|公寓|苑|园|庄|城|中心|学校|大学|医院|公司)"
)
_DOOR = re.compile(r"[\dA-Za-z一二三四五六七八九十]+(?:号(?:楼|院|院子)?|栋|幢|单元|室|楼|层|座|弄|门)(?!码)")
_PLACE = re.compile(r"[省市区县镇乡村路街道巷弄栋幢]|单元|小区|大厦|花园|公寓|胡同|号楼|地址|(?:送|寄|发|改|搬)到")


@dataclass(frozen=True, slots=True)
class Address:
    """value: with province, city and county where they are known. start, end: span in the text."""

    value: str
    start: int
    end: int
    confidence: float


def addresses(text: str, *, expected: bool = False) -> list[Address]:
    """The address in the normalised `text`, if there is one; `expected` (one is asked for) needs less evidence."""
    if not _PLACE.search(text):
        return []
    lead = _LEAD.match(text)
    start = lead.end() if lead else 0
    if head := _HEAD.match(text[start:]):
        start += head.end()
    end = len(text)
    if tail := _TAIL.search(text[start:]):
        end = start + tail.start()
    said = text[start:end]
    if len(said) < 4:
        return []
    street, door = bool(_STREET.search(said)), bool(_DOOR.search(said))
    if not (street or door):
        return []
    place = chinese.location(said)
    named = place.get("county") or place.get("city") or place.get("province")
    if not ((named and (door or len(said) >= 6)) or (street and door) or (expected and door)):
        return []
    detail = place.get("detail") or said
    offset = 0
    if named and not lead:  # words before the first place name do not belong to the address
        offset = _first_place(said, place)
    value = place.get("full_location") or said
    if named and offset:
        value = value.replace(said[:offset], "", 1)
    confidence = 0.6 + 0.15 * bool(named) + 0.1 * street + 0.1 * door if len(detail) > 1 else 0.5
    return [Address(value, start + offset, end, round(confidence, 2))]


def _first_place(said: str, place: dict[str, str | None]) -> int:
    names = (place.get("province"), place.get("city"), place.get("county"))
    return min((at for name in names if name and (at := said.find(name[:2])) >= 0), default=0)
