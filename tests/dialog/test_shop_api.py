"""The order system over HTTP: the sample shop in process, and a scripted server that fails."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from datetime import date

import httpx
import pytest

from common.errors import BadInput, Conflict, HotlineError, Misconfigured, NotFound, TimedOut, Unavailable
from dialog.engines.shop import ShopApi
from hotline.shop.app import build_app
from tests.dialog.conftest import World
from tests.fakes.dialog_script import Caller

TODAY = date(2026, 11, 23)
ON_THE_WAY, REFUNDING, SIGNED, PAID = "202611080417", "202611030926", "202610280153", "202611150688"


@pytest.fixture
async def shop() -> AsyncIterator[ShopApi]:
    app = build_app("secret", lambda: TODAY)
    async with ShopApi("http://shop", "secret", transport=httpx.ASGITransport(app)) as api:
        yield api


async def test_orders(shop: ShopApi) -> None:
    order = await shop.order(ON_THE_WAY)
    assert (order.status, order.eta, order.amount) == ("运输中", "2026-11-24", "299.00") and order.refund is None
    refund = (await shop.order(REFUNDING)).refund
    assert refund is not None and (refund.status, refund.amount, refund.expected) == ("已收货", "899.00", "2026-11-25")
    assert ON_THE_WAY in {o.order_id for o in await shop.orders_of("13900000001")}
    assert await shop.orders_of("13911111111") == ()
    with pytest.raises(NotFound):
        await shop.order("202699999999")
    with pytest.raises(BadInput):
        await shop.order("../accounts")


async def test_requests(shop: ShopApi) -> None:
    ticket = await shop.open_return(SIGNED, "return", "不想要了", "k1")
    assert ticket.expected == "2026-11-30"
    assert await shop.open_return(SIGNED, "return", "不想要了", "k1") == ticket  # sent again, done once
    with pytest.raises(Conflict, match="不能重复"):
        await shop.open_return(SIGNED, "return", "不想要了", "k2")
    await shop.change_address(PAID, "上海市浦东新区张杨路500号")
    assert (await shop.order(PAID)).address == "上海市浦东新区张杨路500号"
    with pytest.raises(Conflict):
        await shop.change_address(ON_THE_WAY, "上海市")
    assert (await shop.invoice(PAID, "个人", "", "a@example.com", "k3")).number
    assert (await shop.complain("", "服务不好", "k4")).number
    await shop.reset_password("13900000001")
    with pytest.raises(BadInput):
        await shop.reset_password("110")


async def test_a_wrong_token_is_the_operators_fault() -> None:
    app = build_app("secret", lambda: TODAY)
    async with ShopApi("http://shop", "wrong", transport=httpx.ASGITransport(app)) as api:
        with pytest.raises(Misconfigured, match="shop_token"):
            await api.order(ON_THE_WAY)


class Server:
    """Answers by a script; the last entry stays."""

    def __init__(self, *script: Callable[[], httpx.Response] | Exception) -> None:
        self.script = list(script)
        self.seen: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.seen.append(request)
        step = self.script.pop(0) if len(self.script) > 1 else self.script[0]
        if isinstance(step, Exception):
            raise step
        return step()


def answer(status: int, body: object = None) -> Callable[[], httpx.Response]:
    return lambda: httpx.Response(status, json=body if body is not None else {"ticket": "T1"})


def api(server: Server, **options: float) -> ShopApi:
    return ShopApi("http://shop", "t", transport=httpx.MockTransport(server), **options)  # type: ignore[arg-type]


async def test_a_passing_fault_is_tried_again_with_the_same_key() -> None:
    server = Server(answer(503), answer(200))
    async with api(server) as shop:
        assert (await shop.complain("", "x", "key-1")).number == "T1"
    assert [r.headers["Idempotency-Key"] for r in server.seen] == ["key-1", "key-1"]


@pytest.mark.parametrize(
    ("step", "kind", "tries"),
    [
        (answer(500), Unavailable, 2),
        (answer(429), Unavailable, 2),
        (httpx.ReadTimeout("slow"), TimedOut, 2),
        (httpx.ConnectError("down"), Unavailable, 2),
        (answer(200, []), Unavailable, 1),
        (lambda: httpx.Response(200, text="<html>"), Unavailable, 2),
        (answer(404, {"detail": "没有"}), NotFound, 1),
        (answer(409, {"detail": "不行"}), Conflict, 1),
        (answer(422, {"detail": [{"loc": "x"}]}), BadInput, 1),
    ],
)
async def test_faults_and_answers_are_told_apart(
    step: Callable[[], httpx.Response] | Exception, kind: type[HotlineError], tries: int
) -> None:
    server = Server(step)
    async with api(server) as shop:
        with pytest.raises(kind):
            await shop.order("2026")
    assert len(server.seen) == tries


async def test_the_circuit_opens_and_closes() -> None:
    server = Server(answer(500))
    async with api(server, tries=1, breaker_failures=2, breaker_open_s=60.0) as shop:
        server.seen.clear()
        for _ in range(2):
            with pytest.raises(Unavailable):
                await shop.order("2026")
        with pytest.raises(Unavailable, match="too often"):
            await shop.order("2026")
        assert len(server.seen) == 2
    server = Server(answer(404, {"detail": "没有"}))
    async with api(server, breaker_failures=2) as shop:
        for _ in range(5):
            with pytest.raises(NotFound):
                await shop.order("2026")
    assert len(server.seen) == 5  # answers are no faults


async def test_an_open_circuit_recovers(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr("purgatory.domain.model.time.time", lambda: now)
    server = Server(answer(500), answer(200))
    async with api(server, tries=1, breaker_failures=1, breaker_open_s=30.0) as shop:
        with pytest.raises(Unavailable):
            await shop.complain("", "x", "k")
        with pytest.raises(Unavailable, match="too often"):
            await shop.complain("", "x", "k")
        now += 31
        assert (await shop.complain("", "x", "k")).number == "T1"


async def test_flows_over_the_sample_shop(world: World, shop: ShopApi) -> None:
    await Caller(world.build(shop)).play(
        f"""
        > 订单{REFUNDING}到哪了
        > 对
        < 退款899元 … 后天
        > 我要退货，换一个订单{SIGNED}
        > 对
        < 后四位
        """
    )
