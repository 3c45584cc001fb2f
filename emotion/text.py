"""Valence of a text: a small linear model over character n-grams, and the hotline's feeling words.

The model (emotion/data/valence.npz, trained by `python -m emotion.training`) knows three classes: negative, neutral,
positive. A person who says what they want (退货, 查订单) is neutral. Feeling words of the lexicon count more than the
model where they are found.
"""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass
from functools import cache
from importlib.resources import as_file, files

import numpy as np
import numpy.typing as npt

from emotion.api import Evidence
from emotion.lexicon import Marks, look

MAX_CHARACTERS = 500
_NOT_TEXT = re.compile(r"[^一-鿿a-zA-Z0-9]+")


def grams(text: str) -> set[str]:
    """Character 1- to 3-grams of a text without punctuation, with its borders marked."""
    clean = f"^{_NOT_TEXT.sub('', text.lower())[:MAX_CHARACTERS]}$"
    return {clean[i : i + n] for n in (1, 2, 3) for i in range(len(clean) - n + 1)}


@dataclass(frozen=True, slots=True)
class ValenceModel:
    """Multinomial logistic regression: weights float32 [grams, 3], bias [3] for negative, neutral, positive."""

    index: dict[str, int]
    weights: npt.NDArray[np.float32]
    bias: npt.NDArray[np.float32]

    def probabilities(self, text: str) -> tuple[float, float, float]:
        """Negative, neutral, positive."""
        known = [self.index[gram] for gram in grams(text) if gram in self.index]
        logits = self.bias.copy()
        if known:
            logits = logits + self.weights[known].sum(axis=0) / math.sqrt(len(known))
        odds = np.exp(logits - logits.max())
        share = odds / odds.sum()
        return float(share[0]), float(share[1]), float(share[2])


@cache
def model() -> ValenceModel:
    """The model that ships with the package."""
    with (
        as_file(files("emotion").joinpath("data/valence.npz")) as path,
        np.load(path, allow_pickle=False) as stored,
    ):
        names = json.loads(bytes(stored["grams"]).decode())
        return ValenceModel(
            {gram: i for i, gram in enumerate(names)},
            stored["weights"].astype(np.float32) * stored["scale"],
            stored["bias"].astype(np.float32),
        )


def valence(text: str) -> tuple[float, Marks, tuple[Evidence, ...]]:
    """Valence -1 … 1 of `text`, the feelings named in it, and the evidence."""
    marks, evidence = look(text)
    negative, _, positive = model().probabilities(text)
    learnt = positive - negative
    value = 0.75 * marks.valence + 0.25 * learnt if marks.strength > 0 else 0.8 * learnt
    if abs(learnt) >= 0.3:
        evidence = (*evidence, Evidence("text", "wording", round(learnt, 3)))
    return max(-1.0, min(1.0, value)), marks, evidence
