"""From what the searches saw to a judged order. Pure.

A store's rank fusion picks the few entries worth judging. Each is judged by what matches: nearness of meaning, the
share of the question's words (weighed by how rare they are), characters and syllables that the entry has, and the
likeness to one of its phrasings, character by character; names such as E2 or S1 once more by themselves. A logistic
curve fitted on labelled questions turns that into the probability that the entry answers the question: `Hit.score`. The
fit is data, `calibration.json`, made by `python -m kb.evaluate --fit`.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from kb.api import PATH, EntryKind, Hit
from kb.stores import Candidate, Found, Probe
from kb.text import characters

CALIBRATION = Path(__file__).with_name("calibration.json")

FEATURES = ("cosine", "passage_cosine", "words", "characters", "phrase", "sound", "codes", "passage")


@dataclass(frozen=True, slots=True)
class Calibration:
    """Weights of FEATURES, and the score from which an answer is given."""

    weights: tuple[float, ...]
    bias: float
    threshold: float

    def score(self, features: Sequence[float]) -> float:
        """Probability in [0, 1] that an entry with these features answers."""
        total = self.bias + sum(weight * value for weight, value in zip(self.weights, features, strict=True))
        return 1.0 / (1.0 + math.exp(-max(-30.0, min(30.0, total))))


@cache
def calibration(path: Path = CALIBRATION) -> Calibration:
    """The fitted calibration."""
    data = json.loads(path.read_text(encoding="utf-8"))
    return Calibration(tuple(data["weights"].get(name, 0.0) for name in FEATURES), data["bias"], data["threshold"])


def judge(probe: Probe, found: Found, fit: Calibration) -> list[Hit]:
    """Hits, best first."""
    return sorted((hit for hit, _ in look_all(probe, found, fit)), key=lambda hit: -hit.score)


def look_all(probe: Probe, found: Found, fit: Calibration) -> list[tuple[Hit, tuple[float, ...]]]:
    """Hits and their FEATURES, in the order of the fusion."""
    weigh = Weigher(found.frequency, found.count)
    seen = []
    for candidate in found.candidates:
        features = look(probe, candidate, weigh)
        lexical = features[FEATURES.index("words")]
        semantic = min(1.0, max(0.0, candidate.cosine))
        seen.append((Hit(candidate.entry, fit.score(features), lexical, semantic), features))
    return seen


class Weigher:
    """How much a term tells: inverse document frequency as BM25 has it."""

    def __init__(self, frequency: Mapping[str, int], count: int) -> None:
        self._frequency = frequency
        self._count = count

    def __call__(self, term: str) -> float:
        """Weight of one term of the probe, above 0."""
        holding = min(self._frequency.get(term, 0), self._count)
        return math.log(1.0 + (self._count - holding + 0.5) / (holding + 0.5))

    def share(self, terms: Iterable[str], held: set[str]) -> float:
        """Share of the weight of `terms` that is in `held`."""
        weights = {term: self(term) for term in terms}
        total = sum(weights.values())
        return sum(weight for term, weight in weights.items() if term in held) / total if total else 0.0


def look(probe: Probe, candidate: Candidate, weigh: Weigher) -> tuple[float, ...]:
    """FEATURES of one candidate."""
    entry = candidate.entry
    passage = float(entry.kind is EntryKind.PASSAGE)
    words = {*candidate.title, *candidate.content, *(word for words in candidate.variants for word in words)}
    asked = characters(probe.text)
    codes = {one for one in asked if one.isascii()}
    phrasings = [characters(one) for one in (entry.title.rsplit(PATH, 1)[-1], *entry.variants)]
    held = characters(entry.title).union(characters(entry.content), *phrasings)
    return (
        candidate.cosine,
        candidate.cosine * passage,
        weigh.share(probe.words, words),
        len(asked & held) / max(1, len(asked)),
        max(len(asked & phrase) / max(1, len(asked | phrase)) for phrase in phrasings),
        weigh.share(probe.sounds, set(candidate.sounds)),
        len(codes & held) / len(codes) if codes else 1.0,
        passage,
    )
