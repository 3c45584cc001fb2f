"""What callers may know of the telephone edge: placing calls and looking after those that run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from common.errors import Unavailable
from voice_gateway.api import Call, Direction, TransferOutcome


class CallRefused(Unavailable):
    """The far end refused a call of ours. `status` is SIP's, 0 when it is not known here."""

    code = "call_refused"
    retryable = False

    def __init__(self, message: str, *, status: int = 0, retry_after_s: float | None = None) -> None:
        super().__init__(message, retry_after_s=retry_after_s)
        self.status = status


class CallState(StrEnum):
    """Where a call stands."""

    RINGING = "ringing"
    TALKING = "talking"
    HELD = "held"
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class CallStatus:
    """A call at a glance. started_at: epoch seconds; ended: the reason, "" while it is up."""

    id: str
    state: CallState
    direction: Direction
    caller: str
    called: str
    started_at: float
    ended: str = ""


class TelephonyControl(Protocol):
    """Control of calls, in this process or over gRPC."""

    async def order_call(self, uri: str, purpose: str = "", ring_timeout_s: float = 0.0) -> CallStatus:
        """Place a call and let the bot talk on it; returns when it was answered. ring_timeout_s 0 = as set.

        Raises BadInput, Overloaded (call limit), CallRefused, Unavailable (unreachable), TimedOut (nobody answered).
        """
        ...

    async def list_calls(self) -> tuple[CallStatus, ...]:
        """Calls that ring or run, oldest first."""
        ...

    async def transfer(self, call: str, target: str) -> TransferOutcome:
        """Blind transfer by an operator. NotFound for an unknown call."""
        ...

    async def hang_up(self, call: str) -> None:
        """End a call. NotFound for an unknown one."""
        ...

    async def aclose(self) -> None:
        """Let go of everything; may be called twice."""
        ...


class Telephony(TelephonyControl, Protocol):
    """The edge itself, in this process."""

    async def start(self) -> None:
        """Listen and register. Raises Misconfigured."""
        ...

    async def drain(self, timeout_s: float) -> None:
        """Take no more calls and wait for those that run, at most `timeout_s`."""
        ...

    @property
    def uri(self) -> str:
        """Where we can be called."""
        ...

    async def place_call(
        self,
        uri: str,
        purpose: str = "",
        *,
        headers: Mapping[str, str] | None = None,
        ring_timeout_s: float | None = None,
    ) -> Call:
        """Call somebody and hand the answered call to the handler; raises as `order_call`."""
        ...
