"""What edges may know of a voice conversation: the audio port and the call they must offer.

Telephony (SIP/RTP) and WebRTC each turn their own thing into a `Call`; `VoiceGateway.handle(call)` runs the
conversation on it. Audio is mono PCM int16, one frame is 20 ms.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

import numpy as np
import numpy.typing as npt

from dialog.api import Channel, HandoffSummary

Pcm = npt.NDArray[np.int16]

FRAME_MS = 20


class Direction(StrEnum):
    """Who called whom."""

    INBOUND = "inbound"
    OUTBOUND = "outbound"


@dataclass(frozen=True, slots=True)
class CallInfo:
    """Facts of a call. `id` is unique and becomes the dialog's session id; numbers are as the channel gave them."""

    id: str
    channel: Channel
    direction: Direction
    caller: str
    called: str
    purpose: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)


class AudioPort(Protocol):
    """Both directions of a call's audio.

    Reading yields frames in real time (20 ms, `sample_rate` Hz) until the line is dead; lost packets are concealed.
    Writing is bounded and paced by the port: `write` waits when more than about 200 ms are queued, so what was
    played is known closely.
    """

    @property
    def sample_rate(self) -> int:
        """8000 or 16000 Hz, both directions."""
        ...

    def frames(self) -> AsyncIterator[Pcm]:
        """Incoming frames, int16 [sample_rate / 50]; ends when the line is dead. One reader only."""
        ...

    async def write(self, frame: Pcm) -> None:
        """Queue one 20 ms frame; waits for room. Raises `Unavailable` when the line is dead."""
        ...

    def clear(self) -> int:
        """Drop what is queued and not yet sent; returns how many milliseconds were dropped."""
        ...

    async def drain(self) -> None:
        """Wait until everything queued was sent."""
        ...

    @property
    def played_ms(self) -> int:
        """Milliseconds of written audio really sent since the call began (monotonic)."""
        ...


@dataclass(frozen=True, slots=True)
class Dtmf:
    """A key was pressed (RFC 4733, INFO or in-app)."""

    digit: str


@dataclass(frozen=True, slots=True)
class Held:
    """The far end put us on hold; nothing is to be said until `Resumed`."""


@dataclass(frozen=True, slots=True)
class Resumed:
    """The far end is back."""


@dataclass(frozen=True, slots=True)
class Closed:
    """The call is over. reason: bye, cancel, timeout (vanished), error, transferred, local."""

    reason: str


CallEvent = Dtmf | Held | Resumed | Closed


class TransferOutcome(StrEnum):
    """What became of a transfer."""

    ACCEPTED = "accepted"
    REFUSED = "refused"
    TIMEOUT = "timeout"


class Call(Protocol):
    """One answered call."""

    @property
    def info(self) -> CallInfo: ...

    @property
    def audio(self) -> AudioPort: ...

    def events(self) -> AsyncIterator[CallEvent]:
        """Events in order; the last one is `Closed`. One reader only."""
        ...

    async def transfer(self, target: str, summary: HandoffSummary) -> TransferOutcome:
        """Blind transfer with context; the call stays up and usable unless ACCEPTED. "" = default target."""
        ...

    async def hang_up(self, reason: str = "") -> None:
        """End the call; idempotent."""
        ...


@dataclass(frozen=True, slots=True)
class SessionReport:
    """How a voice session went, for logs and demos."""

    session: str
    ended: str
    turns: int
    barge_ins: int
    transferred: bool


class VoiceGateway(Protocol):
    """Runs voice conversations; one process serves many calls."""

    async def handle(self, call: Call) -> SessionReport:
        """Converse on the call until it ends, and release everything. Never raises for what happens on the line."""
        ...

    async def aclose(self) -> None:
        """Let running sessions end (bounded), then release engines."""
        ...
