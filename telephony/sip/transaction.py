"""Transactions (RFC 3261 section 17, with RFC 6026's accepted state): retransmission, absorption, time-outs.

A transaction owns its timers and nothing else; what to do with a message is its user's business.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from aiosipua import SipRequest, SipResponse
from aiosipua.utils import generate_tag

from telephony import metrics
from telephony.sip.syntax import Addr, cseq_of, reply, tag_of
from telephony.sip.transport import WireTransport


@dataclass(frozen=True, slots=True)
class Timers:
    """RFC 3261 17.1.1.1, seconds."""

    t1: float = 0.5
    t2: float = 4.0
    t4: float = 5.0

    @property
    def give_up(self) -> float:
        """64 T1: timers B, F, H, J, L, M."""
        return 64 * self.t1


@dataclass(frozen=True, slots=True)
class Flow:
    """One way to a peer."""

    transport: WireTransport
    addr: Addr

    @property
    def reliable(self) -> bool:
        return self.transport.reliable

    def send(self, message: SipRequest | SipResponse) -> None:
        self.transport.send(message, self.addr)


class _State(StrEnum):
    TRYING = "trying"
    PROCEEDING = "proceeding"
    ACCEPTED = "accepted"  # an INVITE's 2xx
    COMPLETED = "completed"
    TERMINATED = "terminated"


class _Timed:
    """Named one-shot timers of a transaction."""

    def __init__(self) -> None:
        self._timers: dict[str, asyncio.TimerHandle] = {}

    def _after(self, name: str, delay: float, action: Callable[[], None]) -> None:
        self._stop(name)
        self._timers[name] = asyncio.get_running_loop().call_later(delay, action)

    def _stop(self, *names: str) -> None:
        for name in names or tuple(self._timers):
            timer = self._timers.pop(name, None)
            if timer is not None:
                timer.cancel()


class ClientTransaction(_Timed):
    """A request of ours. `on_response` gets provisionals, the final answer once, and every copy of an INVITE's 2xx.

    When nothing comes in time, or the peer cannot be reached, it gets a 408 or 503 made here.
    """

    def __init__(
        self,
        request: SipRequest,
        flow: Flow,
        timers: Timers,
        *,
        on_response: Callable[[SipResponse], None],
        on_done: Callable[[], None],
    ) -> None:
        super().__init__()
        self.request = request
        self.flow = flow
        self._t = timers
        self._invite = request.method == "INVITE"
        self._on_response = on_response
        self._on_done = on_done
        self._state = _State.TRYING
        self._interval = timers.t1

    @property
    def proceeding(self) -> bool:
        """A provisional came, no final yet: an INVITE may be cancelled."""
        return self._state is _State.PROCEEDING

    @property
    def pending(self) -> bool:
        """No final response yet."""
        return self._state in (_State.TRYING, _State.PROCEEDING)

    def start(self) -> None:
        """Send the request."""
        self.flow.send(self.request)
        if not self.flow.reliable:
            self._after("retransmit", self._interval, self._retransmit)
        self._after("give_up", self._t.give_up, lambda: self.fail(408))

    def _retransmit(self) -> None:
        metrics.retransmissions.labels(self.request.method).inc()
        self.flow.send(self.request)
        self._interval *= 2
        if not self._invite:
            self._interval = self._t.t2 if self._state is _State.PROCEEDING else min(self._interval, self._t.t2)
        self._after("retransmit", self._interval, self._retransmit)

    def received(self, response: SipResponse) -> None:
        """A response that matches."""
        status = response.status_code
        if status < 200:
            if self.pending:
                self._state = _State.PROCEEDING
                if self._invite:
                    self._stop("retransmit", "give_up")
                self._on_response(response)
        elif self._invite and status < 300:
            if self.pending:
                self._conclude(_State.ACCEPTED, self._t.give_up)
            if self._state is _State.ACCEPTED:
                self._on_response(response)
        elif self._invite:
            self._acknowledge(response)
            if self.pending:
                self._conclude(_State.COMPLETED, 0 if self.flow.reliable else max(32.0, self._t.give_up))
                self._on_response(response)
        elif self.pending:
            self._conclude(_State.COMPLETED, 0 if self.flow.reliable else self._t.t4)
            self._on_response(response)

    def _conclude(self, state: _State, linger: float) -> None:
        self._state = state
        self._stop()
        self._after("linger", linger, self.close)

    def _acknowledge(self, response: SipResponse) -> None:
        ack = SipRequest(method="ACK", uri=self.request.uri)
        ack.headers.append("Via", self.request.headers.get("via")[0])
        for name in ("From", "Call-ID"):
            ack.headers.set_single(name, self.request.headers.get_first(name) or "")
        ack.headers.set_single("To", response.headers.get_first("to") or "")
        ack.headers.set_single("CSeq", f"{cseq_of(self.request)[0]} ACK")
        ack.headers.set_single("Max-Forwards", "70")
        for route in self.request.headers.get("route"):
            ack.headers.append("Route", route)
        self.flow.send(ack)

    def fail(self, status: int) -> None:
        """No answer can come any more."""
        if self.pending:
            self.close()
            self._on_response(reply(self.request, status))

    def close(self) -> None:
        """Forget it, silently."""
        if self._state is not _State.TERMINATED:
            self._state = _State.TERMINATED
            self._stop()
            self._on_done()


class ServerTransaction(_Timed):
    """A request of the peer's: answers its copies, repeats what must be acknowledged."""

    def __init__(self, request: SipRequest, flow: Flow, timers: Timers, *, on_done: Callable[[], None]) -> None:
        super().__init__()
        self.request = request
        self.flow = flow
        self.tag = generate_tag()
        self.on_no_ack: Callable[[], None] | None = None  # a final answer to an INVITE was never acknowledged
        self._t = timers
        self._invite = request.method == "INVITE"
        self._on_done = on_done
        self._state = _State.TRYING
        self._last: SipResponse | None = None
        self._interval = timers.t1

    @property
    def pending(self) -> bool:
        """No final response yet."""
        return self._state in (_State.TRYING, _State.PROCEEDING)

    def repeated(self) -> None:
        """The request came again."""
        if self._last is not None and self._state is not _State.ACCEPTED:
            self.flow.send(self._last)

    def reply(
        self,
        status: int,
        *,
        headers: dict[str, str] | None = None,
        body: str = "",
        content_type: str = "application/sdp",
    ) -> None:
        """Answer; ignored after a final answer."""
        if not self.pending:
            return
        response = reply(self.request, status, tag=self.tag, headers=headers, body=body, content_type=content_type)
        self._last = response
        self.flow.send(response)
        if status < 200:
            self._state = _State.PROCEEDING
            return
        metrics.responses.labels(self.request.method, str(status)).inc()
        if not self._invite:
            self._state = _State.COMPLETED
            self._after("linger", 0 if self.flow.reliable else self._t.give_up, self.close)
            return
        self._state = _State.ACCEPTED if status < 300 else _State.COMPLETED
        if status < 300 or not self.flow.reliable:
            self._after("retransmit", self._interval, self._retransmit)
        self._after("give_up", self._t.give_up, self._unacknowledged)

    def _retransmit(self) -> None:
        assert self._last is not None
        metrics.retransmissions.labels("response").inc()
        self.flow.send(self._last)
        self._interval = min(2 * self._interval, self._t.t2)
        self._after("retransmit", self._interval, self._retransmit)

    def acknowledged(self) -> None:
        """The ACK came."""
        if self._state in (_State.ACCEPTED, _State.COMPLETED):
            self._stop("retransmit", "give_up")
            self._after("linger", self._t.t4, self.close)

    def _unacknowledged(self) -> None:
        self.close()
        if self.on_no_ack is not None and self._last is not None and self._last.status_code < 300:
            self.on_no_ack()

    def close(self) -> None:
        """Forget it, silently."""
        if self._state is not _State.TERMINATED:
            self._state = _State.TERMINATED
            self._stop()
            self._on_done()


def our_tag(response: SipResponse) -> str:
    """The To tag of a response."""
    return tag_of(response.headers.get_first("to") or "")
