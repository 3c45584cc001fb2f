"""Log-mel filter banks as kaldi-native-fbank computes them, in vectorised numpy, with vocal-tract warping.

Training needs thousands of utterances a minute and one mel matrix per warp; calls use kaldi-native-fbank itself, and a
test holds the two together. The filters are the lower 61 of Whisper's 80 for 16 kHz (0 to 3857 Hz, Slaney's scale and
norm, as in librosa): a Fourier transform of 25 ms at 8 kHz has the bins of one at 16 kHz. Hann window, no pre-emphasis,
power spectrum, natural log, no dither, ``snip_edges`` (frame t covers samples 80 t to 80 t + 199). Warping follows
Jaitly and Hinton, "Vocal tract length perturbation improves speech recognition", 2013.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]
_LOG_STEP = np.log(6.4) / 27.0
_EPSILON = float(np.finfo(np.float32).eps)


@dataclass(frozen=True, slots=True)
class FbankOptions:
    """The options of the features, in the units that kaldi-native-fbank uses (Hz, ms)."""

    sample_rate: int = 8_000
    n_mels: int = 61
    low_freq: float = 0.0
    high_freq: float = 3_856.53
    frame_length_ms: float = 25.0
    frame_shift_ms: float = 10.0
    preemphasis: float = 0.0
    window: str = "hann"
    dither: float = 0.0
    remove_dc: bool = False
    mel_scale: str = "slaney"
    round_to_power_of_two: bool = False
    snip_edges: bool = True
    input_scale: str = "int16"

    @property
    def frame_length(self) -> int:
        return int(self.sample_rate * self.frame_length_ms / 1000)

    @property
    def frame_shift(self) -> int:
        return int(self.sample_rate * self.frame_shift_ms / 1000)

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def _mel(hertz: npt.ArrayLike) -> Doubles:
    """Slaney's scale: linear up to 1 kHz, then logarithmic."""
    values = np.asarray(hertz, np.float64)
    return np.where(values < 1000.0, values * 3.0 / 200.0, 15.0 + np.log(np.maximum(values, 1.0) / 1000.0) / _LOG_STEP)


def _hertz(mels: npt.ArrayLike) -> Doubles:
    values = np.asarray(mels, np.float64)
    return np.where(values < 15.0, values * 200.0 / 3.0, 1000.0 * np.exp(_LOG_STEP * (values - 15.0)))


@lru_cache(maxsize=64)
def mel_matrix(options: FbankOptions, warp: float = 1.0) -> Floats:
    """Return the float32 [frame_length // 2 + 1, n_mels] filter bank; ``warp`` scales the frequency axis."""
    hertz = np.arange(options.frame_length // 2 + 1) * (options.sample_rate / options.frame_length)
    knee = 0.85 * options.high_freq * min(1.0, 1.0 / warp)
    top = options.sample_rate / 2
    slope = (top - knee * warp) / (top - knee)
    warped = np.where(hertz <= knee, hertz * warp, top - slope * (top - hertz))[:, None]
    edges = _hertz(np.linspace(_mel(options.low_freq), _mel(options.high_freq), options.n_mels + 2))
    left, centre, right = edges[:-2], edges[1:-1], edges[2:]
    rising, falling = (warped - left) / (centre - left), (right - warped) / (right - centre)
    return (np.maximum(0.0, np.minimum(rising, falling)) * 2.0 / (right - left)).astype(np.float32)


@lru_cache(maxsize=4)
def hann_window(length: int) -> Floats:
    """Return the periodic Hann window."""
    return (0.5 - 0.5 * np.cos(2.0 * np.pi * np.arange(length) / length)).astype(np.float32)


def frame_count(samples: int, options: FbankOptions) -> int:
    """Return how many frames ``samples`` samples give."""
    return 0 if samples < options.frame_length else 1 + (samples - options.frame_length) // options.frame_shift


def fbank(wave: npt.NDArray[Any], options: FbankOptions, warp: float = 1.0) -> Floats:
    """Return float32 [frames, n_mels] of a mono wave in int16 scale."""
    frames = frame_count(len(wave), options)
    if frames == 0:
        return np.zeros((0, options.n_mels), np.float32)
    signal = np.ascontiguousarray(wave, np.float32)
    windows = np.lib.stride_tricks.sliding_window_view(signal, options.frame_length)[:: options.frame_shift][:frames]
    spectrum = np.fft.rfft(windows * hann_window(options.frame_length), axis=1)
    power = (spectrum.real**2 + spectrum.imag**2).astype(np.float32, copy=False)
    mel: Floats = np.log(np.maximum(power @ mel_matrix(options, round(warp, 2)), _EPSILON))
    return mel
