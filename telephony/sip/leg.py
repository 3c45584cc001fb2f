"""One call leg: an INVITE dialog (RFC 3261 sections 12-15) with offers, session timer, DTMF by INFO and REFER.

The leg speaks SIP for a `LegUser` that owns the media. It ends exactly once, by `LegUser.ended(reason)`.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Protocol

from aiosipua import SdpMessage, SipDigestAuth, SipRequest, SipResponse
from aiosipua.sdp import serialize_sdp

from common.telemetry import get_logger
from telephony.sip import session_timer, syntax
from telephony.sip.dialog import SipDialog
from telephony.sip.dtmf_info import digit_of
from telephony.sip.endpoint import Endpoint
from telephony.sip.inviting import Inviting, Refused
from telephony.sip.offer import NotAcceptable, read_sdp
from telephony.sip.refer import Progress
from telephony.sip.session_clock import SessionClock
from telephony.sip.session_timer import IntervalTooSmall, SessionTiming
from telephony.sip.transaction import Flow, ServerTransaction
from telephony.sip.transferring import Transferring

log = get_logger(__name__)


class LegState(StrEnum):
    """RFC 3261 12; ANSWERED is a 2xx of ours without its ACK."""

    EARLY = "early"
    ANSWERED = "answered"
    CONFIRMED = "confirmed"
    ENDED = "ended"


class LegUser(Protocol):
    """What a leg needs of its owner. SDP in, SDP out; NotAcceptable refuses."""

    def offered(self, offer: SdpMessage) -> SdpMessage:
        """The far end offers; the answer."""
        ...

    def offer(self) -> SdpMessage:
        """The far end asks us to offer (an INVITE without SDP)."""
        ...

    def accepted(self, answer: SdpMessage) -> None:
        """The far end answered our offer."""
        ...

    def established(self) -> None:
        """The call is up on both sides."""
        ...

    def digit(self, digit: str) -> None:
        """A key by INFO."""
        ...

    def referred(self, target: str) -> bool:
        """The far end asks us to call `target` (a URI, perhaps with headers). False = declined."""
        ...

    def ended(self, reason: str) -> None:
        """The leg is over: bye, cancel, timeout, error, local, refused."""
        ...


class Leg:
    """See the module. Build with `inbound` or `outbound`."""

    def __init__(self, dialog: SipDialog, user: LegUser, timing: SessionTiming) -> None:
        self.state = LegState.EARLY
        self._dialog = dialog
        self._user = user
        self._timing = timing
        self._inviting = Inviting(dialog, self._accepted_by_peer)
        self._answering: ServerTransaction | None = None  # an INVITE of theirs without final answer or ACK
        self._offer_pending = False  # our offer went out in a 2xx; the ACK brings the answer
        self._clock = SessionClock(
            lambda: dialog.endpoint.tasks.spawn(self._refresh(), name="sip-session-refresh"), self._expired
        )
        self._transferring = Transferring(dialog)
        self._bye_on_ack = False
        dialog.join(self)

    @property
    def over(self) -> bool:
        """Nothing can be said on it any more."""
        return self.state is LegState.ENDED

    @property
    def peer_host(self) -> str:
        """Where the far end signals from."""
        return self._dialog.flow.addr[0]

    @property
    def call_id(self) -> str:
        """SIP's name of the call."""
        return self._dialog.call_id

    # --- inbound ---

    @classmethod
    def inbound(
        cls,
        endpoint: Endpoint,
        request: SipRequest,
        transaction: ServerTransaction,
        user: LegUser,
        timing: SessionTiming,
    ) -> Leg:
        """A leg for an INVITE that came; answer it with `ring`, `accept` or `reject`."""
        leg = cls(SipDialog.from_invite(endpoint, request, transaction), user, timing)
        leg._answering = transaction
        endpoint.expect_cancel(transaction, leg)
        return leg

    def ring(self) -> None:
        """180."""
        if self._answering is not None:
            self._answering.reply(180, headers={"Contact": self._dialog.capabilities()["Contact"]})

    def accept(self) -> None:
        """200 with our SDP, or 422. Raises NotAcceptable (nothing was sent then)."""
        assert self._answering is not None
        request = self._answering.request
        try:
            timer, headers = session_timer.grant(request, self._timing)
        except IntervalTooSmall:
            self.reject(422, {"Min-SE": str(self._timing.minimum_s)})
            return
        body = self._respond_sdp(request)
        self.state = LegState.ANSWERED
        self._answering.on_no_ack = self._never_acknowledged
        self._answering.reply(200, headers={**self._dialog.capabilities(), **headers}, body=body)
        self._clock.arm(timer)

    def reject(self, status: int, headers: dict[str, str] | None = None) -> None:
        """A failure; the leg ends as refused."""
        if self.state is LegState.EARLY and self._answering is not None:
            self._answering.reply(status, headers=headers)
            self._end("refused")

    def _respond_sdp(self, request: SipRequest) -> str:
        kind = (request.content_type or "").split(";")[0].strip().lower()
        if not request.body:
            self._offer_pending = True
            return serialize_sdp(self._user.offer())
        if kind != "application/sdp":
            raise NotAcceptable("not SDP", 415)
        return serialize_sdp(self._user.offered(read_sdp(request.text)))

    def _never_acknowledged(self) -> None:
        self._answering = None
        if not self.over:
            self._dialog.bye()
            self._end("error")

    # --- outbound ---

    @classmethod
    def outbound(
        cls,
        endpoint: Endpoint,
        flow: Flow,
        user: LegUser,
        timing: SessionTiming,
        *,
        target: str,
        sender: str,
        auth: SipDigestAuth | None = None,
    ) -> Leg:
        """A leg that is still to be dialled."""
        return cls(SipDialog.to(endpoint, flow, target, sender, auth), user, timing)

    async def dial(
        self, headers: Mapping[str, str], timeout_s: float, on_ringing: Callable[[], None] | None = None
    ) -> None:
        """INVITE until it is answered and acknowledged. Raises Refused, TimeoutError (cancelled), NotAcceptable."""
        body = serialize_sdp(self._user.offer())
        try:
            async with asyncio.timeout(timeout_s):
                response = await self._inviting.first(body, self._timing, headers, on_ringing)
        except BaseException as error:
            self._inviting.give_up()
            self._end("timeout" if isinstance(error, TimeoutError) else "local")
            raise
        if response.status_code >= 300:
            self._end("refused")
            raise Refused(response)
        try:
            self._user.accepted(read_sdp(response.text))
        except NotAcceptable:
            self._dialog.bye()
            self._end("error")
            raise
        self._user.established()

    def _accepted_by_peer(self, response: SipResponse) -> None:
        """A new 2xx to an INVITE of ours, about to be acknowledged."""
        if self.state is LegState.EARLY:
            self.state = LegState.CONFIRMED
            self._dialog.settle(response)
            self._dialog.refresh_target(response)
            self._dialog.follow_route()
        elif self.over:
            self._dialog.settle(response)
        self._dialog.refresh_target(response)
        self._clock.arm(session_timer.granted(response))

    async def reinvite(self) -> bool:
        """Offer anew (hold, resume, refresh); whether the far end agreed. 491 is retried (RFC 3261 14.1)."""
        for _ in range(3):
            if self.state is not LegState.CONFIRMED:
                return False
            if not self._inviting.pending and self._answering is None:
                response = await self._inviting.again(serialize_sdp(self._user.offer()), self._refresh_headers())
                if response.status_code < 300:
                    self._user.accepted(read_sdp(response.text))
                    return True
                if response.status_code in (408, 481):
                    self._end("timeout")
                if response.status_code != 491:
                    return False
            await asyncio.sleep(random.uniform(0.1, 1.0))
        return False

    # --- other requests of ours ---

    async def send_info(self, digit: str) -> bool:
        """A key by INFO; whether the far end took it."""
        return (await self._dialog.info(digit)).status_code < 300

    async def notify(self, status: int, reason: str) -> None:
        """Report progress of a transfer that the far end asked for."""
        if not self.over:
            await self._dialog.notify(status, reason)

    async def refer(self, target: str, headers: Mapping[str, str], timeout_s: float) -> Progress:
        """Blind transfer; see Transferring.refer. The leg stays up, unless the far end leaves."""
        return await self._transferring.refer(target, headers, timeout_s)

    # --- ending ---

    def hang_up(self, reason: str = "local") -> None:
        """End the leg whatever its state: 480, CANCEL or BYE. Idempotent."""
        if self.state is LegState.EARLY and self._answering is not None:
            self._answering.reply(480)
        elif self.state is LegState.EARLY:
            self._inviting.give_up()
        elif self.state is LegState.ANSWERED:
            self._bye_on_ack = True  # RFC 3261 15: not before the ACK
        elif self.state is LegState.CONFIRMED:
            self._dialog.bye()
        self._end(reason)

    def _end(self, reason: str) -> None:
        if self.over:
            return
        self.state = LegState.ENDED
        self._clock.stop()
        if not self._bye_on_ack:
            self._dialog.leave()
        self._transferring.end()
        self._user.ended(reason)

    # --- session timer ---

    def _expired(self) -> None:
        log.info("session_expired")
        self._dialog.bye()
        self._end("timeout")

    def _refresh_headers(self) -> dict[str, str]:
        return self._clock.timer.headers(self._timing.minimum_s)

    async def _refresh(self) -> None:
        if "update" not in self._dialog.peer_allows:
            if not await self.reinvite() and not self.over:
                self._clock.arm(self._clock.timer)
            return
        response = await self._dialog.ask("UPDATE", {**self._dialog.capabilities(), **self._refresh_headers()})
        if self.over:
            return
        if response.status_code in (408, 481):
            self._end("timeout")
        else:
            self._clock.arm(session_timer.granted(response) if response.status_code < 300 else self._clock.timer)

    # --- requests of theirs inside the dialog (DialogUser) ---

    def request(self, request: SipRequest, transaction: ServerTransaction) -> None:
        if self.over or not self._dialog.is_of_peer(request):
            transaction.reply(481)
            return
        if not self._dialog.in_order(request):
            transaction.reply(500)
            return
        {
            "BYE": self._on_bye,
            "INVITE": self._on_reinvite,
            "UPDATE": self._on_update,
            "INFO": self._on_info,
            "REFER": self._on_refer,
            "NOTIFY": self._on_notify,
            "OPTIONS": self._on_options,
        }.get(request.method, self._on_other)(request, transaction)

    def acknowledged(self, request: SipRequest) -> None:
        transaction, self._answering = self._answering, None
        if transaction is None:
            return
        transaction.acknowledged()
        if self._bye_on_ack:
            self._bye_on_ack = False
            self._dialog.leave()
            self._dialog.bye()
            return
        first = self.state is LegState.ANSWERED
        if first:
            self.state = LegState.CONFIRMED
            self._dialog.follow_route()
        try:
            if self._offer_pending:
                self._offer_pending = False
                self._user.accepted(read_sdp(request.text))
        except NotAcceptable:
            self.hang_up("error")
            return
        if first:
            self._user.established()

    def cancelled(self, transaction: ServerTransaction) -> None:
        transaction.reply(487)
        if self.state is LegState.EARLY:
            self._end("cancel")

    def _on_bye(self, request: SipRequest, transaction: ServerTransaction) -> None:
        transaction.reply(200)
        if self._answering is not None:
            self._answering.reply(487)
        self._transferring.peer_left()
        self._end("bye")

    def _on_reinvite(self, request: SipRequest, transaction: ServerTransaction) -> None:
        transaction.reply(100)
        if self._inviting.pending:
            transaction.reply(491)
        elif self._answering is not None:
            transaction.reply(500, headers={"Retry-After": str(random.randint(1, 5))})
        else:
            self._answering = transaction
            self._on_offer(request, transaction)
            transaction.on_no_ack = self._never_acknowledged

    def _on_update(self, request: SipRequest, transaction: ServerTransaction) -> None:
        if request.body and (self._inviting.pending or self._answering is not None):
            transaction.reply(491)
        else:
            self._on_offer(request, transaction)

    def _on_offer(self, request: SipRequest, transaction: ServerTransaction) -> None:
        """A re-INVITE or UPDATE: both may change the session, their Contact and the session timer."""
        try:
            timer, headers = session_timer.grant(request, self._timing)
            wants_sdp = bool(request.body) or request.method == "INVITE"
            body = self._respond_sdp(request) if wants_sdp else ""
        except IntervalTooSmall:
            self._refuse_offer(transaction, 422, {"Min-SE": str(self._timing.minimum_s)})
            return
        except NotAcceptable as error:
            self._refuse_offer(transaction, error.status, error.headers)
            return
        self._dialog.refresh_target(request)
        transaction.reply(200, headers={**self._dialog.capabilities(), **headers}, body=body)
        self._clock.arm(timer)

    def _refuse_offer(self, transaction: ServerTransaction, status: int, headers: dict[str, str] | None = None) -> None:
        transaction.reply(status, headers=headers)
        if self._answering is transaction:
            self._answering = None

    def _on_info(self, request: SipRequest, transaction: ServerTransaction) -> None:
        if not request.body:
            transaction.reply(200)
            return
        digit = digit_of(request.content_type or "", request.text)
        if digit is None:
            transaction.reply(415, headers={"Accept": "application/dtmf-relay, application/dtmf"})
            return
        transaction.reply(200)
        if digit:
            self._user.digit(digit)

    def _on_refer(self, request: SipRequest, transaction: ServerTransaction) -> None:
        target = request.headers.get("refer-to")
        if len(target) != 1:
            transaction.reply(400)
        elif self._user.referred(syntax.uri_of(target[0])):
            transaction.reply(202, headers={"Contact": self._dialog.capabilities()["Contact"]})
        else:
            transaction.reply(603)

    def _on_notify(self, request: SipRequest, transaction: ServerTransaction) -> None:
        event = (request.headers.get_first("event") or "").split(";")[0].strip().lower()
        if event != "refer":
            transaction.reply(489)
        else:
            transaction.reply(200 if self._transferring.notify(request) else 481)

    def _on_options(self, request: SipRequest, transaction: ServerTransaction) -> None:
        transaction.reply(200, headers={"Allow": self._dialog.endpoint.allow})

    def _on_other(self, request: SipRequest, transaction: ServerTransaction) -> None:
        transaction.reply(405, headers={"Allow": self._dialog.endpoint.allow})
