"""Scripted nlu, emotion, kb and order system for tests of the dialog."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from common.errors import Conflict, NotFound, TimedOut, Unavailable
from dialog.business import Order, Refund, ReturnKind, Ticket
from emotion.api import AssessRequest, EmotionLabel, EmotionReading, HearRequest, HearResult
from kb.api import Answer, Entry, EntryKind, Hit
from nlu.api import OUT_OF_SCOPE, Entity, Intent, NluRequest, NluResult

RULES: tuple[tuple[str, str], ...] = (
    (r"人工|真人", "human_agent"),
    (r"退款.*(到|多久|进度|什么时候)|钱.*(退|到).*[没吗呢]|到账", "refund_status"),
    (r"取消订单", "cancel_order"),
    (r"换货|换一个|换个大", "exchange"),
    (r"退货|我要退|退掉", "return_request"),
    (r"退款", "refund_request"),
    (r"投诉", "complaint"),
    (r"改.*地址|换.*地址|地址.*错", "address_change"),
    (r"发票", "invoice"),
    (r"密码", "password_reset"),
    (r"几点|营业|上班", "opening_hours"),
    (r"垃圾|骗子|废物", "insult"),
    (r"订单|快递|物流|包裹|到哪|发货", "order_status"),
    (r"^你好|^您好", "greeting"),
    (r"天气|讲个笑话|你是谁", "small_talk"),
    (r"运费|包邮|保修|会员|优惠", "faq"),
)


class FakeNlu:
    """Intents by the rules above; `down` makes it fail, `slow` makes it hang."""

    def __init__(self) -> None:
        self.down = False
        self.gate: asyncio.Event | None = None
        self.requests: list[NluRequest] = []
        self.entered = asyncio.Event()

    async def parse(self, request: NluRequest) -> NluResult:
        self.requests.append(request)
        self.entered.set()
        if self.gate:
            await self.gate.wait()
        if self.down:
            raise Unavailable("nlu is down")
        name = next((intent for pattern, intent in RULES if re.search(pattern, request.text)), OUT_OF_SCOPE)
        found = re.search(r"[省市区路街].*[号室楼幢]", request.text)
        entities = (Entity("address", request.text.removeprefix("新地址是"), found[0], 0, 1),) if found else ()
        return NluResult(request.text, Intent(name, 0.2 if name == OUT_OF_SCOPE else 0.9), entities=entities)

    async def aclose(self) -> None:
        pass


def reading(score: float) -> EmotionReading:
    label = EmotionLabel.ANGRY if score >= 0.6 else EmotionLabel.NEUTRAL
    return EmotionReading(label, score, 0.2 - score, score, 0.8)


class FakeEmotion:
    """The score of each turn by `score`; calm unless told otherwise."""

    def __init__(self) -> None:
        self.score: Callable[[AssessRequest], float] = lambda request: 0.1
        self.down = False
        self.requests: list[AssessRequest] = []

    async def assess(self, request: AssessRequest) -> EmotionReading:
        self.requests.append(request)
        if self.down:
            raise TimedOut("emotion is slow")
        return reading(self.score(request))

    async def hear(self, request: HearRequest) -> HearResult:
        raise AssertionError("the dialog never hears audio")

    async def aclose(self) -> None:
        pass


LONG = (
    "退货的运费要看原因。"
    + "如果是质量问题或者我们发错了货，来回的运费都由我们承担。"
    + (
        "如果是您自己不想要了，寄回的运费需要您来承担，一般是八到十二元。"
        + "买了运费险的话，保险会在退货完成以后自动赔付给您。"
        "具体可以看 https://help.example.com/return?id=3 里的说明，也可以随时问我。"
    )
)
FACTS = {
    "运费": LONG,
    "包邮": "满59元包邮，不满59元收8元运费。",
    "保修": "电器类商品保修一年，凭订单号就可以报修。",
    "几点": "人工客服每天早上九点到晚上九点在线。",
    "退货多久": "签收后七天内可以申请退货。",
}


class FakeKb:
    """Knows FACTS by keyword."""

    def __init__(self) -> None:
        self.down = False
        self.confidence = 0.9
        self.asked: list[str] = []

    async def answer(self, question: str, *, tags: Sequence[str] = ()) -> Answer:
        self.asked.append(question)
        if self.down:
            raise Unavailable("kb is down")
        for word, text in FACTS.items():
            if all(c in question for c in word):
                hit = Hit(Entry(f"faq-{word}", EntryKind.FAQ, word, text), self.confidence, 0.9, 0.9)
                return Answer(True, text, self.confidence, (f"faq-{word}",), (hit,))
        return Answer(False, "", 0.1)

    async def search(self, query: str, *, limit: int = 5, tags: Sequence[str] = ()) -> tuple[Hit, ...]:
        return ()

    async def upsert(self, entries: Sequence[Entry]) -> int:
        return 0

    async def delete(self, ids: Sequence[str]) -> int:
        return 0

    async def count(self) -> int:
        return len(FACTS)

    async def texts(self) -> tuple[str, ...]:
        return tuple(FACTS.values())

    async def aclose(self) -> None:
        pass


PHONE = "13900000001"
_BASE = Order(
    "", "运输中", "无线耳机", "299.00", "2026-11-20", "云杉速运", "YS1", "2026-11-24", "", "杭州市文三路1号", PHONE
)
ON_THE_WAY, REFUNDING, SIGNED, PAID = "202611080417", "202611030926", "202610280153", "202611150688"


def orders() -> dict[str, Order]:
    refund = Refund("已收货", "899.00", "2026-11-25")
    found = (
        replace(_BASE, order_id=ON_THE_WAY),
        replace(_BASE, order_id=REFUNDING, status="退款中", product="扫地机器人", amount="899.00", refund=refund),
        replace(_BASE, order_id=SIGNED, status="已签收", product="羽绒被", amount="329.00", signed="2026-11-20"),
        replace(_BASE, order_id=PAID, status="已付款", product="电热水壶", amount="129.50"),
    )
    return {order.order_id: order for order in found}


@dataclass
class FakeBusiness:
    """The order system in memory. `failing` names operations that are down, `slow` those that hang."""

    orders: dict[str, Order] = field(default_factory=orders)
    failing: set[str] = field(default_factory=set)
    slow: set[str] = field(default_factory=set)
    done: list[tuple[str, ...]] = field(default_factory=list)
    keys: dict[str, Ticket] = field(default_factory=dict)
    entered: asyncio.Event = field(default_factory=asyncio.Event)
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    closed: int = 0

    async def _on(self, operation: str, *what: str) -> None:
        self.entered.set()
        if operation in self.slow:
            await self.gate.wait()
        if operation in self.failing:
            raise Unavailable(f"{operation} is down")
        self.done.append((operation, *what))

    def _ticket(self, prefix: str, key: str) -> Ticket:
        return self.keys.setdefault(key, Ticket(f"{prefix}{len(self.keys) + 1:04d}", "2026-11-30"))

    async def order(self, order_id: str) -> Order:
        await self._on("order", order_id)
        if order_id not in self.orders:
            raise NotFound("没有这个订单")
        return self.orders[order_id]

    async def orders_of(self, phone: str) -> tuple[Order, ...]:
        await self._on("orders_of", phone)
        return tuple(order for order in self.orders.values() if order.phone == phone)

    async def open_return(self, order_id: str, kind: ReturnKind, reason: str, key: str) -> Ticket:
        await self._on("open_return", order_id, kind, reason)
        if order_id == "202610280999":
            raise Conflict("这笔订单签收已超过7天，不能再申请")
        return self._ticket("TH", key)

    async def change_address(self, order_id: str, address: str) -> None:
        await self._on("change_address", order_id, address)

    async def invoice(self, order_id: str, title: str, tax_id: str, email: str, key: str) -> Ticket:
        await self._on("invoice", order_id, title, tax_id, email)
        return self._ticket("FP", key)

    async def complain(self, order_id: str, text: str, key: str) -> Ticket:
        await self._on("complain", order_id, text)
        return self._ticket("TS", key)

    async def reset_password(self, phone: str) -> None:
        await self._on("reset_password", phone)

    async def aclose(self) -> None:
        self.closed += 1
