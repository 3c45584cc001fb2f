"""One call leg: an INVITE dialog (RFC 3261 sections 12-15) with offers, session timer, DTMF by INFO and REFER.

The leg speaks SIP for a `LegUser` that owns the media. It ends exactly once, by `LegUser.ended(reason)`.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Protocol

from aiosipua import Dialog, SdpMessage, SipDigestAuth, SipRequest, SipResponse
from aiosipua.sdp import serialize_sdp
from aiosipua.utils import generate_call_id, generate_tag

from common.telemetry import get_logger
from telephony.sip import session_timer, syntax
from telephony.sip.dtmf_info import digit_of
from telephony.sip.endpoint import MAX_AUTH_TRIES, Endpoint, challenge_answer
from telephony.sip.offer import NotAcceptable, read_sdp
from telephony.sip.refer import SIPFRAG, Progress, Transfer, refer_to
from telephony.sip.session_timer import IntervalTooSmall, SessionTimer, SessionTiming
from telephony.sip.transaction import ClientTransaction, Flow, ServerTransaction

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


class Refused(Exception):
    """An INVITE of ours was answered with a failure."""

    def __init__(self, response: SipResponse) -> None:
        super().__init__(f"{response.status_code} {response.reason_phrase}")
        self.status = response.status_code
        self.retry_after = response.headers.get_first("retry-after")


class Leg:
    """See the module. Build with `inbound` or `outbound`."""

    def __init__(
        self,
        endpoint: Endpoint,
        flow: Flow,
        dialog: Dialog,
        user: LegUser,
        *,
        timing: SessionTiming,
        auth: SipDigestAuth | None = None,
    ) -> None:
        self.dialog = dialog
        self.state = LegState.EARLY
        self.invite: SipRequest | None = None  # the INVITE that made it
        self._endpoint = endpoint
        self._flow = flow
        self._user = user
        self._interval = timing.expires_s
        self._min_se = timing.minimum_s
        self._auth = auth
        self._answering: ServerTransaction | None = None  # an INVITE of theirs without final answer or ACK
        self._offer_pending = False  # our offer went out in a 2xx; the ACK brings the answer
        self._inviting: ClientTransaction | None = None  # an INVITE of ours without final answer
        self._acks: dict[int, SipRequest] = {}
        self._timer = SessionTimer()
        self._timer_handle: asyncio.TimerHandle | None = None
        self._peer_allows: frozenset[str] = frozenset()
        self._transfer: Transfer | None = None
        self._transfer_changed = asyncio.Event()
        self._bye_on_ack = False

    @property
    def over(self) -> bool:
        """Nothing can be said on it any more."""
        return self.state is LegState.ENDED

    @property
    def peer_host(self) -> str:
        """Where the far end signals from."""
        return self._flow.addr[0]

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
        sender = request.headers.get_first("from") or ""
        contact = request.headers.get_first("contact") or ""
        dialog = Dialog(
            call_id=request.call_id or "",
            local_tag=transaction.tag,
            remote_tag=syntax.tag_of(sender),
            local_uri=syntax.uri_of(request.headers.get_first("to") or ""),
            remote_uri=syntax.uri_of(sender),
            remote_target=syntax.uri_of(contact) or syntax.uri_of(sender),
            route_set=list(request.headers.get("record-route")),
            remote_cseq=syntax.cseq_of(request)[0],
        )
        leg = cls(endpoint, transaction.flow, dialog, user, timing=timing)
        leg.invite = request
        leg._answering = transaction
        leg._peer_allows = syntax.tokens(request, "allow")
        endpoint.join(dialog.call_id, dialog.local_tag, leg)
        endpoint.expect_cancel(transaction, leg)
        return leg

    def ring(self) -> None:
        """180."""
        if self._answering is not None:
            self._answering.reply(180, headers={"Contact": self._endpoint.contact(self._flow)})

    def accept(self) -> None:
        """200 with our SDP. Raises NotAcceptable (nothing was sent then)."""
        assert self.invite is not None and self._answering is not None
        body = self._respond_sdp(self.invite)
        try:
            timer, headers = session_timer.grant(self.invite, self._interval, self._min_se)
        except IntervalTooSmall:
            self.reject(422, {"Min-SE": str(self._min_se)})
            return
        self.state = LegState.ANSWERED
        self._answering.on_no_ack = self._never_acknowledged
        self._answering.reply(200, headers={**self._capabilities(), **headers}, body=body)
        self._arm(timer)

    def reject(self, status: int, headers: dict[str, str] | None = None) -> None:
        """A failure; the leg ends as refused."""
        if self.state is LegState.EARLY and self._answering is not None:
            self._answering.reply(status, headers=headers)
            self._end("refused")

    def _respond_sdp(self, request: SipRequest) -> str:
        kind = (request.content_type or "").split(";")[0].strip().lower()
        if not request.body:
            offer = self._user.offer()
            self._offer_pending = True
            return serialize_sdp(offer)
        if kind != "application/sdp":
            raise NotAcceptable("not SDP")
        return serialize_sdp(self._user.offered(read_sdp(request.text)))

    def _capabilities(self) -> dict[str, str]:
        return {
            "Contact": self._endpoint.contact(self._flow),
            "Allow": self._endpoint.allow,
            "Supported": "timer",
        }

    def _never_acknowledged(self) -> None:
        self._answering = None
        if self.state is not LegState.ENDED:
            self._send_bye()
            self._end("error")

    # --- outbound ---

    @classmethod
    def outbound(
        cls,
        endpoint: Endpoint,
        flow: Flow,
        user: LegUser,
        *,
        target: str,
        sender: str,
        auth: SipDigestAuth | None = None,
        timing: SessionTiming,
    ) -> Leg:
        """A leg that is still to be dialled."""
        dialog = Dialog(
            call_id=generate_call_id(endpoint.local[0]),
            local_tag=generate_tag(),
            local_uri=sender,
            remote_uri=target.split("?", 1)[0],
            remote_target=target.split("?", 1)[0],
        )
        leg = cls(endpoint, flow, dialog, user, auth=auth, timing=timing)
        endpoint.join(dialog.call_id, dialog.local_tag, leg)
        return leg

    async def dial(
        self,
        headers: Mapping[str, str],
        timeout_s: float,
        on_ringing: Callable[[], None] | None = None,
    ) -> None:
        """INVITE until it is answered and acknowledged. Raises Refused, TimeoutError (cancelled), NotAcceptable."""
        try:
            async with asyncio.timeout(timeout_s):
                response = await self._invite_until_final(headers, on_ringing)
        except TimeoutError:
            self._give_up_dialling("timeout")
            raise
        except asyncio.CancelledError:
            self._give_up_dialling("local")
            raise
        if response.status_code >= 300:
            self._end("refused")
            raise Refused(response)
        try:
            self._user.accepted(read_sdp(response.text))
        except NotAcceptable:
            self._send_bye()
            self._end("error")
            raise
        self._user.established()

    async def _invite_until_final(
        self, headers: Mapping[str, str], on_ringing: Callable[[], None] | None
    ) -> SipResponse:
        interval, tries = self._interval, 0
        credentials: tuple[str, str] | None = None
        body = serialize_sdp(self._user.offer())
        while True:
            request = self._request("INVITE")
            for name, value in {
                **self._capabilities(), **session_timer.wish(interval, self._min_se), **headers
            }.items():  # fmt: skip
                request.headers.set_single(name, value)
            if credentials is not None:
                request.headers.set_single(*credentials)
            request.text = body
            request.headers.set_single("Content-Type", "application/sdp")
            self.invite = request
            response = await self._final(request, on_ringing)
            tries += 1
            credentials = challenge_answer(self._auth, response, request)
            too_small = response.status_code == 422 and session_timer.minimum_of(response) > interval
            if tries > MAX_AUTH_TRIES or (credentials is None and not too_small):
                return response
            if too_small:
                interval = session_timer.minimum_of(response)

    async def _final(self, request: SipRequest, on_ringing: Callable[[], None] | None = None) -> SipResponse:
        answered: asyncio.Future[SipResponse] = asyncio.get_running_loop().create_future()

        def on_response(response: SipResponse) -> None:
            status = response.status_code
            if status < 200:
                if status > 100 and on_ringing is not None:
                    on_ringing()
            elif status < 300:
                self._accepted_by_peer(request, response)
                if not answered.done():
                    answered.set_result(response)
            elif not answered.done():
                answered.set_result(response)

        self._inviting = transaction = self._endpoint.send(request, self._flow, on_response)
        try:
            return await answered
        finally:
            if not transaction.pending and self._inviting is transaction:
                self._inviting = None

    def _accepted_by_peer(self, request: SipRequest, response: SipResponse) -> None:
        """A 2xx or a copy of it: take the dialog from the first, acknowledge each."""
        number = syntax.cseq_of(response)[0]
        if self.state is LegState.EARLY and not self.dialog.remote_tag:
            self.dialog.remote_tag = syntax.tag_of(response.headers.get_first("to") or "")
            self.dialog.route_set = list(reversed(response.headers.get("record-route")))
        if number not in self._acks:
            contact = syntax.uri_of(response.headers.get_first("contact") or "")
            self.dialog.remote_target = contact or self.dialog.remote_target
            self._peer_allows = syntax.tokens(response, "allow") or self._peer_allows
            if self.state is LegState.EARLY:
                self.state = LegState.CONFIRMED
                self._flow = self._next_hop()
            self._acks = {number: self._ack(number, request)}
            self._arm(session_timer.granted(response))
        self._flow.send(self._acks[number])
        if self.state is LegState.ENDED:  # answered although cancelled
            self._send_bye()

    def _ack(self, number: int, invite: SipRequest) -> SipRequest:
        count = self.dialog.local_cseq
        ack = self._request("ACK")
        self.dialog.local_cseq = count
        ack.headers.set_single("CSeq", f"{number} ACK")
        for name in ("authorization", "proxy-authorization"):
            if value := invite.headers.get_first(name):
                ack.headers.set_single(name, value)
        return ack

    def _give_up_dialling(self, reason: str) -> None:
        if self._inviting is not None and self._inviting.proceeding:
            self._send_cancel(self._inviting)
        self._end(reason)

    def _send_cancel(self, transaction: ClientTransaction) -> None:
        invite = transaction.request
        cancel = SipRequest(method="CANCEL", uri=invite.uri)
        cancel.headers.append("Via", invite.headers.get("via")[0])
        for name in ("From", "To", "Call-ID"):
            cancel.headers.set_single(name, invite.headers.get_first(name) or "")
        cancel.headers.set_single("CSeq", f"{syntax.cseq_of(invite)[0]} CANCEL")
        cancel.headers.set_single("Max-Forwards", "70")
        for route in invite.headers.get("route"):
            cancel.headers.append("Route", route)
        self._endpoint.send(cancel, transaction.flow, lambda _: None)

    # --- requests of ours inside the dialog ---

    def _request(self, method: str) -> SipRequest:
        host, port = self._endpoint.local
        request = self.dialog.create_request(
            method, via_host=host, via_port=port, via_transport=self._flow.transport.name
        )
        request.headers.set_single("User-Agent", syntax.USER_AGENT)
        return request

    def _next_hop(self) -> Flow:
        """Where in-dialog requests go: first route, else their Contact when it is at the address we talk to (NAT)."""
        uri = syntax.uri_of(self.dialog.route_set[0]) if self.dialog.route_set else self.dialog.remote_target
        try:
            host, port, transport = syntax.host_port(uri)
        except ValueError:
            return self._flow
        if host != self._flow.addr[0] or transport != self._flow.transport.name or self._flow.reliable:
            return self._flow
        return Flow(self._flow.transport, (host, port))

    async def reinvite(self) -> bool:
        """Offer anew (hold, resume); whether the far end agreed. 491 is retried (RFC 3261 14.1)."""
        for _ in range(3):
            if self.state is not LegState.CONFIRMED:
                return False
            if self._inviting is None and self._answering is None:
                request = self._request("INVITE")
                for name, value in {**self._capabilities(), **self._refresh_headers()}.items():
                    request.headers.set_single(name, value)
                request.text = serialize_sdp(self._user.offer())
                request.headers.set_single("Content-Type", "application/sdp")
                response = await self._final(request)
                if response.status_code < 300:
                    self._user.accepted(read_sdp(response.text))
                    return True
                if response.status_code in (408, 481):
                    self._end("timeout")
                if response.status_code != 491:
                    return False
            await asyncio.sleep(random.uniform(0.1, 1.0))
        return False

    async def send_info(self, digit: str) -> bool:
        """A key by INFO (application/dtmf-relay); whether the far end took it."""

        def make() -> SipRequest:
            request = self._request("INFO")
            request.text = f"Signal={digit}\r\nDuration=160\r\n"
            request.headers.set_single("Content-Type", "application/dtmf-relay")
            return request

        return (await self._ask(make)).status_code < 300

    async def refer(self, target: str, headers: Mapping[str, str], timeout_s: float) -> Progress:
        """Blind transfer: ask the far end to call `target`. PENDING = nothing final came in time.

        The leg stays up whatever comes of it, unless the far end leaves.
        """

        def make() -> SipRequest:
            request = self._request("REFER")
            request.headers.set_single("Contact", self._endpoint.contact(self._flow))
            request.headers.set_single("Refer-To", refer_to(target, headers))
            request.headers.set_single("Referred-By", f"<{self.dialog.local_uri}>")
            for name, value in headers.items():
                request.headers.set_single(name, value)
            return request

        self._transfer = transfer = Transfer()
        self._transfer_changed.clear()
        try:
            async with asyncio.timeout(timeout_s):
                response = await self._ask(make)
                if response.status_code == 408:
                    return Progress.PENDING
                transfer.answered(response.status_code)
                while transfer.progress is Progress.PENDING and self.state is LegState.CONFIRMED:
                    await self._transfer_changed.wait()
                    self._transfer_changed.clear()
        except TimeoutError:
            pass
        finally:
            self._transfer = None
        return transfer.progress

    async def notify(self, status: int, reason: str) -> None:
        """Report progress of a transfer that the far end asked for (RFC 3515 2.4.5)."""

        def make() -> SipRequest:
            request = self._request("NOTIFY")
            request.headers.set_single("Contact", self._endpoint.contact(self._flow))
            request.headers.set_single("Event", "refer")
            state = "terminated;reason=noresource" if status >= 200 else "active;expires=60"
            request.headers.set_single("Subscription-State", state)
            request.headers.set_single("Content-Type", SIPFRAG)
            request.text = f"SIP/2.0 {status} {reason}\r\n"
            return request

        await self._ask(make)

    async def _ask(self, make: Callable[[], SipRequest]) -> SipResponse:
        return await self._endpoint.ask(make, self._flow, self._auth)

    # --- ending ---

    def hang_up(self, reason: str = "local", *, status: int = 480) -> None:
        """End the leg whatever its state: reject, CANCEL or BYE. Idempotent."""
        if self.state is LegState.EARLY and self._answering is not None:
            self._answering.reply(status)
        elif self.state is LegState.EARLY:
            self._give_up_dialling(reason)
        elif self.state is LegState.ANSWERED:
            self._bye_on_ack = True  # RFC 3261 15: not before the ACK
        elif self.state is LegState.CONFIRMED:
            self._send_bye()
        self._end(reason)

    def _send_bye(self) -> None:
        def make() -> SipRequest:
            return self._request("BYE")

        self._endpoint.tasks.spawn(self._ask(make), name="sip-bye")

    def _end(self, reason: str) -> None:
        if self.state is LegState.ENDED:
            return
        self.state = LegState.ENDED
        if self._timer_handle is not None:
            self._timer_handle.cancel()
        if not self._bye_on_ack:
            self._endpoint.leave(self.dialog.call_id, self.dialog.local_tag)
        self._transfer_changed.set()
        self._user.ended(reason)

    # --- session timer ---

    def _arm(self, timer: SessionTimer) -> None:
        self._timer = timer
        if self._timer_handle is not None:
            self._timer_handle.cancel()
            self._timer_handle = None
        if timer.interval and self.state is not LegState.ENDED:
            self._timer_handle = asyncio.get_running_loop().call_later(timer.delay, self._timer_due)

    def _timer_due(self) -> None:
        self._timer_handle = None
        if self._timer.refresher:
            self._endpoint.tasks.spawn(self._refresh(), name="sip-session-refresh")
        else:
            log.info("session_expired")
            self._send_bye()
            self._end("timeout")

    def _refresh_headers(self) -> dict[str, str]:
        if not self._timer.interval:
            return {}
        refresher = "uac" if self._timer.refresher else "uas"
        return {"Session-Expires": f"{self._timer.interval};refresher={refresher}", "Min-SE": str(self._min_se)}

    async def _refresh(self) -> None:
        if "update" not in self._peer_allows:
            if not await self.reinvite() and self.state is LegState.CONFIRMED:
                self._arm(self._timer)
            return

        def make() -> SipRequest:
            request = self._request("UPDATE")
            for name, value in {**self._capabilities(), **self._refresh_headers()}.items():
                request.headers.set_single(name, value)
            return request

        response = await self._ask(make)
        if self.state is not LegState.CONFIRMED:
            return
        if response.status_code in (408, 481):
            self._end("timeout")
        else:
            self._arm(session_timer.granted(response) if response.status_code < 300 else self._timer)

    # --- requests of theirs inside the dialog (DialogUser) ---

    def request(self, request: SipRequest, transaction: ServerTransaction) -> None:
        number, method = syntax.cseq_of(request)
        if syntax.tag_of(request.headers.get_first("from") or "") != self.dialog.remote_tag or (
            self.state is LegState.ENDED
        ):
            transaction.reply(481)
            return
        if self.dialog.remote_cseq and number <= self.dialog.remote_cseq:
            transaction.reply(500)
            return
        self.dialog.remote_cseq = number
        {
            "BYE": self._on_bye,
            "INVITE": self._on_reinvite,
            "UPDATE": self._on_update,
            "INFO": self._on_info,
            "REFER": self._on_refer,
            "NOTIFY": self._on_notify,
            "OPTIONS": self._on_options,
        }.get(method, self._on_other)(request, transaction)

    def acknowledged(self, request: SipRequest) -> None:
        transaction, self._answering = self._answering, None
        if transaction is None:
            return
        transaction.acknowledged()
        if self._bye_on_ack:
            self._bye_on_ack = False
            self._endpoint.leave(self.dialog.call_id, self.dialog.local_tag)
            self._send_bye()
            return
        first = self.state is LegState.ANSWERED
        if first:
            self.state = LegState.CONFIRMED
            self._flow = self._next_hop()
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
        if self._transfer is not None:
            self._transfer.peer_left()
        self._end("bye")

    def _on_reinvite(self, request: SipRequest, transaction: ServerTransaction) -> None:
        transaction.reply(100)
        if self._inviting is not None:
            transaction.reply(491)
        elif self._answering is not None:
            transaction.reply(500, headers={"Retry-After": str(random.randint(1, 5))})
        else:
            self._answering = transaction
            self._on_offer(request, transaction)
            transaction.on_no_ack = self._never_acknowledged

    def _on_update(self, request: SipRequest, transaction: ServerTransaction) -> None:
        if request.body and (self._inviting is not None or self._answering is not None):
            transaction.reply(491)
        else:
            self._on_offer(request, transaction)

    def _on_offer(self, request: SipRequest, transaction: ServerTransaction) -> None:
        """A re-INVITE or UPDATE: both may change the session, their Contact and the session timer."""
        try:
            timer, headers = session_timer.grant(request, self._interval, self._min_se)
            wants_sdp = bool(request.body) or request.method == "INVITE"
            body = self._respond_sdp(request) if wants_sdp else ""
        except IntervalTooSmall:
            self._refuse_offer(transaction, 422, {"Min-SE": str(self._min_se)})
            return
        except NotAcceptable:
            self._refuse_offer(transaction, 488)
            return
        self.dialog.remote_target = (
            syntax.uri_of(request.headers.get_first("contact") or "") or self.dialog.remote_target
        )
        transaction.reply(200, headers={**self._capabilities(), **headers}, body=body)
        self._arm(timer)

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
            transaction.reply(202, headers={"Contact": self._endpoint.contact(self._flow)})
        else:
            transaction.reply(603)

    def _on_notify(self, request: SipRequest, transaction: ServerTransaction) -> None:
        event = (request.headers.get_first("event") or "").split(";")[0].strip().lower()
        if event != "refer":
            transaction.reply(489)
        elif self._transfer is None:
            transaction.reply(481)
        else:
            transaction.reply(200)
            self._transfer.notify(request)
            self._transfer_changed.set()

    def _on_options(self, request: SipRequest, transaction: ServerTransaction) -> None:
        transaction.reply(200, headers={"Allow": self._endpoint.allow})

    def _on_other(self, request: SipRequest, transaction: ServerTransaction) -> None:
        transaction.reply(405, headers={"Allow": self._endpoint.allow})
