"""HTTP face of the sample shop (FastAPI). State lives in memory and begins anew with each start.

Every request needs `Authorization: Bearer TOKEN`. Errors are `{"detail": "text to tell the customer"}` with 401, 404
(no such order), 409 (not possible in this state), or 422 (malformed; detail is a list). Amounts are yuan as decimal
strings ("299.00"), days are ISO dates. A POST with an `Idempotency-Key` header may be sent again: the first answer is
repeated.

    GET  /health                                                  -> {"status": "ok"}   (no token)
    GET  /orders/{order_id}                                       -> Order
    GET  /orders?phone=13900000001                                -> [Order, ...]       newest first, may be empty
    GET  /orders/{order_id}/refund                                -> Refund             404 when there is none
    POST /orders/{order_id}/return  {"reason", "kind"}            -> {"ticket", "expected"} kind: return|refund|exchange
    PUT  /orders/{order_id}/address {"address"}                   -> Order              409 once the parcel has left
    POST /orders/{order_id}/invoice {"title", "tax_id", "email"}  -> {"ticket", "expected"} tax_id may be ""
    POST /complaints                {"order_id", "text"}          -> {"ticket"}         order_id may be ""
    POST /accounts/{phone}/password-reset                         -> {"sent": true}     422 for an impossible number

    Order:  {"order_id", "status", "product", "quantity", "amount", "created", "carrier", "tracking", "eta", "signed",
             "address", "phone", "refund": Refund | null}
            status: 待付款 已付款 已发货 运输中 派送中 已签收 退款中 已退款 已取消; carrier and tracking "" and
            eta, signed null while unknown
    Refund: {"status", "amount", "expected"}    status: 审核中 待寄回 已收货 打款中 已到账
"""

from __future__ import annotations

import secrets
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any

from fastapi import APIRouter, Depends, FastAPI, Header, HTTPException, Path, Query, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, StringConstraints

from common.auth import bearer
from common.errors import Conflict, HotlineError, NotFound
from hotline.shop.orders import ReturnKind, Shop, as_json

_KEPT_ANSWERS = 10_000

Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=500)]
Phone = Annotated[str, StringConstraints(pattern=r"^1[3-9]\d{9}$")]
Email = Annotated[str, StringConstraints(pattern=r"^[^@\s]+@[^@\s]+\.[^@\s]+$", max_length=200)]
Answer = dict[str, Any]


class ReturnRequest(BaseModel):
    """Body of POST /orders/{id}/return."""

    reason: Text
    kind: ReturnKind


class AddressRequest(BaseModel):
    """Body of PUT /orders/{id}/address."""

    address: Text


class InvoiceRequest(BaseModel):
    """Body of POST /orders/{id}/invoice."""

    title: Text
    tax_id: Annotated[str, StringConstraints(pattern=r"^[0-9A-Za-z]{0,20}$")] = ""
    email: Email


class ComplaintRequest(BaseModel):
    """Body of POST /complaints."""

    order_id: str = ""
    text: Text


@dataclass(slots=True)
class _State:
    shop: Shop
    answers: OrderedDict[tuple[str, str, str], Answer]


def _state(request: Request) -> _State:
    state = request.app.state.shop
    assert isinstance(state, _State)
    return state


State = Annotated[_State, Depends(_state)]
Key = Annotated[str, Header(alias="Idempotency-Key", max_length=200)]
router = APIRouter()


@router.get("/orders")
async def orders_of(state: State, phone: Annotated[Phone, Query()]) -> list[Answer]:
    return [as_json(order) for order in state.shop.by_phone(phone)]


@router.get("/orders/{order_id}")
async def order(state: State, order_id: str) -> Answer:
    return as_json(state.shop.order(order_id))


@router.get("/orders/{order_id}/refund")
async def refund(state: State, order_id: str) -> Answer:
    found: Answer | None = as_json(state.shop.order(order_id))["refund"]
    if found is None:
        raise NotFound("这笔订单没有退款记录")
    return found


@router.post("/orders/{order_id}/return")
async def give_back(state: State, order_id: str, body: ReturnRequest, key: Key = "") -> Answer:
    return _once(state, ("return", order_id, key), lambda: _dated(state.shop.give_back(order_id, body.kind)))


@router.put("/orders/{order_id}/address")
async def move(state: State, order_id: str, body: AddressRequest) -> Answer:
    return as_json(state.shop.move(order_id, body.address))


@router.post("/orders/{order_id}/invoice")
async def invoice(state: State, order_id: str, body: InvoiceRequest, key: Key = "") -> Answer:
    return _once(state, ("invoice", order_id, key), lambda: _dated(state.shop.invoice(order_id)))


@router.post("/complaints")
async def complaint(state: State, body: ComplaintRequest, key: Key = "") -> Answer:
    return _once(state, ("complaint", body.order_id, key), lambda: {"ticket": state.shop.complaint(body.order_id)})


@router.post("/accounts/{phone}/password-reset")
async def reset_password(phone: Annotated[Phone, Path()]) -> Answer:
    """Says "sent" for unknown numbers too, so that nobody can find out who has an account."""
    return {"sent": True}


def _dated(result: tuple[str, date]) -> Answer:
    ticket, expected = result
    return {"ticket": ticket, "expected": expected.isoformat()}


def _once(state: _State, request: tuple[str, str, str], work: Callable[[], Answer]) -> Answer:
    """`work()`, or what it gave the first time: `request` is (action, order, idempotency key or "")."""
    if not request[2]:
        return work()
    if request not in state.answers:
        state.answers[request] = work()
        if len(state.answers) > _KEPT_ANSWERS:
            state.answers.popitem(last=False)
    return state.answers[request]


def build_app(token: str, today: Callable[[], date] = date.today) -> FastAPI:
    """The application. `token` is what clients must send; `today` dates the sample orders."""
    if not token:
        raise ValueError("the shop needs a token")

    def check(authorization: Annotated[str, Header()] = "") -> None:
        if not secrets.compare_digest(bearer(authorization).encode(), token.encode()):
            raise HTTPException(401, "wrong or missing token", {"WWW-Authenticate": "Bearer"})

    async def refused(_: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, HotlineError)
        return JSONResponse({"detail": error.message}, 404 if isinstance(error, NotFound) else 409)

    app = FastAPI(title="云杉商城 orders (sample)", docs_url=None, redoc_url=None)
    app.state.shop = _State(Shop(today), OrderedDict())
    app.include_router(router, dependencies=[Depends(check)])
    app.add_exception_handler(NotFound, refused)
    app.add_exception_handler(Conflict, refused)

    @app.get("/health")
    async def health() -> Answer:
        return {"status": "ok"}

    return app
