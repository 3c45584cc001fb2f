"""What the flows need of the company's own systems: the port `BusinessApi` and its values.

Errors are the house's: NotFound (no such order), Conflict (not possible now; its message may be told to the customer),
BadInput, Unavailable/TimedOut (the system is down or slow).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

ReturnKind = Literal["return", "refund", "exchange"]


@dataclass(frozen=True, slots=True)
class Refund:
    """Money on its way back. amount in yuan as a decimal string; expected: ISO date or ""."""

    status: str
    amount: str
    expected: str = ""


@dataclass(frozen=True, slots=True)
class Order:
    """One order. Dates are ISO or "". `phone` is the customer's, for checking who asks; it is never kept."""

    order_id: str
    status: str
    product: str
    amount: str
    created: str = ""
    carrier: str = ""
    tracking: str = ""
    eta: str = ""
    signed: str = ""
    address: str = ""
    phone: str = ""
    refund: Refund | None = None


@dataclass(frozen=True, slots=True)
class Ticket:
    """A request that was accepted. expected: ISO date or ""."""

    number: str
    expected: str = ""


class BusinessApi(Protocol):
    """The order system. `key` makes a request safe to send again: the first answer is repeated."""

    async def order(self, order_id: str) -> Order:
        """NotFound when there is none."""
        ...

    async def orders_of(self, phone: str) -> tuple[Order, ...]:
        """Orders of a phone number, newest first; may be empty."""
        ...

    async def open_return(self, order_id: str, kind: ReturnKind, reason: str, key: str) -> Ticket:
        """NotFound; Conflict when the order's state or age forbids it."""
        ...

    async def change_address(self, order_id: str, address: str) -> None:
        """NotFound; Conflict when the parcel has left."""
        ...

    async def invoice(self, order_id: str, title: str, tax_id: str, email: str, key: str) -> Ticket:
        """NotFound; Conflict when there is nothing to invoice; BadInput for an impossible e-mail address."""
        ...

    async def complain(self, order_id: str, text: str, key: str) -> Ticket:
        """`order_id` may be ""."""
        ...

    async def reset_password(self, phone: str) -> None:
        """Send a reset link by text message. BadInput for an impossible number."""
        ...

    async def aclose(self) -> None:
        """Close connections; may be called twice."""
        ...
