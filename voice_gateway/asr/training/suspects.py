"""Recordings whose transcript is of something else: a model that is good enough hears it, and they are left out.

In the Common Voice release that we train on, several clips in a hundred carry the sentence of another clip. Their loss
is several times that of a right one, so they rule the gradient long before a model is good. A clip is suspect when the
model, trained on it or not, gets more than ``LIMIT`` of its units wrong.
"""

from __future__ import annotations

import logging
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from voice_gateway.asr.training.batches import plain_batches
from voice_gateway.asr.training.export import load_averaged
from voice_gateway.asr.training.fbank import FbankOptions
from voice_gateway.asr.training.model import CHUNKS, Recogniser
from voice_gateway.asr.training.score import error_rates
from voice_gateway.asr.training.waves import Waves

LIMIT = 0.6
FILE = "suspects.npy"
_log = logging.getLogger(__name__)
Indices = npt.NDArray[np.int64]


_opened: tuple[Recogniser, FbankOptions, Waves]


def _open(checkpoint: Path, waves: Waves) -> None:
    global _opened
    torch.set_num_threads(1)
    _opened = (*load_averaged(checkpoint), waves)


def _rates(rows: Indices) -> list[float]:
    """Return the unit error rate of each clip of ``rows`` (by length), through mu-law, on one thread."""
    model, features, waves = _opened
    batches = plain_batches(waves, rows, features, model.options.delay_frames)
    return [rate for batch in batches for rate in error_rates(model, batch, CHUNKS[-1])]


def find(checkpoint: Path, waves: Waves, jobs: int = 2) -> Indices:
    """Return the indices of the suspect training clips of ``waves``."""
    rows = waves.of_split("train")
    rows = rows[np.argsort(waves.length[rows], kind="stable")]
    groups = [rows[start : start + 64] for start in range(0, len(rows), 64)]
    forked = get_context("fork")  # so that the samples are shared, not copied
    with ProcessPoolExecutor(jobs, forked, _open, (checkpoint, waves)) as pool:
        wrong = np.concatenate([np.array(found) for found in pool.map(_rates, groups)])
    suspects: Indices = np.sort(rows[wrong > LIMIT])
    _log.info("%d of %d training clips are suspect", len(suspects), len(rows))
    return suspects


def leave_out(waves: Waves, folder: Path) -> Waves:
    """Return ``waves`` without the suspects that ``folder`` lists for it, if it does; they become split ``suspect``."""
    path = folder / FILE
    if not path.exists():
        return waves
    split = waves.split.copy()
    split[np.load(path)] = "suspect"
    return Waves(**{**{name: getattr(waves, name) for name in waves.__slots__}, "split": split})
