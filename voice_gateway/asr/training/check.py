"""Checks of an exported model against the checkpoint: unit errors before and after int8, for both sizes of chunk."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from voice_gateway.asr.training.batches import Batch, plain_batches
from voice_gateway.asr.training.export import OnnxStepper, load_averaged
from voice_gateway.asr.training.model import CHUNKS
from voice_gateway.asr.training.score import Errors, collapse, evaluate
from voice_gateway.asr.training.waves import Waves
from voice_gateway.asr.units import SYMBOLS


@dataclass(frozen=True, slots=True)
class Check:
    """One held-out set and size of chunk: error counts in float32 and in int8."""

    name: str
    float32: Errors
    int8: Errors
    cpu_seconds: float
    audio_seconds: float

    def lines(self) -> list[str]:
        """Return the report: rates, then the commonest confusions of the streaming model."""
        share = self.cpu_seconds / max(1e-9, self.audio_seconds)
        head = (
            f"{self.name}: unit error rate {self.float32.rate:.4f} (float32) "
            f"{self.int8.rate:.4f} (int8), {self.int8.units} units, "
            f"real-time factor {share:.4f} (batches of 16, one thread)"
        )
        names = {-1: "-", **dict(enumerate(SYMBOLS))}
        common = (f"{names[a]}>{names[b]} {n}" for (a, b), n in self.int8.confusions.most_common(40))
        return [head, f"  wrong in tone only: {tone_errors(self.int8):.4f} of all units", "  " + ", ".join(common)]


def tone_errors(errors: Errors) -> float:
    """Return the share of units that were heard right but for their tone."""
    wrong = sum(
        count
        for (wanted, got), count in errors.confusions.items()
        if wanted > 0 and got > 0 and SYMBOLS[wanted][:-1] == SYMBOLS[got][:-1] and SYMBOLS[wanted][-1].isdigit()
    )
    return wrong / max(1, errors.units)


def check(checkpoint: Path, onnx: Path, waves: Waves, splits: Sequence[str], most: int = 400) -> list[Check]:
    """Compare ``onnx`` with ``checkpoint`` on held-out ``splits`` of ``waves``, at most ``most`` clips each."""
    torch.set_num_threads(1)
    model, features = load_averaged(checkpoint)
    stepper = OnnxStepper(onnx)
    found = []
    for split in splits:
        rows = np.random.default_rng(3).permutation(waves.of_split(split))[:most]
        if not len(rows):
            continue
        batches = plain_batches(waves, rows, features, model.options.delay_frames)
        for chunk in CHUNKS:
            name = f"{split}, chunks of {chunk * 10} ms"
            found.append(_compare(name, batches, stepper, chunk, evaluate(model, batches, chunk)))
    return found


def _compare(name: str, batches: Sequence[Batch], stepper: OnnxStepper, chunk: int, float32: Errors) -> Check:
    int8, cpu, audio = Errors(), 0.0, 0.0
    for batch in batches:
        started = time.process_time()
        scores = stepper(batch.features.numpy(), chunk)
        cpu += time.process_time() - started
        audio += batch.features.shape[0] * batch.features.shape[1] * 0.01
        start = 0
        for row, size in enumerate(batch.label_sizes.tolist()):
            heard = collapse(scores[row, : int(batch.frames[row])].argmax(axis=-1).tolist())
            int8.add(batch.labels[start : start + size].tolist(), heard)
            start += size
    return Check(name, float32, int8, cpu, audio)
