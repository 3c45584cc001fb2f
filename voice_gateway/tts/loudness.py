"""One level for all voices: speech is brought to a target RMS without knowing its end.

The first window starts from what the voice is known to measure; every later one moves the gain a little towards what
was heard, ramped over the window, so no step is audible. Peaks are rounded off below full scale.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Samples = npt.NDArray[np.float32]

_FRAME = 480
_ACTIVE_DB = -45.0
_KNEE = 0.7
_TRUST = 1.5  # seconds of speech after which what is heard outweighs what was known
_MAX_STEP_DB = 3.0


def active_level(audio: Samples) -> tuple[float, float]:
    """RMS level of the frames with speech in them (dBFS), and how many seconds of them there are."""
    count = len(audio) // _FRAME
    if not count:
        return -96.0, 0.0
    power = np.square(audio[: count * _FRAME].reshape(count, _FRAME)).mean(axis=1)
    active = power[power > 10 ** (_ACTIVE_DB / 10)]
    if not len(active):
        return -96.0, 0.0
    return float(10 * np.log10(active.mean())), len(active) * _FRAME / 24_000


class Leveller:
    """Gain of one text. `known_db` is the level that this voice usually comes out at."""

    def __init__(self, target_db: float, known_db: float) -> None:
        self._target = target_db
        self._heard_db, self._weight = known_db, _TRUST
        self._gain_db = target_db - known_db

    def level(self, audio: Samples) -> Samples:
        """`audio` (24 kHz float32, full scale 1) at the target level."""
        heard, seconds = active_level(audio)
        if seconds:
            total = self._weight + seconds
            self._heard_db = (self._heard_db * self._weight + heard * seconds) / total
            self._weight = min(total, 4 * _TRUST)
        wanted = self._target - self._heard_db
        after = self._gain_db + float(np.clip(wanted - self._gain_db, -_MAX_STEP_DB, _MAX_STEP_DB))
        ramp = np.linspace(self._gain_db, after, len(audio), dtype=np.float32)
        self._gain_db = after
        return _rounded(audio * np.power(np.float32(10), ramp / 20))


def _rounded(audio: Samples) -> Samples:
    """Soft limit: straight up to the knee, then towards full scale without reaching it."""
    size = np.abs(audio)
    over = size > _KNEE
    if over.any():
        room = 1 - _KNEE
        bent = _KNEE + room * np.tanh((size[over] - _KNEE) / room)
        audio = audio.copy()
        audio[over] = np.sign(audio[over]) * bent
    return audio
