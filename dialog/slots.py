"""Reading a slot's value out of an utterance. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping

from dialog import digits
from dialog.flows.language import SlotSpec
from dialog.heard import Heard

_EMAIL = re.compile(r"[A-Za-z0-9._%+-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+")
_PLACE = re.compile(r"[省市区县镇乡村路街道巷弄号栋幢楼室园院]|小区|大厦|广场|单元")
_LEAD = re.compile(
    r"^(?:不对|不是|错了|嗯+|呃+|那个|好的?|对)?[，,。.\s]*(?:(?:新?的?(?:收货)?地址|发票?抬头|抬头|公司(?:名称?|全称)?|邮箱|税号|原因|名字)"
    r"(?:是|就是|叫|为|改成|改到|换成|:|：)?|(?:就?是|叫|改成|改到|换成)(?=.{2}))[，,：:\s]*"
)
_SPELLED = (
    (re.compile(r"\s|[，,、。]|下划线(?=)"), lambda m: "_" if m[0] == "下划线" else ""),
    (re.compile(r"艾特|爱特|圈[aA]|[aA]圈|小老鼠|at(?=[a-z0-9])", re.IGNORECASE), lambda m: "@"),
    (re.compile(r"点"), lambda m: "."),
    (re.compile(r"杠|横杠|减号"), lambda m: "-"),
    (re.compile(r"扣扣|球球"), lambda m: "qq"),
    (re.compile(r"康姆|靠姆|抗姆"), lambda m: "com"),
)


def value(spec: SlotSpec, heard: Heard) -> str:
    """The value of a slot in what was heard, valid, or "". Numbers in pieces are dialog.digits' business."""
    if spec.entity and (found := heard.entities.get(spec.entity)) and valid(spec, found):
        return found
    match spec.type:
        case "digits":
            found = digits.longest_run(heard.text)
            return found if valid(spec, found) else ""
        case "email":
            return email(heard.text)
        case "choice":
            return choice(spec, heard.text)
        case "address":
            text = bare(heard.text)
            return text if len(text) >= spec.min_length and _PLACE.search(text) else ""
    text = bare(heard.text)
    if spec.pattern:
        text = re.sub(r"[\s，,。、.\-]", "", text).upper()
        text = "".join(digits.read(c) or c for c in text)
        found_part = re.search(spec.pattern, text)
        return found_part[0] if found_part else ""
    return text if len(text) >= spec.min_length else ""


def valid(spec: SlotSpec, text: str) -> bool:
    """Whether `text` may be the value of the slot."""
    if spec.type == "digits":
        return len(text) == spec.length and re.fullmatch(spec.pattern or r"\d+", text) is not None
    return len(text) >= spec.min_length


def bare(text: str) -> str:
    """`text` without "it is" and the like in front, and without the full stop."""
    text = text.strip().rstrip("。.，,！!")
    shorter = _LEAD.sub("", text)
    return shorter or text


def choice(spec: SlotSpec, text: str) -> str:
    """The option whose words are in `text`, else the text itself when it is long enough to mean something."""
    for option, words in spec.options.items():
        if any(word in text for word in words):
            return option
    text = bare(text)
    return text if len(text) >= max(spec.min_length, 4) else ""


def listed(spec: SlotSpec, text: str) -> bool:
    """Whether `text` names one of the options in so many words."""
    return any(word in text for words in spec.options.values() for word in words)


def email(text: str) -> str:
    """An address as it is written, or as it is spelled aloud (一二三艾特QQ点com)."""
    if found := _EMAIL.search(text):
        return found[0]
    for pattern, put in _SPELLED:
        text = pattern.sub(put, text)
    name, at, domain = text.partition("@")
    if not at:
        return ""
    name = "".join(digits.read(c) or c for c in name)
    domain = "".join(digits.read(c) or c for c in domain)
    found = _EMAIL.search(f"{name}@{domain}".lower())
    return found[0] if found else ""


def prefill(slots: Mapping[str, SlotSpec], heard: Heard) -> dict[str, str]:
    """Long numbers that come along unasked: 帮我查一下订单2026…"""
    run = digits.longest_run(heard.text)
    found = {}
    for name, spec in slots.items():
        if spec.type == "digits" and spec.length >= 8:
            named = heard.entities.get(spec.entity, "") if spec.entity else ""
            number = named if valid(spec, named) else run
            if valid(spec, number):
                found[name] = number
    return found
