"""Whose RTP is believed: symmetric RTP (RFC 4961) with checks of the source. Pure.

The address in the SDP is believed at once. Another is latched onto by its first packet, but only from the host of the
SDP or the host that signals; later ones only from the latched host (a NAT that changed its port), and only when the
latched source has been silent for `SILENCE_S`. Nobody else's packets are used, and audio is never sent to them.
"""

from __future__ import annotations

from telephony.sip.syntax import Addr

SILENCE_S = 1.0


class Latch:
    """Source filter of one stream."""

    def __init__(self) -> None:
        self._sdp: Addr | None = None
        self._signalling = ""
        self._locked: Addr | None = None
        self._heard_at = 0.0

    def expect(self, sdp: Addr, signalling_host: str) -> None:
        """What the signalling says; a changed address unlocks."""
        if sdp != self._sdp:
            self._locked = None
        self._sdp = sdp
        self._signalling = signalling_host

    @property
    def target(self) -> Addr | None:
        """Where to send."""
        return self._locked or self._sdp

    def admit(self, source: Addr, now: float) -> bool:
        """Whether a packet from `source` is the peer's."""
        if self._sdp is None:
            return False
        if source != self._locked:
            hosts = (self._sdp[0], self._signalling) if self._locked is None else (self._locked[0],)
            quiet = self._locked is None or now - self._heard_at > SILENCE_S
            if source != self._sdp and (source[0] not in hosts or not quiet):
                return False
            if source == self._sdp and self._locked is not None and not quiet:
                return False
            self._locked = source
        self._heard_at = now
        return True
