"""What both ends of a phone line need: an endpoint, RTP ports, a recorder, and calls built of them.

`telephony.service` answers for the hotline with it, `telephony.agent` plays callers and human extensions.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Mapping, Sequence
from ipaddress import ip_network

from aiosipua import SipDigestAuth, SipRequest

from common.errors import Overloaded, TimedOut, Unavailable
from common.paths import data_dir
from common.telemetry import get_logger
from dialog.api import Channel
from telephony import metrics
from telephony.api import CallRefused
from telephony.call import ReferCallback, SipCall, TransferPolicy
from telephony.media.media import Media
from telephony.media.ports import PortPairs
from telephony.media.recording import Recorder
from telephony.settings import TelephonySettings
from telephony.sip import syntax
from telephony.sip.endpoint import Endpoint, InviteCallback
from telephony.sip.inviting import Refused
from telephony.sip.leg import Leg, LegState
from telephony.sip.offer import NotAcceptable
from telephony.sip.refer import split_refer_to
from telephony.sip.session_timer import SessionTiming
from telephony.sip.transaction import Flow, ServerTransaction, Timers
from voice_gateway.api import CallInfo, Direction

METHODS = ("INVITE", "ACK", "CANCEL", "BYE", "OPTIONS", "INFO", "UPDATE", "NOTIFY")
KEPT_HEADERS = ("subject", "user-to-user", "call-info", "p-asserted-identity", "referred-by", "diversion", "user-agent")
CallCallback = Callable[[SipCall], None]

log = get_logger(__name__)


class Station:
    """See the module. `on_invite` decides about each new call: `inbound` it, or answer the transaction itself."""

    def __init__(
        self, settings: TelephonySettings, *, on_invite: InviteCallback, methods: Sequence[str] = METHODS
    ) -> None:
        self.settings = settings
        self.endpoint = Endpoint(
            host=settings.host,
            port=settings.port,
            tcp=settings.tcp,
            on_invite=on_invite,
            allow=methods,
            user=settings.user,
            advertised_host=settings.advertised_host,
            allow_from=[ip_network(network) for network in settings.allow_from],
            timers=Timers(t1=settings.t1_s, t2=8 * settings.t1_s, t4=10 * settings.t1_s),
        )
        self.calls: dict[str, SipCall] = {}
        self.recorder = Recorder(settings.recording.folder or data_dir() / "recordings")
        self._ports = PortPairs(settings.host, *settings.rtp_ports)
        self._timing = SessionTiming(settings.session_expires_s, settings.min_se_s)
        self._transfers = TransferPolicy(
            settings.transfer_target, settings.transfer_targets, settings.transfer_timeout_s
        )

    async def start(self) -> None:
        """Listen. Raises Misconfigured when the port is taken."""
        await self.endpoint.start()
        log.info("sip_listening", host=self.endpoint.local[0], port=self.endpoint.local[1])

    async def aclose(self) -> None:
        """Hang up what is left, wait for recordings, close sockets; may be called twice."""
        await asyncio.gather(*(call.hang_up() for call in tuple(self.calls.values())))
        await asyncio.sleep(0)  # BYEs leave
        await self._let_byes_through()
        await self.endpoint.aclose()
        await self.recorder.aclose()

    async def _let_byes_through(self) -> None:
        try:
            async with asyncio.timeout(4 * self.settings.t1_s):
                await self.endpoint.tasks.join()
        except TimeoutError:
            pass

    @property
    def uri(self) -> str:
        """Our own SIP URI."""
        host, port = self.endpoint.local
        return f"sip:{self.settings.user}@{host}:{port}"

    def _build(
        self, info: CallInfo, *, on_established: CallCallback, on_refer: ReferCallback | None, record: bool
    ) -> SipCall:
        settings = self.settings
        recording = self.recorder.open(info.id) if record and settings.recording.enabled else None
        media = Media(
            self._ports,
            jitter_max_ms=settings.jitter_max_ms,
            vanish_s=settings.rtp_timeout_s,
            hold_vanish_s=settings.hold_timeout_s,
            on_key=lambda digit: call.digit(digit),
            on_vanished=lambda: call.vanished(),
            recording=recording,
        )
        call = SipCall(
            info,
            media,
            self.endpoint.tasks,
            transfers=self._transfers,
            on_ended=self._ended,
            on_established=on_established,
            on_refer=on_refer,
            recording=recording.path if recording is not None else None,
        )
        self.calls[info.id] = call
        metrics.active.inc()
        return call

    def _ended(self, call: SipCall) -> None:
        if self.calls.pop(call.info.id, None) is not None:
            metrics.active.dec()

    # --- inbound ---

    def inbound(
        self,
        request: SipRequest,
        transaction: ServerTransaction,
        *,
        on_established: CallCallback,
        on_refer: ReferCallback | None = None,
        record: bool = True,
    ) -> SipCall:
        """A call for this INVITE, not answered yet. From here on a CANCEL finds it."""
        call = self._build(self._info(request), on_established=on_established, on_refer=on_refer, record=record)
        call.leg = Leg.inbound(self.endpoint, request, transaction, call, self._timing)
        return call

    async def answer(self, call: SipCall, *, ring_s: float) -> None:
        """Ring and answer. Whatever goes wrong is told to the caller; `call.closed` says so."""
        leg = call.leg
        assert leg is not None
        try:
            await call.open(self.endpoint.bind_host, self.endpoint.local[0], self.settings.codecs)
            if leg.state is LegState.EARLY:
                leg.ring()
            if ring_s:
                await call.wait_closed(ring_s)
            if leg.state is LegState.EARLY:
                leg.accept()
        except NotAcceptable as error:
            metrics.bad_sip.labels("not_acceptable", "answered").inc()
            log.info("offer_refused", session=call.info.id, why=str(error))
            leg.reject(error.status, error.headers)
        except (Overloaded, Unavailable) as error:
            log.warning("call_not_answered", session=call.info.id, why=error.message)
            leg.reject(503, {"Retry-After": str(self.settings.retry_after_s)})
        except Exception:
            log.exception("call_not_answered", session=call.info.id)
            leg.reject(500)

    @staticmethod
    def _info(request: SipRequest) -> CallInfo:
        headers = {"Call-ID": request.call_id or "", "From": request.headers.get_first("from") or ""}
        for name, values in request.headers.items():
            if name.lower() in KEPT_HEADERS or name.lower().startswith("x-"):
                headers[name] = values[0]
        uri, embedded = split_refer_to(request.uri)  # some softphones leave a Refer-To's headers in the Request-URI
        return CallInfo(
            id=_new_id(),
            channel=Channel.PHONE,
            direction=Direction.INBOUND,
            caller=syntax.user_of(syntax.uri_of(request.headers.get_first("from") or "")),
            called=syntax.user_of(uri),
            headers=embedded | headers,
        )

    # --- outbound ---

    async def dial(
        self,
        uri: str,
        *,
        on_established: CallCallback,
        sender: str = "",
        auth: SipDigestAuth | None = None,
        purpose: str = "",
        headers: Mapping[str, str] | None = None,
        ring_timeout_s: float | None = None,
        on_ringing: Callable[[], None] | None = None,
        on_refer: ReferCallback | None = None,
        record: bool = True,
    ) -> SipCall:
        """Call `uri`; the call once it is answered.

        Raises BadInput (no SIP URI), Unavailable (unreachable), CallRefused, TimedOut (nobody answered; cancelled).
        """
        flow: Flow = await self.endpoint.resolve(uri)
        if ":" not in sender:
            sender = self.uri.replace(f"sip:{self.settings.user}@", f"sip:{sender or self.settings.user}@", 1)
        info = CallInfo(
            id=_new_id(),
            channel=Channel.PHONE,
            direction=Direction.OUTBOUND,
            caller=syntax.user_of(sender),
            called=syntax.user_of(uri),
            purpose=purpose,
        )
        call = self._build(info, on_established=on_established, on_refer=on_refer, record=record)
        leg = call.leg = Leg.outbound(self.endpoint, flow, call, self._timing, target=uri, sender=sender, auth=auth)
        try:
            await call.open(self.endpoint.bind_host, self.endpoint.local[0], self.settings.codecs)
            await leg.dial(headers or {}, ring_timeout_s or self.settings.ring_timeout_s, on_ringing)
        except Refused as refused:
            retry = refused.retry_after or ""
            raise CallRefused(
                f"the call was refused: {refused}",
                status=refused.status,
                retry_after_s=float(retry) if retry.isdigit() else None,
            ) from None
        except TimeoutError:
            raise TimedOut(f"nobody answered within {ring_timeout_s or self.settings.ring_timeout_s:g} s") from None
        except NotAcceptable as error:
            raise CallRefused(f"the far end's SDP cannot be used: {error}", status=488) from None
        finally:
            if not call.answered_at:
                leg.hang_up()
                await call.released()
        return call


def _new_id() -> str:
    return f"call-{secrets.token_hex(10)}"
