"""Unit error rates of greedy CTC decoding, and where the errors are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
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


def evaluate(model: Recogniser, batches: Sequence[Batch], chunk: int) -> Errors:
    """Decode greedily, ``chunk`` feature frames at once, and count.

    The model is put in evaluation mode and left in the mode that it was in.
    """
    errors = Errors()
    training = model.training
    model.eval()
    with torch.inference_mode():
        for batch in batches:
            scores, _ = model(batch.features, model.initial_states(batch.features.shape[0]), chunk)
            best = scores.argmax(dim=-1)
            start = 0
            for row, size in enumerate(batch.label_sizes.tolist()):
                heard = collapse(best[row, : int(batch.frames[row])].tolist())
                errors.add(batch.labels[start : start + size].tolist(), heard)
                start += size
    model.train(training)
    return errors
