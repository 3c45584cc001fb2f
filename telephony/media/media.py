"""The media of one call: the 20 ms clock between the RTP stream, the audio port and the recording.

Every tick sends one packet (what is queued, a key being pressed, or silence), delivers one frame and records both. When
the loop was late, missed incoming frames are delivered at once; up to `MAX_BURST` missed packets are sent at once too,
which any jitter buffer takes, and more than those pass as a gap in the RTP timestamps instead of a burst.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from aiortp.packet import RtpPacket

from common.aio import TaskSet
from common.errors import BadInput
from telephony import metrics
from telephony.media.dtmf import KeyReceiver, key_packets
from telephony.media.playout import SILENCE, Playout
from telephony.media.port import RtpAudioPort
from telephony.media.ports import PortPairs
from telephony.media.recording import Recording
from telephony.media.stream import RtpStream
from telephony.sip.offer import MediaPlan
from voice_gateway.api import FRAME_MS, Pcm

TICK_S = FRAME_MS / 1000
MAX_BURST = 3
MAX_CATCH_UP = 50  # ticks; a loop that slept longer has lost that time
KEY_GAP_TICKS = 3
MAX_KEYS = 64


@dataclass(frozen=True, slots=True)
class SentPacket:
    """A packet as it left. pcm None: a telephone-event. `queued`: the frame came from the audio port."""

    at: float
    timestamp: int
    pcm: Pcm | None
    queued: bool


@dataclass(frozen=True, slots=True)
class ReceivedPacket:
    """An audio packet as it came, before any buffering. `at`: time.monotonic when it was read from the socket."""

    at: float
    timestamp: int
    sequence: int
    pcm: Pcm


class Tap(Protocol):
    """Sees every packet at the moment it leaves or comes; for measuring. Must be quick."""

    def sent(self, packet: SentPacket) -> None: ...

    def received(self, packet: ReceivedPacket) -> None: ...


class Media:
    """See the module. `on_key` gets keys; `on_vanished` is called once when the far end sends nothing any more."""

    def __init__(
        self,
        ports: PortPairs,
        *,
        jitter_max_ms: int,
        vanish_s: float,
        hold_vanish_s: float,
        on_key: Callable[[str], None],
        on_vanished: Callable[[], None],
        recording: Recording | None = None,
        tap: Tap | None = None,
    ) -> None:
        self.port = RtpAudioPort()
        self.stream = RtpStream(self, ports)
        self.tap = tap
        self._playout = Playout(jitter_max_ms)
        self._keys = KeyReceiver()
        self._on_key = on_key
        self._on_vanished = on_vanished
        self._vanish_s = vanish_s
        self._hold_vanish_s = hold_vanish_s
        self._recording = recording
        self._held = False
        self._muted = False
        self._dialling: list[Iterator[tuple[bytes, bool]]] = []
        self._key_started = 0
        self._key_gap = 0
        self._silent = True
        self._concealed = 0
        self._tasks = TaskSet()
        self._closed = False

    async def open(self, host: str) -> int:
        """Bind the sockets; our RTP port."""
        return await self.stream.open(host)

    def apply(self, plan: MediaPlan, signalling_host: str) -> None:
        """Follow an agreement; the clock starts with the first."""
        self._held = plan.held
        self.stream.apply(plan, signalling_host)

    def start(self) -> None:
        """Let the clock run."""
        if not len(self._tasks) and not self._closed:
            self.stream.heard_at = asyncio.get_running_loop().time()
            self._tasks.spawn(self._run(), name="media-clock")

    def mute(self, muted: bool) -> None:
        """We put the far end on hold: nothing is sent."""
        self._muted = muted

    def press(self, digits: str, duration_ms: int = 120) -> None:
        """Queue keys to send by RFC 4733. BadInput when the far end takes none or for what is no key."""
        if not self.stream.can_send_keys:
            raise BadInput("the far end did not agree to telephone-events; send keys by INFO")
        if len(self._dialling) + len(digits) > MAX_KEYS:
            raise BadInput(f"more than {MAX_KEYS} keys wait")
        try:
            presses = [list(key_packets(digit, duration_ms)) for digit in digits]
        except ValueError as error:
            raise BadInput(str(error)) from None
        self._dialling += [iter(press) for press in presses]

    async def aclose(self) -> None:
        """Stop the clock, release sockets, finish the recording; may be called twice."""
        if self._closed:
            return
        self._closed = True
        await self._tasks.aclose()
        self.port.close()
        metrics.rtp_concealed.inc(self._playout.concealed)
        await self.stream.close()
        if self._recording is not None:
            await self._recording.close()

    # --- the clock ---

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time() + TICK_S
        while True:
            await asyncio.sleep(max(0.0, due - loop.time()))
            for _ in range(min(int((loop.time() - due) / TICK_S), MAX_CATCH_UP)):
                await asyncio.sleep(0)  # asyncio reads one datagram a turn: first take in what waits in the socket
            late = min(int((loop.time() - due) / TICK_S), MAX_CATCH_UP)
            skipped = max(0, late - MAX_BURST)
            metrics.rtp_late_ticks.inc(late)
            self.stream.skip(skipped)
            for _ in range(skipped):
                self._deliver(None)
            for _ in range(late - skipped + 1):
                self._deliver(self._send())
            due = max(due + (late + 1) * TICK_S, loop.time() - MAX_CATCH_UP * TICK_S)
            self._watch(loop.time())

    def _deliver(self, bot: Pcm | None) -> None:
        caller = np.frombuffer(SILENCE if self._held else self._playout.tick(), dtype="<i2")
        self.port.put(caller)
        if self._recording is not None:
            self._recording.add(caller, bot if bot is not None else _SILENT)

    def _send(self) -> Pcm | None:
        """Send this tick's packet; the audio that went out."""
        if not self.stream.can_send or self._muted:
            self.stream.skip()
            self._silent = True
            return None
        if self._press_on():
            return None
        frame = self.port.take()
        timestamp = self.stream.rtp_timestamp
        self.stream.send_audio(SILENCE if frame is None else frame.tobytes(), marker=self._silent and frame is not None)
        self._silent = frame is None
        if self.tap is not None:
            now = asyncio.get_running_loop().time()
            self.tap.sent(SentPacket(now, timestamp, _SILENT if frame is None else frame, frame is not None))
        return frame

    def _press_on(self) -> bool:
        """Send the next packet of a key being pressed; False when there is none."""
        if self._key_gap:
            self._key_gap -= 1
            return False
        while self._dialling:
            if not self._key_started:
                self._key_started = self.stream.rtp_timestamp or 1
            packet = next(self._dialling[0], None)
            if packet is None:
                self._dialling.pop(0)
                self._key_started, self._key_gap = 0, KEY_GAP_TICKS
                return False
            self.stream.send_key(packet[0], self._key_started, marker=packet[1])
            if self.tap is not None:
                self.tap.sent(SentPacket(asyncio.get_running_loop().time(), self._key_started, None, False))
            return True
        return False

    def _watch(self, now: float) -> None:
        limit = self._hold_vanish_s if self._held or self._muted else self._vanish_s
        if now - self.stream.heard_at > limit:
            self.stream.heard_at = float("inf")  # once
            self._on_vanished()

    # --- StreamUser ---

    def audio(self, at: float, packet: RtpPacket) -> None:
        pcm = self._playout.push(packet.payload_type, packet.timestamp, packet.payload)
        if self.tap is not None:
            frame = np.frombuffer(pcm, dtype="<i2")
            self.tap.received(ReceivedPacket(at, packet.timestamp, packet.sequence_number, frame))

    def key(self, at: float, packet: RtpPacket) -> None:
        digit = self._keys.push(packet.timestamp, packet.payload)
        if digit is not None:
            self._playout.keys()
            self._on_key(digit)

    def comfort_noise(self, level: int, timestamp: int) -> None:
        self._playout.quiet(level, timestamp)

    def new_source(self) -> None:
        self._playout.restart()
        self._keys = KeyReceiver()


_SILENT = np.frombuffer(SILENCE, dtype=np.int16)
