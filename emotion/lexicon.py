"""Feeling words of a service hotline, with negation and intensifiers. Pure over a list that ships with the package."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import yaml

from emotion.api import Evidence

REACH = 3  # characters before a word in which a negation or an intensifier counts
FEELINGS = ("anger", "anxious", "sad", "happy")


@dataclass(frozen=True, slots=True)
class Marks:
    """What the words show, each 0 … 1. strength: 1 when intensified, else 0.6; 0 without a feeling word."""

    anger: float = 0.0
    anxious: float = 0.0
    sad: float = 0.0
    happy: float = 0.0
    strength: float = 0.0

    @property
    def valence(self) -> float:
        """-1 … 1."""
        bad = max(self.anger, 0.8 * self.sad, 0.5 * self.anxious)
        return max(-1.0, min(1.0, self.happy - bad if bad < 0.3 else -bad))


@cache
def _words() -> dict[str, Any]:
    text = files("emotion").joinpath("data/lexicon.yaml").read_text(encoding="utf-8")
    loaded: dict[str, Any] = yaml.safe_load(text)
    return loaded


def look(text: str) -> tuple[Marks, tuple[Evidence, ...]]:
    """Feelings named in `text` and the words that name them."""
    words = _words()
    found = dict.fromkeys(FEELINGS, 0.0)
    strength = 0.0
    evidence = []
    taken: list[tuple[int, int]] = []
    entries = sorted(
        ((word, feeling, float(weight)) for feeling in FEELINGS for word, weight in words[feeling].items()),
        key=lambda entry: -len(entry[0]),
    )
    for word, feeling, weight in entries:
        at = text.find(word)
        if at < 0 or any(start <= at < end for start, end in taken):
            continue
        taken.append((at, at + len(word)))
        before = text[max(0, at - REACH) : at]
        after = text[at + len(word) : at + len(word) + 2]
        if any(negation in before for negation in words["negations"]):
            feeling, weight = ("sad", 0.5) if feeling == "happy" else (feeling, 0.0)
        intense = any(word in before or word in after for word in words["intensifiers"])
        weight = min(1.0, weight * (1.2 if intense else 1.0))
        if weight == 0.0:
            continue
        found[feeling] = 1.0 - (1.0 - found[feeling]) * (1.0 - weight)
        strength = max(strength, 1.0 if intense else 0.6)
        evidence.append(Evidence("text", word, round(weight if feeling == "happy" else -weight, 3)))
    return Marks(**found, strength=strength), tuple(evidence)
