"""Telephone-events (RFC 4733) in both directions. Pure.

Receiving reports a key at its first packet, so that a lost end packet loses no key; sending gives one packet per 20 ms.
"""

from __future__ import annotations

from collections.abc import Iterator

from aiortp.dtmf import DTMF_EVENTS, EVENT_TO_DIGIT, DtmfEvent

STEP = 160  # samples of 20 ms at 8 kHz
END_COPIES = 3


class KeyReceiver:
    """Packets in, keys out."""

    def __init__(self) -> None:
        self._start: int | None = None
        self._event = -1
        self._duration = 0
        self._ended = False

    def push(self, timestamp: int, payload: bytes) -> str | None:
        """The key that this packet begins, or None. Long presses continue under a new timestamp (2.5.1.3)."""
        try:
            event = DtmfEvent.parse(payload)
        except ValueError:
            return None
        if timestamp == self._start:
            self._duration = max(self._duration, event.duration)
            self._ended |= event.end
            return None
        if self._start is not None and (self._start - timestamp) & 0xFFFFFFFF < 0x80000000:
            return None  # an old packet, out of order
        segment = (
            self._start is not None
            and not self._ended
            and event.event == self._event
            and timestamp == (self._start + self._duration) & 0xFFFFFFFF
        )
        self._start, self._event = timestamp, event.event
        self._duration, self._ended = event.duration, event.end
        return None if segment else EVENT_TO_DIGIT.get(event.event)


def key_packets(digit: str, duration_ms: int = 120, volume: int = 10) -> Iterator[tuple[bytes, bool]]:
    """Payload and marker bit of each packet of one key press. ValueError for what is no key."""
    code = DTMF_EVENTS.get(digit.upper())
    if code is None:
        raise ValueError(f"no such key: {digit!r}")
    steps = max(2, duration_ms // 20)
    for step in range(1, steps):
        yield DtmfEvent(code, False, volume, step * STEP).serialize(), step == 1
    for _ in range(END_COPIES):
        yield DtmfEvent(code, True, volume, steps * STEP).serialize(), False
