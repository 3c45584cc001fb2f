"""Plain audio arithmetic on mono PCM int16. No codec, no device."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

Pcm = npt.NDArray[np.int16]
SILENCE_DBFS = -96.0


def dbfs(pcm: Pcm) -> float:
    """RMS level in dB relative to full scale; SILENCE_DBFS for silence or an empty array."""
    if not len(pcm):
        return SILENCE_DBFS
    power = float(np.mean(np.square(pcm.astype(np.float32))))
    return max(SILENCE_DBFS, 10.0 * float(np.log10(power / 32768.0**2))) if power > 0 else SILENCE_DBFS


def gain(pcm: Pcm, db: float) -> Pcm:
    """`pcm` louder by `db`, clipped to int16."""
    louder: Pcm = np.clip(pcm.astype(np.float32) * 10.0 ** (db / 20.0), -32768, 32767).astype(np.int16)
    return louder


def resample(pcm: Pcm, rate_in: int, rate_out: int) -> Pcm:
    """The whole of `pcm` at another rate (soxr, high quality). For streams use `Resampler`."""
    if rate_in == rate_out:
        return pcm
    import soxr

    return np.asarray(soxr.resample(pcm, rate_in, rate_out), dtype=np.int16)


class Resampler:
    """Streaming resampler (soxr) that keeps its state between pushes."""

    def __init__(self, rate_in: int, rate_out: int) -> None:
        import soxr

        self._stream = None if rate_in == rate_out else soxr.ResampleStream(rate_in, rate_out, 1, dtype="int16")

    def push(self, pcm: Pcm, *, last: bool = False) -> Pcm:
        """What can be said of the output so far, int16 [m]; `last` gives the tail."""
        if self._stream is None:
            return pcm
        return np.asarray(self._stream.resample_chunk(pcm, last=last), dtype=np.int16)


def frames(pcm: Pcm, size: int) -> Iterator[Pcm]:
    """Cut into frames of `size` samples, the last padded with zeros."""
    for start in range(0, len(pcm), size):
        frame = pcm[start : start + size]
        yield frame if len(frame) == size else np.pad(frame, (0, size - len(frame)))


def read_wav(path: Path, rate: int) -> Pcm:
    """Any file libsndfile reads, mixed to mono int16 at `rate` Hz."""
    import soundfile

    data, found = soundfile.read(path, dtype="int16", always_2d=True)
    mono = data[:, 0] if data.shape[1] == 1 else data.mean(axis=1).astype(np.int16)
    return resample(np.ascontiguousarray(mono), found, rate)


def write_wav(path: Path, pcm: Pcm, rate: int) -> None:
    """int16 [n] mono or [n, channels] as a WAV file."""
    import soundfile

    soundfile.write(path, pcm, rate, subtype="PCM_16")
