"""One phone call: a SIP leg and its media, as `voice_gateway.api.Call`.

The same class serves the hotline's side and the far end's (`telephony.agent`): holding and pressing keys are here too.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from aiosipua import SdpMessage

from common.aio import TaskSet
from common.errors import BadInput
from common.telemetry import get_logger
from dialog.api import HandoffSummary
from telephony import context, metrics
from telephony.media.media import Media, Tap
from telephony.media.port import RtpAudioPort
from telephony.sip.leg import Leg, LegState
from telephony.sip.offer import MediaPlan, Negotiation
from telephony.sip.refer import Progress
from voice_gateway.api import (
    CallEvent,
    CallInfo,
    Closed,
    Dtmf,
    Held,
    Resumed,
    TransferOutcome,
)

log = get_logger(__name__)

OUTCOMES = {
    Progress.ACCEPTED: TransferOutcome.ACCEPTED,
    Progress.REFUSED: TransferOutcome.REFUSED,
    Progress.PENDING: TransferOutcome.TIMEOUT,
}


@dataclass(frozen=True, slots=True)
class TransferPolicy:
    """How targets of transfers are found. `targets`: queue name -> SIP URI; `default` serves the target ""."""

    default: str = ""
    targets: Mapping[str, str] | None = None
    timeout_s: float = 30.0

    def resolve(self, target: str) -> str:
        """The SIP URI of a target, "" when it names none."""
        if target.lower().startswith(("sip:", "sips:", "tel:")):
            return target
        return (self.targets or {}).get(target, "") if target else self.default


ReferCallback = Callable[["SipCall", str], bool]


class SipCall:
    """See voice_gateway.api.Call. Events are kept until read; `Closed` is the last."""

    def __init__(
        self,
        info: CallInfo,
        media: Media,
        tasks: TaskSet,
        *,
        transfers: TransferPolicy,
        on_ended: Callable[[SipCall], None],
        on_established: Callable[[SipCall], None],
        on_refer: ReferCallback | None = None,
        recording: Path | None = None,
    ) -> None:
        self._info = info
        self._media = media
        self._tasks = tasks
        self._transfers = transfers
        self._on_ended = on_ended
        self._on_established = on_established
        self._on_refer = on_refer
        self._events: asyncio.Queue[CallEvent] = asyncio.Queue()
        self._closed: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._released: asyncio.Task[None] | None = None
        self._negotiation = Negotiation(("127.0.0.1", 9), ())
        self._held = False
        self._transferring = False
        self.leg: Leg | None = None  # set by whoever builds the call, before anything happens on it
        self.recording = recording
        self.started_at = time.time()
        self.answered_at = 0.0

    # --- Call ---

    @property
    def info(self) -> CallInfo:
        return self._info

    @property
    def audio(self) -> RtpAudioPort:
        return self._media.port

    async def events(self) -> AsyncIterator[CallEvent]:
        while True:
            event = await self._events.get()
            yield event
            if isinstance(event, Closed):
                return

    async def transfer(self, target: str, summary: HandoffSummary) -> TransferOutcome:
        outcome = await self._transfer(target, summary)
        metrics.transfers.labels(outcome.value).inc()
        log.info("transfer", session=self._info.id, outcome=outcome.value)
        return outcome

    async def _transfer(self, target: str, summary: HandoffSummary) -> TransferOutcome:
        uri = self._transfers.resolve(target)
        if not uri or self._leg.state is not LegState.CONFIRMED or self._transferring:
            return TransferOutcome.REFUSED
        self._transferring = True
        try:
            progress = await self._leg.refer(uri, context.to_headers(summary), self._transfers.timeout_s)
            if progress is Progress.ACCEPTED:
                self._leg.hang_up("transferred")
                self._close("transferred")
        finally:
            self._transferring = False
            if self._leg.over:
                self._close("bye")
        return OUTCOMES[progress]

    async def hang_up(self, reason: str = "") -> None:
        """End the call and wait until its sockets and its recording are released."""
        self._leg.hang_up()
        self._close("local")
        await self.released()

    # --- beyond Call ---

    @property
    def _leg(self) -> Leg:
        assert self.leg is not None
        return self.leg

    @property
    def closed(self) -> str:
        """Why the call ended, "" while it is up."""
        return self._closed.result() if self._closed.done() else ""

    @property
    def state(self) -> str:
        """ringing, talking, held or ended."""
        if self.closed:
            return "ended"
        return "held" if self._held else "talking" if self.answered_at else "ringing"

    async def wait_closed(self, timeout_s: float | None = None) -> str:
        """Wait for the end, at most `timeout_s`; the reason, "" when the call is still up."""
        await asyncio.wait([self._closed], timeout=timeout_s)
        return self.closed

    async def released(self) -> None:
        """Wait until sockets are closed and the recording is on disk; at once when the call is not over."""
        if self._released is not None:
            await asyncio.shield(self._released)

    async def press(self, digits: str, *, by_info: bool = False) -> None:
        """Send keys, by RFC 4733 or INFO. BadInput when the far end takes none."""
        if not by_info:
            self._media.press(digits)
            return
        for digit in digits:
            if not await self._leg.send_info(digit):
                raise BadInput("the far end does not take keys by INFO")

    async def hold(self) -> bool:
        """Put the far end on hold; whether it agreed."""
        return await self._hold(True)

    async def resume(self) -> bool:
        """Take the far end back; whether it agreed."""
        return await self._hold(False)

    async def _hold(self, holding: bool) -> bool:
        before, self._negotiation.holding = self._negotiation.holding, holding
        agreed = await self._leg.reinvite()
        if not agreed:
            self._negotiation.holding = before
        self._media.mute(self._negotiation.holding)
        return agreed

    @property
    def tap(self) -> Tap | None:
        """Sees every packet of the call; for measuring."""
        return self._media.tap

    @tap.setter
    def tap(self, tap: Tap | None) -> None:
        self._media.tap = tap

    async def notify(self, status: int, reason: str) -> None:
        """Report progress of a transfer that the far end asked for."""
        await self._leg.notify(status, reason)

    async def open(self, host: str, told_host: str, codecs: Sequence[str]) -> None:
        """Bind the sockets on `host` and get ready to negotiate; `told_host` goes into SDP."""
        port = await self._media.open(host)
        self._negotiation = Negotiation((told_host, port), codecs)

    # --- LegUser ---

    def offered(self, offer: SdpMessage) -> SdpMessage:
        answer, plan = self._negotiation.answer(offer)
        self._follow(plan)
        return answer

    def offer(self) -> SdpMessage:
        return self._negotiation.offer()

    def accepted(self, answer: SdpMessage) -> None:
        self._follow(self._negotiation.accept(answer))

    def _follow(self, plan: MediaPlan) -> None:
        self._media.apply(plan, self._leg.peer_host)
        if plan.held != self._held:
            self._held = plan.held
            self._events.put_nowait(Held() if plan.held else Resumed())

    def established(self) -> None:
        self.answered_at = time.time()
        self._media.start()
        self._on_established(self)

    def digit(self, digit: str) -> None:
        self._events.put_nowait(Dtmf(digit))

    def referred(self, target: str) -> bool:
        return self._on_refer is not None and self._on_refer(self, target)

    def ended(self, reason: str) -> None:
        if not self._transferring:  # the transfer says how it ended
            self._close(reason)

    # --- ending ---

    def vanished(self) -> None:
        """Neither RTP nor RTCP comes any more."""
        log.info("caller_vanished", session=self._info.id)
        self._leg.hang_up("timeout")
        self._close("timeout")

    def _close(self, reason: str) -> None:
        if self._closed.done():
            return
        self._closed.set_result(reason)
        self._media.port.close()
        self._events.put_nowait(Closed(reason))
        metrics.calls.labels(self._info.direction.value, reason).inc()
        if self.answered_at:
            metrics.call_seconds.observe(time.time() - self.answered_at)
        self._released = self._tasks.spawn(self._release(), name="call-release")

    async def _release(self) -> None:
        try:
            await self._media.aclose()
        finally:
            self._on_ended(self)
