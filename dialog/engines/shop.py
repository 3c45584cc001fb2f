"""`BusinessApi` over the company's order API (HTTP, JSON, bearer token). The contract is the sample shop's.

A request is tried twice; what fails again and again opens a circuit breaker, so that callers hear an honest "not now"
at once instead of waiting for a time-out each. Only faults of the system count: 404 and 409 are answers.
"""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Any, cast

import httpx
from prometheus_client import Counter, Histogram
from purgatory import AsyncCircuitBreakerFactory
from purgatory.domain.model import OpenedState
from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_attempt, wait_random

from common.errors import BadInput, Conflict, HotlineError, Misconfigured, NotFound, TimedOut, Unavailable
from common.telemetry import trace_id
from dialog.business import Order, Refund, ReturnKind, Ticket

_requests = Counter("hotline_business_requests_total", "Requests to the order API", ["operation", "outcome"])
_seconds = Histogram("hotline_business_seconds", "Time of a request to the order API, retries included", ["operation"])
_CIRCUIT = "shop"


class ShopApi:
    """The order API at `url`. `timeout_s` bounds each try; `transport` is for tests."""

    def __init__(
        self,
        url: str,
        token: str,
        *,
        timeout_s: float = 1.2,
        tries: int = 2,
        breaker_failures: int = 5,
        breaker_open_s: float = 15.0,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        try:
            self._http = httpx.AsyncClient(
                base_url=url,
                headers={"Authorization": f"Bearer {token}"} if token else {},
                timeout=timeout_s,
                limits=httpx.Limits(max_connections=64, max_keepalive_connections=16),
                transport=transport,
            )
        except httpx.InvalidURL as error:
            raise Misconfigured(f"dialog.shop_url: {error}") from None
        self._tries = tries
        self._breakers = AsyncCircuitBreakerFactory(
            default_threshold=breaker_failures, default_ttl=breaker_open_s, exclude=[BadInput, asyncio.CancelledError]
        )

    async def order(self, order_id: str) -> Order:
        """See `BusinessApi`."""
        return _order(await self._ask("order", "GET", f"/orders/{_safe(order_id)}"))

    async def orders_of(self, phone: str) -> tuple[Order, ...]:
        """See `BusinessApi`."""
        found = await self._ask("orders_of", "GET", "/orders", params={"phone": phone})
        return tuple(_order(item) for item in found)

    async def open_return(self, order_id: str, kind: ReturnKind, reason: str, key: str) -> Ticket:
        """See `BusinessApi`."""
        body = {"kind": kind, "reason": reason}
        return _ticket(await self._ask("return", "POST", f"/orders/{_safe(order_id)}/return", body=body, key=key))

    async def change_address(self, order_id: str, address: str) -> None:
        """See `BusinessApi`."""
        await self._ask("address", "PUT", f"/orders/{_safe(order_id)}/address", body={"address": address})

    async def invoice(self, order_id: str, title: str, tax_id: str, email: str, key: str) -> Ticket:
        """See `BusinessApi`."""
        body = {"title": title, "tax_id": tax_id, "email": email}
        return _ticket(await self._ask("invoice", "POST", f"/orders/{_safe(order_id)}/invoice", body=body, key=key))

    async def complain(self, order_id: str, text: str, key: str) -> Ticket:
        """See `BusinessApi`."""
        return _ticket(
            await self._ask("complaint", "POST", "/complaints", body={"order_id": order_id, "text": text}, key=key)
        )

    async def reset_password(self, phone: str) -> None:
        """See `BusinessApi`."""
        await self._ask("password_reset", "POST", f"/accounts/{_safe(phone)}/password-reset")

    async def _ask(
        self,
        operation: str,
        method: str,
        path: str,
        *,
        params: dict[str, str] | None = None,
        body: dict[str, str] | None = None,
        key: str = "",
    ) -> Any:
        headers = {"X-Trace-Id": trace_id.get()} | ({"Idempotency-Key": key} if key else {})
        outcome = "ok"
        with _seconds.labels(operation).time():
            try:
                breaker = await self._breakers.get_breaker(_CIRCUIT)
                async with breaker:
                    return await self._tried(method, path, params=params, json=body, headers=headers)
            except OpenedState:
                outcome = "open"
                raise Unavailable("the order system has failed too often; not asked again for a moment") from None
            except HotlineError as error:
                outcome = error.code
                raise
            finally:
                _requests.labels(operation, outcome).inc()

    async def _tried(self, method: str, path: str, **request: Any) -> Any:
        async for attempt in AsyncRetrying(
            stop=stop_after_attempt(self._tries),
            wait=wait_random(0.05, 0.2),
            retry=retry_if_exception_type(Unavailable),
            reraise=True,
        ):
            with attempt:
                return await self._once(method, path, **request)
        raise AssertionError("tenacity gives at least one attempt")

    async def _once(self, method: str, path: str, **request: Any) -> Any:
        try:
            response = await self._http.request(method, path, **request)
        except httpx.TimeoutException:
            raise TimedOut("the order system did not answer in time") from None
        except httpx.TransportError as error:
            raise Unavailable(f"the order system cannot be reached: {type(error).__name__}") from None
        if response.status_code >= 500 or response.status_code == 429:
            raise Unavailable(f"the order system answered {response.status_code}")
        if response.status_code == 404:
            raise NotFound(_detail(response))
        if response.status_code == 409:
            raise Conflict(_detail(response))
        if response.status_code in (401, 403):
            raise Misconfigured("the order system refuses our token; set dialog.shop_token")
        if response.is_error:
            raise BadInput(f"the order system refused the request: {response.status_code}")
        try:
            return response.json()
        except ValueError:
            raise Unavailable("the order system did not answer with JSON") from None

    async def aclose(self) -> None:
        """Close connections; may be called twice."""
        await self._http.aclose()

    async def __aenter__(self) -> ShopApi:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()


def _safe(part: str) -> str:
    """A path segment that came from a person: letters and digits only."""
    if not part.isascii() or not part.isalnum():
        raise BadInput("an order or phone number has letters and digits only")
    return part


def _detail(response: httpx.Response) -> str:
    try:
        detail = response.json().get("detail", "")
    except (ValueError, AttributeError):
        detail = ""
    return detail if isinstance(detail, str) and detail else "系统没有接受这个请求"


def _order(raw: Any) -> Order:
    try:
        refund = raw.get("refund")
        return Order(
            order_id=str(raw["order_id"]),
            status=str(raw["status"]),
            product=str(raw["product"]),
            amount=str(raw["amount"]),
            **{
                name: str(raw.get(name) or "")
                for name in ("created", "carrier", "tracking", "eta", "signed", "address", "phone")
            },
            refund=Refund(str(refund["status"]), str(refund["amount"]), str(refund.get("expected") or ""))
            if refund
            else None,
        )
    except (KeyError, TypeError, AttributeError):
        raise Unavailable("the order system answered in a form that is not understood") from None


def _ticket(raw: Any) -> Ticket:
    try:
        return Ticket(str(cast(dict[str, Any], raw)["ticket"]), str(raw.get("expected") or ""))
    except (KeyError, TypeError, AttributeError):
        raise Unavailable("the order system answered in a form that is not understood") from None
