"""The port of voice activity detection: frames in, speech probabilities out."""

from __future__ import annotations

from typing import Protocol

from common.audio import Pcm

WINDOW_MS = 32


class VadStream(Protocol):
    """The state of one call. Cheap enough for the event loop (well below 1 ms a push)."""

    def push(self, frame: Pcm) -> list[float]:
        """Add int16 [n]; the speech probability (0 … 1) of each window of WINDOW_MS that it completes."""
        ...

    def reset(self) -> None:
        """Forget what was heard."""
        ...


class VadEngine(Protocol):
    """A loaded detector, shared by all calls."""

    def stream(self, sample_rate: int) -> VadStream:
        """State for one call at 8000 or 16000 Hz; Misconfigured for another rate."""
        ...
