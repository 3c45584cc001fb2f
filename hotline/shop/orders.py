"""Orders of the sample shop and what may be done with them. In memory, seeded from orders.csv; no I/O after loading.

Days in the file are relative to today, so that a parcel that is on its way today is on its way on any day the sample
is run. `today` is an argument everywhere.
"""

from __future__ import annotations

import csv
import itertools
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Any

from common.errors import Conflict, NotFound

SEED = Path(__file__).with_name("orders.csv")
RETURN_DAYS, EXCHANGE_DAYS = 7, 15


class Status(StrEnum):
    """Where an order stands."""

    UNPAID = "待付款"
    PAID = "已付款"
    SHIPPED = "已发货"
    IN_TRANSIT = "运输中"
    DELIVERING = "派送中"
    SIGNED = "已签收"
    REFUNDING = "退款中"
    REFUNDED = "已退款"
    CANCELLED = "已取消"


class ReturnKind(StrEnum):
    """What the customer wants back: goods for money, money only, or other goods."""

    RETURN = "return"
    REFUND = "refund"
    EXCHANGE = "exchange"


ON_THE_WAY = frozenset({Status.SHIPPED, Status.IN_TRANSIT, Status.DELIVERING})


@dataclass(slots=True)
class Refund:
    """Money on its way back. status: 审核中, 待寄回, 已收货, 打款中, 已到账."""

    status: str
    amount: str
    expected: date


@dataclass(slots=True)
class Order:
    """One order. Amounts are yuan as decimal strings."""

    order_id: str
    status: Status
    product: str
    quantity: int
    amount: str
    created: date
    carrier: str
    tracking: str
    eta: date | None
    signed: date | None
    address: str
    phone: str
    refund: Refund | None


class Shop:
    """All orders and tickets. Not thread-safe: one event loop owns it. `today` tells the day of each request."""

    def __init__(self, today: Callable[[], date], seed: Path = SEED) -> None:
        self._today = today
        with seed.open(encoding="utf-8", newline="") as file:
            self._orders = {row["order_id"]: _order(row, today()) for row in csv.DictReader(file)}
        self._numbers = itertools.count(1)

    def order(self, order_id: str) -> Order:
        """The order of that number; NotFound."""
        try:
            return self._orders[order_id]
        except KeyError:
            raise NotFound(f"没有订单号为{order_id}的订单") from None

    def by_phone(self, phone: str) -> list[Order]:
        """Orders of that phone number, newest first."""
        found = (order for order in self._orders.values() if order.phone == phone)
        return sorted(found, key=lambda order: (order.created, order.order_id), reverse=True)

    def give_back(self, order_id: str, kind: ReturnKind) -> tuple[str, date]:
        """Open a return, refund or exchange: (ticket, day it is expected to be done). Conflict says why it can't be."""
        order = self.order(order_id)
        self._check_return(order, kind)
        unsent = order.status is Status.PAID
        expected = self._today() + timedelta(days=2 if unsent else 7)
        if kind is not ReturnKind.EXCHANGE:
            order.refund = Refund("打款中" if unsent else "审核中", order.amount, expected)
            order.status = Status.REFUNDING
        return self._ticket("TH"), expected

    def _check_return(self, order: Order, kind: ReturnKind) -> None:
        if order.status in (Status.REFUNDING, Status.REFUNDED):
            raise Conflict("这笔订单已经有退款，不能重复申请")
        if order.status in (Status.UNPAID, Status.CANCELLED):
            raise Conflict(f"这笔订单{order.status}，不需要退款")
        if kind is not ReturnKind.REFUND and order.status is not Status.SIGNED:
            raise Conflict("订单还没有签收，签收后才能退换货；现在可以直接申请退款")
        limit = EXCHANGE_DAYS if kind is ReturnKind.EXCHANGE else RETURN_DAYS
        if order.signed and (self._today() - order.signed).days > limit:
            raise Conflict(f"这笔订单签收已超过{limit}天，不能再申请")

    def move(self, order_id: str, address: str) -> Order:
        """Change the delivery address; Conflict once the parcel has left."""
        order = self.order(order_id)
        if order.status not in (Status.UNPAID, Status.PAID):
            raise Conflict(f"这笔订单{order.status}，不能再修改地址")
        order.address = address
        return order

    def invoice(self, order_id: str) -> tuple[str, date]:
        """Order an invoice: (ticket, day it is expected by e-mail). Conflict when there is nothing to invoice."""
        order = self.order(order_id)
        if order.status in (Status.UNPAID, Status.CANCELLED, Status.REFUNDED):
            raise Conflict(f"这笔订单{order.status}，不能开发票")
        return self._ticket("FP"), self._today() + timedelta(days=1)

    def complaint(self, order_id: str) -> str:
        """Open a complaint, about an order when `order_id` is not empty: its ticket. NotFound for an unknown order."""
        if order_id:
            self.order(order_id)
        return self._ticket("TS")

    def _ticket(self, prefix: str) -> str:
        return f"{prefix}{self._today():%m%d}{next(self._numbers):04d}"


def _order(row: dict[str, str], today: date) -> Order:
    def day(column: str) -> date | None:
        return today + timedelta(days=int(row[column])) if row[column] else None

    refund_day, created = day("refund_day"), day("created_day")
    assert created is not None
    return Order(
        order_id=row["order_id"],
        status=Status(row["status"]),
        product=row["product"],
        quantity=int(row["quantity"]),
        amount=row["amount"],
        created=created,
        carrier=row["carrier"],
        tracking=row["tracking"],
        eta=day("eta_day"),
        signed=day("signed_day"),
        address=row["address"],
        phone=row["phone"],
        refund=Refund(row["refund_status"], row["refund_amount"], refund_day) if refund_day else None,
    )


def as_json(order: Order) -> dict[str, Any]:
    """The order as the API shows it: dates in ISO form, null for what is not known."""

    def day(value: date | None) -> str | None:
        return value.isoformat() if value else None

    refund = order.refund
    return {
        "order_id": order.order_id,
        "status": order.status.value,
        "product": order.product,
        "quantity": order.quantity,
        "amount": order.amount,
        "created": day(order.created),
        "carrier": order.carrier,
        "tracking": order.tracking,
        "eta": day(order.eta),
        "signed": day(order.signed),
        "address": order.address,
        "phone": order.phone,
        "refund": refund and {"status": refund.status, "amount": refund.amount, "expected": day(refund.expected)},
    }
