"""What flows can have done: each action of the flow language, over `BusinessApi`.

An outcome's facts are kept in the history, so nothing personal is among them: no address, no phone number.
Outcomes: ok and what the table says; `failed` (nothing was done) and `unsure` (it may have been done) from any.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from common.errors import BadInput, Conflict, HotlineError, NotFound
from common.privacy import mask
from common.telemetry import get_logger
from dialog import digits
from dialog.business import BusinessApi, Order, ReturnKind, Ticket
from dialog.talk import Outcome

log = get_logger(__name__)
_KIND: dict[str, ReturnKind] = {"退款": "refund", "退货退款": "return", "换货": "exchange"}
_MOBILE = re.compile(r"(?:^|[^0-9])(?:\+?86|0086|0)?(1[3-9]\d{9})(?!\d)")
_NEAR = 2
_OFFERED = 3


@dataclass(frozen=True, slots=True)
class Request:
    """One call of an action. caller: the number the person calls from, "" when there is none."""

    parameters: Mapping[str, str]
    facts: Mapping[str, str]
    caller: str
    phone: str
    summary: str
    key: str

    def __getitem__(self, name: str) -> str:
        return self.parameters.get(name, "")


Action = Callable[[BusinessApi, Request], Awaitable[Outcome]]


def is_phone(number: str) -> bool:
    """Whether it is a mobile number of mainland China."""
    return len(number) == 11 and number.isdigit() and number[0] == "1" and number[1] in "3456789"


def plain_phone(caller: str) -> str:
    """A mobile number without country code, separators or what SIP puts around it; other callers as they are."""
    found = _MOBILE.search(re.sub(r"[\s\-()]", "", caller))
    return found[1] if found else caller


def order_facts(order: Order) -> dict[str, str]:
    """What may be told and kept of an order; "" removes what an earlier look-up left."""
    refund = order.refund
    return {
        "order.id": order.order_id,
        "order.status": order.status,
        "order.product": order.product,
        "order.amount": order.amount,
        "order.carrier": order.carrier,
        "order.eta": order.eta,
        "order.signed": order.signed,
        "order.refund.status": refund.status if refund else "",
        "order.refund.amount": refund.amount if refund else "",
        "order.refund.expected": refund.expected if refund else "",
    }


def _ticket(ticket: Ticket) -> Outcome:
    return Outcome("ok", {"ticket.number": ticket.number, "ticket.expected": ticket.expected})


async def _order(api: BusinessApi, request: Request) -> Outcome:
    try:
        return Outcome("ok", order_facts(await api.order(request["order_id"])))
    except NotFound:
        return Outcome("not_found")


async def _similar_order(api: BusinessApi, request: Request) -> Outcome:
    """An order of the caller whose number differs in a digit or two from what was heard."""
    if not is_phone(request.phone):
        return Outcome("none")
    orders = await api.orders_of(request.phone)
    near = [o for o in orders if digits.distance(o.order_id, request["order_id"]) <= _NEAR]
    return Outcome("ok", _candidate([near[0]])) if len(near) == 1 else Outcome("none")


async def _orders_of(api: BusinessApi, request: Request) -> Outcome:
    orders = await api.orders_of(request["phone"])
    return Outcome("ok", _candidate(list(orders[:_OFFERED]))) if orders else Outcome("none")


def _candidate(orders: list[Order]) -> dict[str, str]:
    first = orders[0]
    later = ";".join(f"{o.order_id},{o.status},{o.product}" for o in orders[1:])
    return {
        "candidate.id": first.order_id,
        "candidate.product": first.product,
        "candidate.status": first.status,
        "candidate.later": later,
    }


async def _next_order(api: BusinessApi, request: Request) -> Outcome:
    first, _, later = request.facts.get("candidate.later", "").partition(";")
    if not first:
        return Outcome("none")
    number, status, product = first.split(",", 2)
    facts = {"candidate.id": number, "candidate.product": product, "candidate.status": status}
    return Outcome("ok", {**facts, "candidate.later": later})


async def _take_order(api: BusinessApi, request: Request) -> Outcome:
    number = request.facts.get("candidate.id", "")
    try:
        order = await api.order(number)
    except NotFound:
        return Outcome("not_found")
    return Outcome("ok", order_facts(order), {"order_number": number})


async def _caller_phone(api: BusinessApi, request: Request) -> Outcome:
    return Outcome("ok" if is_phone(request.caller) else "none")


async def _use_caller_phone(api: BusinessApi, request: Request) -> Outcome:
    return Outcome("ok", slots={"phone": request.caller})


async def _verify_caller(api: BusinessApi, request: Request) -> Outcome:
    try:
        order = await api.order(request["order_id"])
    except NotFound:
        return Outcome("not_found")
    known = order.phone and order.phone == request.caller
    return Outcome("ok", {"owner.ok": order.order_id}) if known else Outcome("unknown")


async def _verify_tail(api: BusinessApi, request: Request) -> Outcome:
    try:
        order = await api.order(request["order_id"])
    except NotFound:
        return Outcome("not_found")
    right = len(request["tail"]) == 4 and order.phone.endswith(request["tail"])
    return Outcome("ok", {"owner.ok": order.order_id}) if right else Outcome("mismatch")


async def _open_return(api: BusinessApi, request: Request) -> Outcome:
    kind = _KIND.get(request["kind"], "return")
    return _ticket(await api.open_return(request["order_id"], kind, request["reason"], request.key))


async def _change_address(api: BusinessApi, request: Request) -> Outcome:
    await api.change_address(request["order_id"], request["address"])
    return Outcome("ok")


async def _invoice(api: BusinessApi, request: Request) -> Outcome:
    return _ticket(
        await api.invoice(request["order_id"], request["title"], request["tax_id"], request["email"], request.key)
    )


async def _complain(api: BusinessApi, request: Request) -> Outcome:
    return _ticket(await api.complain(request["order_id"], request["text"], request.key))


async def _ask_call_back(api: BusinessApi, request: Request) -> Outcome:
    text = f"客户要求回电，号码{request['phone']}。{request.summary}"
    return _ticket(await api.complain(request["order_id"], text[:500], request.key))


async def _reset_password(api: BusinessApi, request: Request) -> Outcome:
    await api.reset_password(request["phone"])
    return Outcome("ok")


_TABLE: dict[str, tuple[Action, tuple[str, ...]]] = {
    "order": (_order, ("ok", "not_found")),
    "similar_order": (_similar_order, ("ok", "none")),
    "orders_of": (_orders_of, ("ok", "none")),
    "next_order": (_next_order, ("ok", "none")),
    "take_order": (_take_order, ("ok", "not_found")),
    "caller_phone": (_caller_phone, ("ok", "none")),
    "use_caller_phone": (_use_caller_phone, ("ok",)),
    "verify_caller": (_verify_caller, ("ok", "unknown", "not_found")),
    "verify_tail": (_verify_tail, ("ok", "mismatch", "not_found")),
    "open_return": (_open_return, ("ok", "refused")),
    "change_address": (_change_address, ("ok", "refused")),
    "invoice": (_invoice, ("ok", "refused")),
    "complain": (_complain, ("ok", "refused")),
    "ask_call_back": (_ask_call_back, ("ok", "refused")),
    "reset_password": (_reset_password, ("ok", "refused")),
}
OUTCOMES: dict[str, tuple[str, ...]] = {name: (*outcomes, "failed", "unsure") for name, (_, outcomes) in _TABLE.items()}
CHANGES = frozenset(name for name, (_, outcomes) in _TABLE.items() if "refused" in outcomes)


async def perform(api: BusinessApi, name: str, request: Request) -> Outcome:
    """Do one action. Never raises for what the order system does."""
    action, outcomes = _TABLE[name]
    try:
        return await action(api, request)
    except (Conflict, NotFound, BadInput) as error:
        log.info("action_refused", action=name, code=error.code)
        if "refused" not in outcomes:
            return Outcome("failed")
        told = mask(error.message).rstrip("。.") if isinstance(error, Conflict | NotFound) else "这个信息系统没有接受"
        return Outcome("refused", {"refusal": told})
    except HotlineError as error:
        log.warning("action_failed", action=name, code=error.code, reason=mask(error.message))
        return Outcome("unsure" if name in CHANGES and error.code == "timed_out" else "failed")
