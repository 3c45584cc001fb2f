"""Telephone augmentation of 8 kHz speech: what a phone line, a room and a bot's loudspeaker do to a caller's voice.

Every effect is a pure function of an array and a seeded generator. Waves are float32 in int16 scale. G.711 follows
ITU-T G.711; reverberation is exponentially decaying noise (Polack's model).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
RATE = 8_000
_PACKET = RATE // 50


@dataclass(frozen=True, slots=True)
class Strength:
    """Probabilities of the effects. ``Strength()`` is for training; ``PLAIN`` leaves only the codec."""

    speed: float = 0.5
    reverb: float = 0.3
    noise: float = 0.55
    echo: float = 0.1
    band: float = 0.6
    codec: float = 0.75
    loss: float = 0.12
    warp: float = 0.5
    level: float = 1.0
    edges: bool = True


def change_speed(wave: Floats, factor: float) -> Floats:
    """Play ``factor`` times as fast (pitch and formants move too), by linear interpolation."""
    positions = np.arange(0, len(wave) - 1, factor)
    faster: Floats = np.interp(positions, np.arange(len(wave)), wave).astype(np.float32)
    return faster


def reverberate(wave: Floats, rng: np.random.Generator) -> Floats:
    """Add a room with RT60 of 0.1 to 0.5 s, direct sound dominant."""
    from scipy.signal import oaconvolve

    rt60 = rng.uniform(0.1, 0.5)
    size = int(RATE * min(rt60, 0.35))
    tail = rng.standard_normal(size) * np.exp(-6.9 * np.arange(size) / (rt60 * RATE))
    tail[: int(RATE * 0.002)] = 0.0
    tail *= 10 ** (rng.uniform(-12, 0) / 20) / (np.sqrt(np.sum(tail**2)) + 1e-9)
    tail[0] = 1.0
    wet: Floats = oaconvolve(wave, tail.astype(np.float32))[: len(wave)].astype(np.float32)
    return wet


@lru_cache(maxsize=4)
def noise_bank(seconds: int = 40) -> Floats:
    """Return float32 [3, samples]: white, pink and brown noise of unit RMS, from a fixed seed."""
    rng = np.random.default_rng(7)
    spectrum = np.fft.rfft(rng.standard_normal((3, seconds * RATE)), axis=1)
    hertz = np.fft.rfftfreq(seconds * RATE, 1 / RATE)
    hertz[0] = hertz[1]
    for row, power in enumerate((0.0, 0.5, 1.0)):
        spectrum[row] /= np.maximum(hertz, 20.0) ** power
    noise = np.fft.irfft(spectrum, axis=1)
    bank: Floats = (noise / np.sqrt(np.mean(noise**2, axis=1, keepdims=True))).astype(np.float32)
    return bank


def rms(wave: npt.NDArray[Any]) -> float:
    return float(np.sqrt(np.mean(np.square(wave, dtype=np.float64)) + 1e-9))


def mix_at(wave: Floats, other: npt.NDArray[Any], decibels: float) -> Floats:
    """Add ``other`` (cut or repeated to length) ``decibels`` below the wave."""
    stretched = np.resize(other, len(wave)).astype(np.float32)
    gain = rms(wave) / (rms(stretched) + 1e-6) * 10 ** (-decibels / 20)
    return wave + stretched * np.float32(gain)


@lru_cache(maxsize=32)
def _band(low: int, high: int) -> npt.NDArray[np.float64]:
    from scipy.signal import butter

    return np.asarray(butter(3, [low, high], btype="bandpass", fs=RATE, output="sos"))


def telephone_band(wave: Floats, rng: np.random.Generator) -> Floats:
    """Keep about 300 to 3400 Hz, the edges drawn from a few."""
    from scipy.signal import sosfilt

    low, high = int(rng.choice((150, 200, 250, 300))), int(rng.choice((3300, 3400, 3500, 3600)))
    filtered: Floats = sosfilt(_band(low, high), wave).astype(np.float32)
    return filtered


@lru_cache(maxsize=2)
def g711_table(law: str) -> npt.NDArray[np.int16]:
    """Return int16 [65536]: what each sample (index = sample + 32768) becomes after ``pcmu`` or ``pcma`` and back."""
    samples = np.arange(-32768, 32768, dtype=np.int64)
    sign = np.where(samples < 0, -1, 1)
    decoded: npt.NDArray[np.int64]
    if law == "pcmu":
        biased = np.minimum(np.abs(samples), 32635) + 132
        step = np.maximum(np.floor(np.log2(biased)).astype(np.int64) - 7, 0)
        decoded = (((biased >> (step + 3)) & 15) * 2 + 33 << (step + 2)) - 132
        return np.asarray(sign * decoded, np.int16)
    if law != "pcma":
        raise ValueError(f"unknown law: {law!r}")
    magnitude = np.minimum(np.where(samples < 0, -samples - 1, samples), 32767)
    step = np.maximum(np.floor(np.log2(np.maximum(magnitude, 1))).astype(np.int64) - 8, 0)
    shift = np.maximum(step, 0) + 4
    mantissa = magnitude >> shift
    segment_zero = magnitude < 256
    decoded = np.where(segment_zero, (magnitude >> 4 << 4) + 8, (mantissa << shift) + (1 << (shift - 1)))
    return np.asarray(sign * decoded, np.int16)


def g711(wave: npt.NDArray[Any], law: str) -> Floats:
    """Send a wave through G.711 and back; clips to int16."""
    index = np.clip(np.rint(wave), -32768, 32767).astype(np.int64) + 32768
    return np.asarray(g711_table(law)[index], np.float32)


def lose_packets(wave: Floats, rng: np.random.Generator, rate: float) -> Floats:
    """Lose 20 ms packets in short bursts; each is silent or a fading repeat of the packet before."""
    out = wave.copy()
    repeat = rng.random() < 0.6
    fade = 1.0
    lost = False
    for start in range(_PACKET, len(out) - _PACKET, _PACKET):
        lost = bool(rng.random() < (0.35 if lost else rate))
        fade = fade * 0.7 if lost else 1.0
        if lost:
            before = out[start - _PACKET : start]
            out[start : start + _PACKET] = before * np.float32(fade) if repeat else 0.0
    return out


def pad_edges(wave: Floats, rng: np.random.Generator) -> Floats:
    """Put 0 to 0.4 s of quiet before and 0.1 to 0.5 s after, so that edges are heard as they are on a line."""
    before, after = int(rng.uniform(0.0, 0.4) * RATE), int(rng.uniform(0.1, 0.5) * RATE)
    return np.concatenate([np.zeros(before, np.float32), wave, np.zeros(after, np.float32)])


def telephone(
    wave: npt.NDArray[np.int16],
    rng: np.random.Generator,
    strength: Strength,
    others: Callable[[], npt.NDArray[np.int16]],
) -> Floats:
    """Return the wave as a telephone brings it; ``others`` returns the wave of a random other clip (babble, echo)."""
    out = wave.astype(np.float32)
    if rng.random() < strength.speed:
        out = change_speed(out, float(rng.uniform(0.88, 1.14)))
    if strength.edges:
        out = pad_edges(out, rng)
    if rng.random() < strength.reverb:
        out = reverberate(out, rng)
    if rng.random() < strength.noise:
        kind = int(rng.integers(0, 4))
        if kind < 3:
            bank = noise_bank()
            start = int(rng.integers(0, bank.shape[1] - min(len(out), bank.shape[1] // 2)))
            out = mix_at(out, bank[kind, start : start + len(out)], float(rng.uniform(5, 35)))
        else:
            babble = sum(np.resize(others(), len(out)).astype(np.float32) for _ in range(3))
            out = mix_at(out, np.asarray(babble), float(rng.uniform(8, 30)))
    if rng.random() < strength.echo:
        out = mix_at(out, others(), float(rng.uniform(14, 32)))
    if rng.random() < strength.band:
        out = telephone_band(out, rng)
    if rng.random() < strength.level:
        loudness = 32768 * 10 ** (rng.uniform(-38, -12) / 20)
        out = out * np.float32(loudness / (rms(out) + 1.0))
    out = np.clip(out, -32768, 32767)
    if rng.random() < strength.codec:
        out = g711(out, "pcmu" if rng.random() < 0.5 else "pcma")
    if rng.random() < strength.loss:
        out = lose_packets(out, rng, float(rng.uniform(0.005, 0.04)))
    return out


GENTLE = Strength(speed=0.5, reverb=0.0, noise=0.0, echo=0.0, band=0.4, loss=0.0, warp=0.5)
PLAIN = Strength(0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, edges=False)

