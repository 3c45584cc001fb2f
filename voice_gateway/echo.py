"""Is what we hear only our own voice coming back? Normalised cross-correlation with what was sent. Numpy, no I/O.

A line or a handset returns the bot's voice delayed by up to 0.7 s and weaker. The last `WINDOW_MS` of incoming audio
are correlated (FFT, pre-emphasised) with all that was sent in that time. A high peak is an echo; it teaches delay and
coupling (the loss in dB), and from then on sound no louder than the expected echo counts as echo even where the peak
is blurred by a codec or a room. A caller who speaks over the echo is louder and not correlated, and passes.

It tells echo from speech, it does not cancel: the recogniser hears the mixture. Compare: the double-talk detectors of
ITU-T G.168 annexes and Geigel's (level only, needs a known loss).
"""

from __future__ import annotations

import math
from collections import deque

import numpy as np
import numpy.typing as npt

from common.audio import SILENCE_DBFS, Pcm
from voice_gateway.api import FRAME_MS

RATE = 8000
WINDOW_MS = 96
MAX_DELAY_MS = 700
_HISTORY_MS = WINDOW_MS + MAX_DELAY_MS + 4
_HEARD_FRAMES = -(-WINDOW_MS // FRAME_MS)
_WINDOW = RATE * WINDOW_MS // 1000
_HISTORY = RATE * _HISTORY_MS // 1000
_FFT = 8192
_FAINT_DB = -50.0
_SURE = 0.70
_LIKELY = 0.45
_MARGIN_DB = 4.0
_MIN_LOSS_DB = 2.0
_LEARN = 0.3
_PRE_EMPHASIS = 0.9
_STEP = RATE * 40 // 1000
_SLACK = RATE * 40 // 1000
_REVERBERATION = RATE * 280 // 1000

Signal = npt.NDArray[np.float32]


class EchoGate:
    """Both directions of one call, frame by frame; `sample_rate` 8000 or 16000."""

    def __init__(self, sample_rate: int) -> None:
        self._halve = sample_rate == 2 * RATE
        self._sent: deque[Pcm] = deque(maxlen=_HISTORY_MS // FRAME_MS)
        self._heard: deque[Pcm] = deque(maxlen=_HEARD_FRAMES)
        self._quiet_ms = MAX_DELAY_MS
        self._delay: int | None = None
        self._coupling_db = 0.0

    @property
    def coupling_db(self) -> float | None:
        """Learned level of the echo relative to what was sent (negative); None while none was found."""
        return self._coupling_db if self._delay is not None else None

    def push(self, heard: Pcm, sent: list[Pcm]) -> None:
        """One frame of 20 ms of incoming audio, and the frames sent meanwhile (none = silence)."""
        self._heard.append(heard)
        if sent:
            self._sent.extend(sent)
            self._quiet_ms = 0
        elif self._quiet_ms < MAX_DELAY_MS:
            self._sent.append(np.zeros_like(heard))
            self._quiet_ms += FRAME_MS

    def is_echo(self) -> bool:
        """The last WINDOW_MS of incoming audio are the bot's own voice, or too faint over it to be a caller."""
        if self._quiet_ms >= MAX_DELAY_MS:
            return False
        heard, sent = self._signal(self._heard, _WINDOW), self._signal(self._sent, _HISTORY)
        level = _level(heard)
        if level < _FAINT_DB:
            return True
        peak, delay, sent_level = _correlate(heard, sent)
        loss = sent_level - level
        if peak >= _SURE and loss >= _MIN_LOSS_DB:
            self._learn(delay, -loss)
            return True
        return self._delay is not None and (peak >= _LIKELY and loss >= _MIN_LOSS_DB or self._is_expected(level, sent))

    def _learn(self, delay: int, coupling: float) -> None:
        known = self._delay is not None
        self._coupling_db = (1 - _LEARN) * self._coupling_db + _LEARN * coupling if known else coupling
        self._delay = delay

    def _is_expected(self, level: float, sent: Signal) -> bool:
        """No louder than the learned echo of what was sent around the learned delay."""
        assert self._delay is not None
        end = len(sent) - self._delay + _SLACK
        around = sent[max(0, end - _REVERBERATION) : end]
        steps = around[len(around) % _STEP :].reshape(-1, _STEP)
        loudest = float(np.max(np.mean(np.square(steps), axis=1))) if len(steps) else 0.0
        return level <= _decibels(loudest) + self._coupling_db + _MARGIN_DB

    def _signal(self, pcm: deque[Pcm], size: int) -> Signal:
        """The last `size` samples at RATE, silence before them where there is less."""
        if not pcm:
            return np.zeros(size, np.float32)
        wide = np.concatenate(pcm).astype(np.float32) / 32768.0
        narrow = wide.reshape(-1, 2).mean(axis=1) if self._halve else wide
        return narrow[-size:] if len(narrow) >= size else np.pad(narrow, (size - len(narrow), 0))


def _correlate(heard: Signal, sent: Signal) -> tuple[float, int, float]:
    """The best peak (0 … 1), its delay in samples, and the level of what was sent there."""
    sharp, reference = _emphasise(heard), _emphasise(sent)
    norm = float(np.sqrt(np.dot(sharp, sharp)))
    product = np.fft.irfft(np.fft.rfft(reference, _FFT) * np.conj(np.fft.rfft(sharp, _FFT)), _FFT)
    lags = product[: _HISTORY - _WINDOW + 1]
    power = np.concatenate(([0.0], np.cumsum(np.square(reference, dtype=np.float64))))
    energy = np.sqrt(np.maximum(power[_WINDOW:] - power[:-_WINDOW], 0.0))
    floor = norm * 1e-3 + 1e-9
    peaks = np.abs(lags) / np.maximum(energy * norm, floor * norm + 1e-9)
    start = int(np.argmax(peaks))
    return float(peaks[start]), _HISTORY - _WINDOW - start, _level(sent[start : start + _WINDOW])


def _emphasise(signal: Signal) -> Signal:
    out = signal.copy()
    out[1:] -= _PRE_EMPHASIS * signal[:-1]
    return out


def _level(signal: Signal) -> float:
    return _decibels(float(np.mean(np.square(signal)))) if len(signal) else SILENCE_DBFS


def _decibels(power: float) -> float:
    return max(SILENCE_DBFS, 10.0 * math.log10(power)) if power > 0 else SILENCE_DBFS
