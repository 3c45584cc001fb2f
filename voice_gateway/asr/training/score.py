"""Unit error rates of greedy CTC decoding, and where the errors are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import torch

from voice_gateway.asr.training.batches import Batch
from voice_gateway.asr.training.model import Recogniser


@dataclass(slots=True)
class Errors:
    """Counts over a set; ``confusions`` counts (reference id, heard id), with -1 for nothing."""

    units: int = 0
    substitutions: int = 0
    deletions: int = 0
    insertions: int = 0
    confusions: Counter[tuple[int, int]] = field(default_factory=Counter)

    @property
    def rate(self) -> float:
        return (self.substitutions + self.deletions + self.insertions) / max(1, self.units)

    def merge(self, other: Errors) -> None:
        """Add the counts of another set."""
        self.units += other.units
        self.substitutions += other.substitutions
        self.deletions += other.deletions
        self.insertions += other.insertions
        self.confusions.update(other.confusions)

    def add(self, reference: Sequence[int], heard: Sequence[int]) -> None:
        """Align by Levenshtein distance and count."""
        self.units += len(reference)
        for wanted, got in align(reference, heard):
            if wanted == got:
                continue
            self.confusions[(wanted, got)] += 1
            if wanted < 0:
                self.insertions += 1
            elif got < 0:
                self.deletions += 1
            else:
                self.substitutions += 1


def align(reference: Sequence[int], heard: Sequence[int]) -> list[tuple[int, int]]:
    """Return the pairs of a minimal edit alignment; -1 stands for nothing."""
    rows, columns = len(reference), len(heard)
    cost = [[0] * (columns + 1) for _ in range(rows + 1)]
    for i in range(rows + 1):
        cost[i][0] = i
    cost[0] = list(range(columns + 1))
    for i in range(1, rows + 1):
        above, here, wanted = cost[i - 1], cost[i], reference[i - 1]
        for j in range(1, columns + 1):
            here[j] = min(above[j - 1] + (wanted != heard[j - 1]), above[j] + 1, here[j - 1] + 1)
    pairs: list[tuple[int, int]] = []
    i, j = rows, columns
    while i or j:
        if i and j and cost[i][j] == cost[i - 1][j - 1] + (reference[i - 1] != heard[j - 1]):
            i, j = i - 1, j - 1
            pairs.append((reference[i], heard[j]))
        elif i and cost[i][j] == cost[i - 1][j] + 1:
            i -= 1
            pairs.append((reference[i], -1))
        else:
            j -= 1
            pairs.append((-1, heard[j]))
    return pairs[::-1]


def collapse(path: Sequence[int]) -> list[int]:
    """Undo CTC: drop repeats, then blanks (id 0)."""
    return [unit for before, unit in zip([0, *path], path, strict=False) if unit != before and unit]


def error_rates(model: Recogniser, batch: Batch, chunk: int) -> list[float]:
    """Return the unit error rate of each utterance of a batch, decoded greedily. The model is in evaluation mode."""
    return [errors.rate for errors in _each(model, batch, chunk)]


def _each(model: Recogniser, batch: Batch, chunk: int) -> Iterator[Errors]:
    with torch.inference_mode():
        features = batch.features.to(model.output.weight.device)
        scores, _ = model(features, model.initial_states(len(features)), chunk)
    best = scores.argmax(dim=-1).cpu()
    start = 0
    for row, size in enumerate(batch.label_sizes.tolist()):
        errors = Errors()
        errors.add(batch.labels[start : start + size].tolist(), collapse(best[row, : int(batch.frames[row])].tolist()))
        start += size
        yield errors


def evaluate(model: Recogniser, batches: Sequence[Batch], chunk: int) -> Errors:
    """Decode greedily, ``chunk`` feature frames at once, and count.

    The model is put in evaluation mode and left in the mode that it was in.
    """
    errors = Errors()
    training = model.training
    model.eval()
    for batch in batches:
        for found in _each(model, batch, chunk):
            errors.merge(found)
    model.train(training)
    return errors
