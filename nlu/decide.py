"""The intent of an utterance, from what the engines say and which values were found. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence

from nlu.api import INFORM, OUT_OF_SCOPE, Entity, Intent

_CORRECTION = re.compile(
    r"^(?:(?:嗯|啊|呃|哎|哦|那个|抱歉|不好意思)[，, ]*)*"
    r"(?:不是|不对|错了|说错|我说错|报错|念错|更正|口误|应该是|你听错|你记错|改成)"
)
_AROUND = re.compile(
    r"(?:我的?|你|您|他|她|这个|那个|嗯|啊|呃|额|哦|是|就是|叫|在|的|了|吧|呀|呢|对|好|号码|号|订单号码?|订单|单号"
    r"|手机号?码?|电话号?码?|身份证号?码?|银行卡号?|卡号|尾号|地址|收货|邮箱|名字|姓名|金额|一共|大概|后面|前面|最后"
    r"|然后|到|买|下单|住|[，。！？、；：,.!?;:\s\-])+"
)
MAX_ALTERNATIVES = 3


def decide(
    text: str, phrases: Sequence[Intent], ranking: Sequence[Intent], entities: Sequence[Entity], threshold: float
) -> tuple[Intent, tuple[Intent, ...]]:
    """The intent and what else it might be, best first.

    Phrases go before statistics; a value with a correction before it is a correction; a text that is nothing but values
    informs; below `threshold` nothing fits.
    """
    alternatives = tuple(i for i in ranking if i.name != OUT_OF_SCOPE)[:MAX_ALTERNATIVES]
    kinds = {entity.type for entity in entities}
    values = kinds - {"number", "product", "wrong_digits", "position"}
    if phrases and not values:
        return phrases[0], alternatives
    if kinds & {"wrong_digits", "position"} or (values and _CORRECTION.match(text)):
        return Intent("correction", 0.95), alternatives
    if values | (kinds & {"number"}) and not _AROUND.sub("", _without(text, entities)):
        return Intent(INFORM, 0.95), alternatives
    best = next(iter(ranking), Intent(OUT_OF_SCOPE, 1.0))
    if best.name == OUT_OF_SCOPE:
        return best, alternatives
    if best.confidence < threshold:
        return Intent(OUT_OF_SCOPE, 1.0 - best.confidence), alternatives
    return best, tuple(i for i in alternatives if i.name != best.name)


def _without(text: str, entities: Sequence[Entity]) -> str:
    chars = list(text)
    for entity in entities:
        chars[entity.start : entity.end] = [""] * (entity.end - entity.start)
    return "".join(chars)
