"""Acoustic features of one utterance (librosa), and arousal from them relative to the same caller.

Telephone speech, 8 or 16 kHz. Level, pitch (YIN, de Cheveigné and Kawahara 2002), syllable rate (energy nuclei, after
de Jong and Wempe 2009) and spectral tilt are the cues of vocal effort that survive a telephone line. How loud or high a
voice is says little by itself; how much louder or higher than the same voice a minute ago says much. So deviations
from the caller's own baseline (Welford 1962, calm speech only) are what counts, and without a baseline only the cues
that differ little between people count, with low confidence.
"""

from __future__ import annotations

import math
from dataclasses import astuple

import numpy as np
import numpy.typing as npt

from common.errors import BadInput
from emotion.api import AcousticBaseline, AcousticFeatures, AcousticReading, Evidence, HearRequest, HearResult

Wave = npt.NDArray[np.float32]

HOP_S = 0.016
WINDOW_S = 0.064
MIN_PITCH_HZ, MAX_PITCH_HZ = 65.0, 480.0
SILENCE_DBFS = -60.0
BELOW_PEAK_DB = 26.0
MIN_VOICED_S = 0.15
CALM_BELOW = 0.5
BASELINE_CAP = 12.0
FULL_CONFIDENCE_S = 1.5

_NAMES = ("level", "pitch", "pitch range", "rate", "tilt")
_UNITS = ("dB", "semitones", "semitones", "syllables/s", "dB")
_SCALE = (5.0, 3.0, 3.0, 1.5, 4.0)  # a deviation of this much is one unit of arousal evidence
_WEIGHT = (1.0, 0.8, 0.25, 0.6, 0.5)
_USUAL = (-24.0, 0.0, 5.0, 4.5, -14.0)  # without a baseline; level and pitch differ too much between lines and people
_WEIGHT_UNKNOWN = (0.25, 0.0, 0.15, 0.5, 0.3)
_OFFSET, _SLOPE = 1.25, 1.7  # arousal = logistic(slope * (sum - offset)): 0.11 at the baseline, 0.5 at 1.25 units


def extract(pcm: npt.NDArray[np.int16], rate: int) -> AcousticFeatures | None:
    """Features of an utterance, int16 [n] at 8000 or 16000 Hz; None when less than 0.15 s of it is voiced speech."""
    import librosa

    wave: Wave = pcm.astype(np.float32) / 32768.0
    hop, window = int(rate * HOP_S), int(rate * WINDOW_S)
    if len(wave) < 2 * window:
        return None
    level = librosa.amplitude_to_db(librosa.feature.rms(y=wave, frame_length=window, hop_length=hop)[0], ref=1.0)
    spectrum = np.abs(librosa.stft(wave, n_fft=window, hop_length=hop)) ** 2
    crossings = librosa.feature.zero_crossing_rate(wave, frame_length=window, hop_length=hop)[0]
    pitch = librosa.yin(
        wave, fmin=MIN_PITCH_HZ, fmax=MAX_PITCH_HZ, sr=rate, frame_length=window, hop_length=hop, trough_threshold=0.15
    )
    count = min(len(level), len(pitch), len(crossings), spectrum.shape[1])
    level, pitch, crossings, spectrum = level[:count], pitch[:count], crossings[:count], spectrum[:, :count]
    loud = level > max(SILENCE_DBFS, float(level.max()) - BELOW_PEAK_DB)
    voiced = loud & (crossings < 0.3) & (pitch > MIN_PITCH_HZ * 1.05) & (pitch < MAX_PITCH_HZ * 0.97)
    seconds = float(voiced.sum()) * HOP_S
    if seconds < MIN_VOICED_S:
        return None
    semitones = 12.0 * np.log2(pitch[voiced])
    middle = float(np.median(semitones))
    kept = semitones[np.abs(semitones - middle) < 12.0]  # octave errors
    low, high = np.percentile(kept, [25, 75])
    split = int(1000 * window / rate)
    energy = spectrum[:, voiced].sum(axis=1) + 1e-12
    return AcousticFeatures(
        level_db=float(np.mean(level[voiced])),
        pitch_hz=float(2.0 ** (float(np.median(kept)) / 12.0)),
        pitch_range_st=float(high - low),
        rate_sps=_syllables(level, loud) / max(0.2, float(loud.sum()) * HOP_S),
        tilt_db=float(10.0 * np.log10(energy[split:].sum() / energy[:split].sum())),
        voiced_s=seconds,
    )


