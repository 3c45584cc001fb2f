"""Keeping our address registered with a trunk (RFC 3261 section 10): digest, refresh, back-off, unregistering."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass

from aiosipua import SipDigestAuth, SipRequest, SipResponse
from aiosipua.headers import parse_address
from aiosipua.utils import generate_call_id, generate_tag

from common.errors import HotlineError
from common.telemetry import get_logger
from telephony import metrics
from telephony.sip import syntax
from telephony.sip.endpoint import Endpoint
from telephony.sip.transaction import Flow

REFRESH_AT = 0.8  # of what was granted
MIN_WAIT_S = 1.0

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Account:
    """What to register where. retry_s doubles up to retry_max_s with each failure in a row."""

    aor: str
    registrar: str
    auth: SipDigestAuth | None
    expires_s: int = 300
    retry_s: float = 5.0
    retry_max_s: float = 300.0


class Registration:
    """Runs until cancelled. `registered` says whether the trunk holds us now."""

    def __init__(self, endpoint: Endpoint, account: Account) -> None:
        self.registered = asyncio.Event()
        self._endpoint = endpoint
        self._account = account
        self._call_id = generate_call_id(endpoint.local[0])
        self._tag = generate_tag()
        self._cseq = 0
        self._expires = account.expires_s
        self._failures = 0

    async def run(self) -> None:
        """Register and stay so."""
        wait = 0.0
        while True:
            await asyncio.sleep(wait)
            wait = await self._attempt()

    async def _attempt(self) -> float:
        """One REGISTER; how long to wait until the next."""
        try:
            flow = await self._endpoint.resolve(self._account.registrar)
            response = await self._send(flow, self._expires)
            status = response.status_code
        except HotlineError as error:
            log.warning("register_failed", why=error.message)
            return self._failed("unreachable")
        if 200 <= status < 300:
            self._failures = 0
            self.registered.set()
            metrics.registered.set(1)
            granted = _granted(response, self._expires)
            log.info("registered", seconds=granted)
            return max(MIN_WAIT_S, granted * REFRESH_AT)
        minimum = response.headers.get_first("min-expires") or ""
        if status == 423 and minimum.isdigit() and self._expires < int(minimum) <= 86400:
            self._expires = int(minimum)
            return 0.0
        log.warning("register_failed", status=status)
        return self._failed(str(status))

    def _failed(self, status: str) -> float:
        self.registered.clear()
        metrics.registered.set(0)
        metrics.register_failures.labels(status).inc()
        wait = min(self._account.retry_s * float(2**self._failures), self._account.retry_max_s)
        self._failures = min(self._failures + 1, 16)
        return wait * random.uniform(0.8, 1.2)

    async def _send(self, flow: Flow, expires: int) -> SipResponse:
        def make() -> SipRequest:
            self._cseq += 1
            domain = syntax.host_port(self._account.aor)[0]
            return syntax.request(
                "REGISTER",
                f"sip:{domain}",
                via=self._endpoint.via(flow),
                sender=f"<{self._account.aor}>;tag={self._tag}",
                to=f"<{self._account.aor}>",
                call_id=self._call_id,
                cseq=self._cseq,
                headers={"Contact": self._endpoint.contact(flow), "Expires": str(expires)},
            )

        return await self._endpoint.ask(make, flow, self._account.auth)

    async def unregister(self, timeout_s: float = 2.0) -> None:
        """Tell the trunk that we are gone; bounded, never raises for the trunk."""
        if not self.registered.is_set():
            return
        self.registered.clear()
        metrics.registered.set(0)
        try:
            async with asyncio.timeout(timeout_s):
                await self._send(await self._endpoint.resolve(self._account.registrar), 0)
        except (TimeoutError, HotlineError):
            log.warning("unregister_failed")


def _granted(response: SipResponse, asked: int) -> int:
    values = [parse_address(v).params.get("expires") for v in response.headers.get("contact")]
    values.append(response.headers.get_first("expires"))
    return next((int(v) for v in values if v and v.isdigit() and int(v) > 0), asked)
