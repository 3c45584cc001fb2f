"""The hotline's telephone edge: admission, answering, outbound calls, trunk registration, shutdown.

Each answered call is given to the handler in a task of its own, which is owned here; when the handler returns or fails,
the call is hung up and released.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping

from aiosipua import SipDigestAuth, SipRequest

from common.aio import TaskSet
from common.errors import BadInput, NotFound, Overloaded
from common.telemetry import get_logger
from dialog.api import HandoffSummary
from telephony import metrics
from telephony.api import CallState, CallStatus
from telephony.call import SipCall
from telephony.settings import TelephonySettings
from telephony.sip.registration import Account, Registration
from telephony.sip.transaction import ServerTransaction
from telephony.station import Station
from voice_gateway.api import Call, TransferOutcome

Handler = Callable[[Call], Awaitable[object]]

log = get_logger(__name__)


class SipTelephony:
    """See telephony.api.Telephony."""

    def __init__(self, settings: TelephonySettings, handler: Handler) -> None:
        self._settings = settings
        self._handler = handler
        self._station = Station(settings, on_invite=self._on_invite)
        self._conversations = TaskSet()
        self._trunk_tasks = TaskSet()
        self._registration: Registration | None = None
        self._draining = False

    # --- life ---

    async def start(self) -> None:
        await self._station.start()
        trunk = self._settings.trunk
        if trunk.uri:
            registrar = trunk.registrar or f"sip:{trunk.uri.split('@')[-1]}"
            account = Account(
                trunk.uri, registrar, self._credentials(), trunk.expires_s, trunk.retry_s, trunk.retry_max_s
            )
            self._registration = Registration(self._station.endpoint, account)
            self._trunk_tasks.spawn(self._registration.run(), name="sip-register")

    def _credentials(self) -> SipDigestAuth | None:
        trunk = self._settings.trunk
        return SipDigestAuth(trunk.username, trunk.password.get_secret_value()) if trunk.username else None

    async def drain(self, timeout_s: float) -> None:
        """Take no more calls (503) and wait for those that run, at most `timeout_s`."""
        await self._stop_accepting()
        try:
            async with asyncio.timeout(timeout_s):
                await self._conversations.join()
        except TimeoutError:
            log.warning("drain_timeout", calls=len(self._station.calls))

    async def _stop_accepting(self) -> None:
        self._draining = True
        await self._trunk_tasks.aclose()
        if self._registration is not None:
            await self._registration.unregister()

    async def aclose(self) -> None:
        await self._stop_accepting()
        await self._station.aclose()
        await self._conversations.aclose()

    @property
    def uri(self) -> str:
        return self._station.uri

    @property
    def registered(self) -> asyncio.Event | None:
        """Set while the trunk holds us; None without a trunk."""
        return self._registration.registered if self._registration is not None else None

    # --- inbound ---

    def _on_invite(self, request: SipRequest, transaction: ServerTransaction) -> None:
        if self._draining or len(self._station.calls) >= self._settings.max_calls:
            status = 503 if self._draining else self._settings.full_status
            metrics.rejected.labels(str(status)).inc()
            transaction.reply(status, headers={"Retry-After": str(self._settings.retry_after_s)})
            return
        call = self._station.inbound(request, transaction, on_established=self._answered)
        self._conversations.spawn(self._station.answer(call, ring_s=self._settings.ring_s), name="answer")

    def _answered(self, call: SipCall) -> None:
        log.info("call_answered", session=call.info.id, direction=call.info.direction.value)
        self._conversations.spawn(self._converse(call), name=call.info.id)

    async def _converse(self, call: SipCall) -> None:
        try:
            await self._handler(call)
        except Exception:
            log.exception("call_handler_failed", session=call.info.id)
        finally:
            await call.hang_up()
            log.info("call_ended", session=call.info.id, reason=call.closed)

    # --- outbound ---

    async def place_call(
        self,
        uri: str,
        purpose: str = "",
        *,
        headers: Mapping[str, str] | None = None,
        ring_timeout_s: float | None = None,
    ) -> SipCall:
        if self._draining or len(self._station.calls) >= self._settings.max_calls:
            raise Overloaded("every line is taken", retry_after_s=float(self._settings.retry_after_s))
        return await self._station.dial(
            self._destination(uri),
            on_established=self._answered,
            sender=self._settings.trunk.uri,
            auth=self._credentials(),
            purpose=purpose,
            headers=headers,
            ring_timeout_s=ring_timeout_s,
        )

    def _destination(self, uri: str) -> str:
        """A SIP URI as it is; a bare number goes through the trunk."""
        if uri.lower().startswith("sip:"):
            return uri
        number = uri.removeprefix("tel:").replace(" ", "").replace("-", "")
        trunk = self._settings.trunk
        if trunk.uri and number.removeprefix("+").isdigit():
            gateway = (trunk.registrar or f"sip:{trunk.uri.split('@')[-1]}").removeprefix("sip:")
            return f"sip:{number}@{gateway.split('@')[-1]}"
        raise BadInput("not a sip: URI, and no trunk is set that could reach a number")

    # --- TelephonyControl ---

    async def order_call(self, uri: str, purpose: str = "", ring_timeout_s: float = 0.0) -> CallStatus:
        return _status(await self.place_call(uri, purpose, ring_timeout_s=ring_timeout_s or None))

    async def list_calls(self) -> tuple[CallStatus, ...]:
        return tuple(_status(call) for call in self._station.calls.values() if not call.closed)

    async def transfer(self, call: str, target: str) -> TransferOutcome:
        return await self.call(call).transfer(target, HandoffSummary(call, "operator", ""))

    async def hang_up(self, call: str) -> None:
        await self.call(call).hang_up()

    def call(self, call: str) -> SipCall:
        """A call that rings or runs. NotFound otherwise."""
        found = self._station.calls.get(call)
        if found is None:
            raise NotFound("there is no such call, or it has ended")
        return found


def _status(call: SipCall) -> CallStatus:
    info = call.info
    return CallStatus(
        info.id, CallState(call.state), info.direction, info.caller, info.called, call.started_at, call.closed
    )
