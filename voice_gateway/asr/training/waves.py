"""A cache of 8 kHz waveforms and labels: one flat int16 file and an index, memory-mapped by every loader process.

``waves.i16`` holds all samples end to end; ``waves.npz`` holds per clip ``offset``, ``length`` (samples), ``split``,
``source``, ``speaker``, ``text`` and the labels as one flat array with ``label_offset``. Near-silent clips, clips
without labels and clips of more than 12 s are left out.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from voice_gateway.asr.training.corpus import Clip, unit_labels

RATE = 8_000
MAX_SECONDS = 12.0
MIN_RMS = 40.0
"""RMS (int16 scale) of the loudest half second below which a clip counts as silent."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Waves:
    """The opened cache. ``samples`` is int16 [total]; the other arrays have one row per clip."""

    samples: npt.NDArray[np.int16]
    offset: npt.NDArray[np.int64]
    length: npt.NDArray[np.int64]
    labels: npt.NDArray[np.int16]
    label_offset: npt.NDArray[np.int64]
    split: npt.NDArray[np.str_]
    source: npt.NDArray[np.str_]
    speaker: npt.NDArray[np.str_]
    text: npt.NDArray[np.str_]

    def __len__(self) -> int:
        return len(self.offset)

    def wave(self, index: int) -> npt.NDArray[np.int16]:
        start = int(self.offset[index])
        return self.samples[start : start + int(self.length[index])]

    def label(self, index: int) -> npt.NDArray[np.int16]:
        return self.labels[int(self.label_offset[index]) : int(self.label_offset[index + 1])]

    def of_split(self, split: str) -> npt.NDArray[np.int64]:
        return np.flatnonzero(self.split == split)


def decode(path: Path) -> npt.NDArray[np.int16]:
    """Read any file that libsndfile reads as 8 kHz mono int16."""
    import soundfile
    from scipy.signal import resample_poly

    audio, rate = soundfile.read(str(path), dtype="float32", always_2d=True)
    mono = audio.mean(axis=1)
    if rate != RATE:
        mono = resample_poly(mono, RATE, rate)
    samples: npt.NDArray[np.int16] = np.clip(mono * 32767.0, -32768, 32767).astype(np.int16)
    return samples


def loudest_rms(wave: npt.NDArray[np.int16]) -> float:
    """Return the RMS of the loudest half second (of everything when shorter)."""
    size = RATE // 2
    usable = len(wave) // size * size
    parts = wave[:usable].reshape(-1, size) if usable else wave[None]
    return float(np.sqrt(np.mean(parts.astype(np.float64) ** 2, axis=1)).max()) if wave.size else 0.0


def build(clips: Sequence[Clip], folder: Path, name: str = "waves", jobs: int = 2) -> Waves:
    """Decode ``clips`` into ``folder``; an existing cache of that name is opened as it is."""
    index = folder / f"{name}.npz"
    if index.exists():
        return load(folder, name)
    folder.mkdir(parents=True, exist_ok=True)
    kept: list[dict[str, Any]] = []
    total = 0
    with (folder / f"{name}.i16").open("wb") as out, ProcessPoolExecutor(jobs) as pool:
        for clip, wave in zip(clips, pool.map(decode, [c.path for c in clips], chunksize=32), strict=True):
            try:
                labels = unit_labels(clip.text)
            except ValueError as error:
                _log.warning("clip left out", extra={"reason": str(error)})
                continue
            if not labels or len(wave) > MAX_SECONDS * RATE or loudest_rms(wave) < MIN_RMS:
                continue
            wave.tofile(out)
            kept.append({"offset": total, "length": len(wave), "labels": labels, "clip": clip})
            total += len(wave)
    sizes = np.array([len(k["labels"]) for k in kept], np.int64)
    np.savez(
        index,
        offset=np.array([k["offset"] for k in kept], np.int64),
        length=np.array([k["length"] for k in kept], np.int64),
        labels=np.concatenate([np.array(k["labels"], np.int16) for k in kept]),
        label_offset=np.concatenate([np.zeros(1, np.int64), np.cumsum(sizes)]),
        split=np.array([k["clip"].split for k in kept]),
        source=np.array([k["clip"].source for k in kept]),
        speaker=np.array([k["clip"].speaker for k in kept]),
        text=np.array([k["clip"].text for k in kept]),
    )
    return load(folder, name)


def join(parts: Sequence[Waves]) -> Waves:
    """Return one cache in memory made of several; a single part is returned as it is."""
    if len(parts) == 1:
        return parts[0]
    starts = np.cumsum([0, *(len(p.samples) for p in parts)])
    firsts = np.cumsum([0, *(len(p.labels) for p in parts)])
    bounds = [p.label_offset[:-1] + first for p, first in zip(parts, firsts, strict=False)]
    return Waves(
        samples=np.concatenate([p.samples for p in parts]),
        offset=np.concatenate([p.offset + start for p, start in zip(parts, starts, strict=False)]),
        length=np.concatenate([p.length for p in parts]),
        labels=np.concatenate([p.labels for p in parts]),
        label_offset=np.concatenate([*bounds, firsts[-1:]]),
        split=np.concatenate([p.split for p in parts]),
        source=np.concatenate([p.source for p in parts]),
        speaker=np.concatenate([p.speaker for p in parts]),
        text=np.concatenate([p.text for p in parts]),
    )


def load(folder: Path, name: str = "waves") -> Waves:
    """Open a built cache; raises ``FileNotFoundError``."""
    with np.load(folder / f"{name}.npz") as index:
        arrays = {key: index[key] for key in index.files}
    samples = np.memmap(folder / f"{name}.i16", np.int16, mode="r")
    return Waves(samples=samples, **arrays)
