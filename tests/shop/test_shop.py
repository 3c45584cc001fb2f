"""The sample shop over its real HTTP stack (in process)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import date

import httpx
import pytest

from hotline.shop.app import build_app
from hotline.shop.settings import ShopSettings, resolve_token

TODAY = date(2026, 11, 23)
ON_THE_WAY, REFUNDING, SIGNED, PAID = "202611080417", "202611030926", "202610280153", "202611150688"
SIGNED_LONG_AGO = "202670865591"


@pytest.fixture
async def shop() -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(build_app("secret", lambda: TODAY))
    headers = {"Authorization": "Bearer secret"}
    async with httpx.AsyncClient(transport=transport, base_url="http://shop", headers=headers) as client:
        yield client


async def test_order_has_the_promised_shape(shop: httpx.AsyncClient) -> None:
    order = (await shop.get(f"/orders/{ON_THE_WAY}")).json()
    assert order["status"] == "运输中" and order["eta"] == "2026-11-24" and order["amount"] == "299.00"
    assert set(order) == {
        *("order_id", "status", "product", "quantity", "amount", "created", "carrier", "tracking"),
        *("eta", "signed", "address", "phone", "refund"),
    }
    refund = (await shop.get(f"/orders/{REFUNDING}")).json()["refund"]
    assert refund == {"status": "已收货", "amount": "899.00", "expected": "2026-11-25"}
    assert (await shop.get(f"/orders/{REFUNDING}/refund")).json() == refund
    assert (await shop.get(f"/orders/{ON_THE_WAY}/refund")).status_code == 404


async def test_unknown_order_and_wrong_token(shop: httpx.AsyncClient) -> None:
    missing = await shop.get("/orders/202699999999")
    assert missing.status_code == 404 and "202699999999" in missing.json()["detail"]
    for header in ("Bearer wrong", "secret", "", "Bearer 密"):
        refused = await shop.get(f"/orders/{ON_THE_WAY}", headers={"Authorization": header.encode()})
        assert refused.status_code == 401
    assert (await shop.get("/health", headers={"Authorization": ""})).status_code == 200


async def test_orders_of_a_phone_are_newest_first(shop: httpx.AsyncClient) -> None:
    orders = (await shop.get("/orders", params={"phone": "13900000001"})).json()
    assert {ON_THE_WAY, REFUNDING} <= {order["order_id"] for order in orders}
    days = [order["created"] for order in orders]
    assert days == sorted(days, reverse=True)
    assert (await shop.get("/orders", params={"phone": "13911111111"})).json() == []
    assert (await shop.get("/orders", params={"phone": "12345"})).status_code == 422


async def test_return_opens_one_refund_only(shop: httpx.AsyncClient) -> None:
    body = {"reason": "尺码不合适", "kind": "return"}
    key = {"Idempotency-Key": "turn-7"}
    first = await shop.post(f"/orders/{SIGNED}/return", json=body, headers=key)
    assert first.status_code == 200 and first.json()["expected"] == "2026-11-30"
    assert (await shop.post(f"/orders/{SIGNED}/return", json=body, headers=key)).json() == first.json()
    assert (await shop.post(f"/orders/{SIGNED}/return", json=body)).status_code == 409
    order = (await shop.get(f"/orders/{SIGNED}")).json()
    assert order["status"] == "退款中" and order["refund"]["amount"] == "329.00"


async def test_return_needs_delivered_goods_but_refund_does_not(shop: httpx.AsyncClient) -> None:
    early = await shop.post(f"/orders/{ON_THE_WAY}/return", json={"reason": "不想要了", "kind": "exchange"})
    assert early.status_code == 409 and "签收" in early.json()["detail"]
    refund = await shop.post(f"/orders/{PAID}/return", json={"reason": "不想要了", "kind": "refund"})
    assert refund.json()["expected"] == "2026-11-25"


async def test_late_return_is_refused(shop: httpx.AsyncClient) -> None:
    answer = await shop.post(f"/orders/{SIGNED_LONG_AGO}/return", json={"reason": "坏了", "kind": "exchange"})
    assert answer.status_code == 409 and "15天" in answer.json()["detail"]


async def test_address_changes_until_the_parcel_leaves(shop: httpx.AsyncClient) -> None:
    new = {"address": "上海市浦东新区张杨路500号2幢301室"}
    assert (await shop.put(f"/orders/{PAID}/address", json=new)).json()["address"] == new["address"]
    assert (await shop.put(f"/orders/{ON_THE_WAY}/address", json=new)).status_code == 409
    assert (await shop.put(f"/orders/{PAID}/address", json={"address": "  "})).status_code == 422


async def test_invoice_complaint_and_password(shop: httpx.AsyncClient) -> None:
    invoice = {"title": "杭州青山科技有限公司", "tax_id": "91330100MA2A00000X", "email": "caiwu@example.com"}
    assert (await shop.post(f"/orders/{SIGNED}/invoice", json=invoice)).json()["expected"] == "2026-11-24"
    assert (await shop.post(f"/orders/{SIGNED}/invoice", json={**invoice, "email": "no"})).status_code == 422
    ticket = (await shop.post("/complaints", json={"order_id": "", "text": "客服态度不好"})).json()["ticket"]
    assert ticket.startswith("TS1123")
    assert (await shop.post("/complaints", json={"order_id": "202600000000", "text": "x"})).status_code == 404
    assert (await shop.post("/accounts/13900000001/password-reset")).json() == {"sent": True}
    assert (await shop.post("/accounts/110/password-reset")).status_code == 422


def test_shop_and_bot_agree_on_the_token_of_a_machine(tmp_path) -> None:  # type: ignore[no-untyped-def]
    token = resolve_token(ShopSettings(), tmp_path)
    assert len(token) >= 32 and resolve_token(ShopSettings(), tmp_path) == token
    assert resolve_token(ShopSettings(token="given"), tmp_path) == "given"