def _syllables(level: npt.NDArray[np.float32], loud: npt.NDArray[np.bool_]) -> int:
    """Energy peaks that stand out by 2 dB and lie 90 ms apart or more."""
    from scipy.signal import find_peaks

    smooth = np.convolve(level, np.ones(3) / 3.0, mode="same")
    peaks, _ = find_peaks(smooth, prominence=2.0, distance=max(1, round(0.09 / HOP_S)))
    return int(loud[peaks].sum())


def _vector(features: AcousticFeatures) -> tuple[float, ...]:
    """The five cues with pitch in semitones."""
    pitch = 12.0 * math.log2(features.pitch_hz) if features.pitch_hz > 0 else 0.0
    return (features.level_db, pitch, features.pitch_range_st, features.rate_sps, features.tilt_db)


def read(features: AcousticFeatures, baseline: AcousticBaseline | None) -> AcousticReading:
    """Arousal of an utterance, relative to the caller's baseline when there is one."""
    now = _vector(features)
    if baseline is not None and baseline.weight > 0:
        usual, weights = _vector(baseline.mean), _WEIGHT
        spread = tuple(math.sqrt(max(0.0, v)) for v in astuple(baseline.var)[:5])
        trust = min(1.0, 0.6 + 0.1 * baseline.weight)
    else:
        usual, weights, spread, trust = _USUAL, _WEIGHT_UNKNOWN, (0.0,) * 5, 0.35
    evidence = []
    total = 0.0
    for name, unit, value, mean, own, scale, weight in zip(
        _NAMES, _UNITS, now, usual, spread, _SCALE, weights, strict=True
    ):
        if weight == 0.0:
            continue
        units = max(-1.5, min(2.5, (value - mean) / max(scale, 1.5 * own)))
        amount = weight * units
        total += amount
        if abs(amount) >= 0.25:
            evidence.append(Evidence("voice", f"{name} {value - mean:+.1f} {unit}", round(amount, 3)))
    arousal = 1.0 / (1.0 + math.exp(-_SLOPE * (total - _OFFSET)))
    confidence = trust * min(1.0, features.voiced_s / FULL_CONFIDENCE_S)
    return AcousticReading(arousal, confidence, features, tuple(sorted(evidence, key=lambda e: -abs(e.amount))))


def update(baseline: AcousticBaseline | None, reading: AcousticReading) -> AcousticBaseline:
    """The baseline after this utterance. Only calm speech moves it (the first utterance always does)."""
    features = reading.features
    if baseline is None or baseline.weight <= 0:
        zero = AcousticFeatures(0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
        return AcousticBaseline(features, zero, 1.0)
    if reading.arousal >= CALM_BELOW:
        return baseline
    weight = min(BASELINE_CAP, baseline.weight + 1.0)
    share = 1.0 / weight
    mean, var = [], []
    for value, m, v in zip(astuple(features), astuple(baseline.mean), astuple(baseline.var), strict=True):
        delta = value - m
        mean.append(m + share * delta)
        var.append((1.0 - share) * (v + share * delta * delta))
    return AcousticBaseline(AcousticFeatures(*mean), AcousticFeatures(*var), weight)


def hear(request: HearRequest, max_seconds: float) -> HearResult:
    """The whole of `EmotionService.hear`, blocking."""
    if request.sample_rate not in (8000, 16000):
        raise BadInput(f"sample_rate is {request.sample_rate}; 8000 and 16000 Hz are understood")
    if not request.pcm or len(request.pcm) % 2:
        raise BadInput("pcm must be whole int16 samples, at least one")
    pcm = np.frombuffer(request.pcm, dtype="<i2")[-int(max_seconds * request.sample_rate) :]
    features = extract(pcm, request.sample_rate)
    if features is None:
        nothing = AcousticFeatures(SILENCE_DBFS, 0.0, 0.0, 0.0, 0.0, 0.0)
        unknown = AcousticReading(0.0, 0.0, nothing, (Evidence("voice", "too little voiced speech", 0.0),))
        return HearResult(unknown, request.baseline or AcousticBaseline(nothing, nothing, 0.0))
    reading = read(features, request.baseline)
    return HearResult(reading, update(request.baseline, reading))
