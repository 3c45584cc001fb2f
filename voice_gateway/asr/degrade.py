"""What a telephone line does to speech: G.711, noise, lost packets. Pure and seeded, for measuring recognisers."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from common.audio import resample
from voice_gateway.asr.api import Samples

PACKET_MS = 20
CODECS = ("pcmu", "pcma")


@dataclass(frozen=True, slots=True)
class Line:
    """A line: sample rate in Hz, G.711 law or "", noise at `snr_db` below the speech, share of packets lost (0..1)."""

    rate: int = 8000
    codec: str = ""
    snr_db: float | None = None
    loss: float = 0.0

    def apply(self, audio: Samples, seed: int) -> Samples:
        """Speech int16 [n] at `rate`, as it arrives at the other end."""
        rng = np.random.default_rng(seed)
        if self.snr_db is not None:
            audio = add_noise(audio, self.snr_db, rng)
        if self.codec:
            audio = g711(audio, self.codec)
        return lose(audio, self.rate, self.loss, rng) if self.loss else audio


def load(path: Path, rate: int) -> Samples:
    """Any file that libsndfile reads, mixed to mono, at `rate`, int16."""
    import soundfile

    audio, native = soundfile.read(str(path), dtype="int16", always_2d=True)
    return resample(audio.mean(axis=1).astype(np.int16), native, rate)


def g711(audio: Samples, law: str) -> Samples:
    """Through G.711 and back (ITU-T G.711), by aiortp's codecs."""
    from aiortp.codecs.g711 import PcmaCodec, PcmuCodec

    codec = {"pcmu": PcmuCodec, "pcma": PcmaCodec}[law]()
    return np.frombuffer(codec.decode(codec.encode(audio.astype("<i2").tobytes())), dtype="<i2").astype(np.int16)


def add_noise(audio: Samples, snr_db: float, rng: np.random.Generator) -> Samples:
    """Add pink-like noise (white through a one-pole low pass), `snr_db` below the loud half of the speech."""
    frames = audio[: len(audio) // 160 * 160].astype(np.float64).reshape(-1, 160)
    power = np.sort(np.mean(frames**2, axis=1)) if len(frames) else np.zeros(1)
    level = float(np.mean(power[len(power) // 2 :]))
    white = rng.standard_normal(len(audio) + 64)
    kernel = 0.7 ** np.arange(24)
    noise = np.convolve(white, kernel, mode="same")[: len(audio)]
    noise *= np.sqrt(level / 10 ** (snr_db / 10) / max(float(np.mean(noise**2)), 1e-9))
    return np.clip(audio + noise, -32768, 32767).astype(np.int16)


def lose(audio: Samples, rate: int, share: float, rng: np.random.Generator) -> Samples:
    """Lose packets of 20 ms at random; a lost one is the last one again, at half level, then silence."""
    size = rate * PACKET_MS // 1000
    result = audio.copy()
    gain = 0.5
    for start in range(size, len(audio), size):
        if rng.random() < share:
            before = result[start - size : start]
            piece = result[start : start + size]
            piece[:] = (before[: len(piece)] * gain).astype(np.int16)
            gain *= 0.5
        else:
            gain = 0.5
    return result
