"""From packets as they come to one 20 ms frame per tick: cutting, jitter buffer, concealment.

aiortp's AdaptivePlayout does the buffering; it wants frames of 20 ms, so packets of other lengths (10, 30, 40 ms …) are
cut into such frames first, on the timestamp grid. No sockets, no clock.
"""

from __future__ import annotations

from aiortp.codecs import get_codec
from aiortp.codecs.base import Codec
from aiortp.playout import AdaptivePlayout

SAMPLE_RATE = 8000
FRAME_SAMPLES = 160
FRAME_BYTES = 2 * FRAME_SAMPLES
SILENCE = bytes(FRAME_BYTES)


class _Linear(Codec):
    """Frames are decoded on arrival, since each packet may have its own payload type."""

    @property
    def name(self) -> str:
        return "linear"

    @property
    def sample_rate(self) -> int:
        return SAMPLE_RATE

    @property
    def samples_per_frame(self) -> int:
        return FRAME_SAMPLES

    def encode(self, pcm: bytes) -> bytes:
        return pcm

    def decode(self, payload: bytes) -> bytes:
        return payload


class Playout:
    """Audio packets in, 20 ms frames (s16le bytes) out."""

    def __init__(self, max_delay_ms: int) -> None:
        self._buffer = AdaptivePlayout(_Linear(), max_delay_ms=max_delay_ms)
        self._codecs = {payload_type: get_codec(payload_type) for payload_type in (0, 8)}
        self._rest = b""  # the begun frame of a sender whose packets are no multiple of 20 ms
        self._rest_at = 0

    @property
    def concealed(self) -> int:
        """Frames made up so far."""
        return self._buffer.concealed_frames

    def push(self, payload_type: int, timestamp: int, payload: bytes) -> bytes:
        """A packet of G.711; returns it decoded."""
        pcm = self._codecs[payload_type].decode(payload)
        if len(pcm) == FRAME_BYTES and not self._rest:
            self._buffer.put(timestamp, pcm)
            return pcm
        data, at = pcm, timestamp
        if self._rest and (self._rest_at + len(self._rest) // 2) & 0xFFFFFFFF == timestamp:
            data, at = self._rest + pcm, self._rest_at
        while len(data) >= FRAME_BYTES:
            self._buffer.put(at, data[:FRAME_BYTES])
            data, at = data[FRAME_BYTES:], (at + FRAME_SAMPLES) & 0xFFFFFFFF
        self._rest, self._rest_at = data, at
        return pcm

    def quiet(self, level: int, timestamp: int) -> None:
        """Comfort noise (RFC 3389) from `timestamp` on, level in -dBov."""
        self._buffer.set_cn(level, timestamp)

    def keys(self) -> None:
        """A telephone-event replaces audio: what comes next starts a new stretch."""
        self._rest = b""
        self._buffer.suppress()

    def restart(self) -> None:
        """Another source."""
        self._rest = b""
        self._buffer.reset()

    def tick(self) -> bytes:
        """The next 20 ms; silence while nothing comes."""
        frame = self._buffer.tick()
        return frame[0] if frame is not None else SILENCE
