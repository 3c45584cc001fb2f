"""How well the knowledge base answers, on the labelled questions of the sample shop.

    python -m kb.evaluate          figures on the questions that the calibration has not seen
    python -m kb.evaluate --fit    fit the calibration on the other half, write calibration.json, then the figures

Every labelled question is asked as it is written and once more with one or two characters replaced by homophones, as a
recogniser would mishear it. Half of the questions (by a hash of the text) are for fitting, half for the figures.
"""

from __future__ import annotations

import asyncio
import csv
import json
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from hashlib import blake2b
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from kb import ranking, text
from kb.api import PATH, Hit
from kb.factory import build
from kb.importing import SAMPLE, import_sample
from kb.service import HybridKb
from kb.settings import KbSettings

QUESTIONS = SAMPLE / "questions.csv"
_RIDGE = 0.5
_WRONG = 1.5  # what a wrong answer costs, when a right one is worth 1 and "I don't know" nothing


@dataclass(frozen=True, slots=True)
class Labelled:
    """A question, and the titles (or last headings) of the entries that answer it; none = out of knowledge."""

    question: str
    expected: frozenset[str]
    misheard: bool = False

    def right(self, hit: Hit) -> bool:
        """Whether this entry answers."""
        return hit.entry.title.rsplit(PATH, 1)[-1] in self.expected


def labelled(path: Path = QUESTIONS) -> Iterator[tuple[Labelled, bool]]:
    """Every question, as written and as misheard, and whether it is for fitting."""
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            expected = frozenset(filter(None, row["expected"].split("|")))
            mark = blake2b(row["question"].encode(), digest_size=4).digest()
            yield Labelled(row["question"], expected), mark[0] % 2 == 0
            if (wrong := misheard(row["question"], mark)) != row["question"]:
                yield Labelled(wrong, expected, misheard=True), mark[0] % 2 == 0


def misheard(question: str, seed: bytes) -> str:
    """`question` with one or two characters replaced by frequent homophones; the same for the same seed."""
    rng = np.random.default_rng(list(seed))
    places = [i for i, character in enumerate(question) if len(_homophones().get(_sound(character), ())) > 1]
    for place in rng.permutation(places)[: 1 + len(question) // 10].tolist():
        others = [c for c in _homophones()[_sound(question[place])] if c != question[place]]
        question = question[:place] + others[int(rng.integers(len(others)))] + question[place + 1 :]
    return question


@cache
def _sound(character: str) -> str:
    from pypinyin import lazy_pinyin

    return str(lazy_pinyin(character)[0]) if "一" <= character <= "鿿" else ""


@cache
def _homophones() -> dict[str, list[str]]:
    """The six most frequent characters of each toneless syllable, by jieba's dictionary."""
    frequent: dict[str, dict[str, int]] = defaultdict(dict)
    for word, count in text.dictionary().items():
        if len(word) == 1 and count and _sound(word):
            frequent[_sound(word)][word] = count
    return {sound: sorted(each, key=lambda c: -each[c])[:6] for sound, each in frequent.items()}


async def fit(kb: HybridKb, questions: Sequence[Labelled]) -> ranking.Calibration:
    """Logistic regression over (question, candidate) pairs, then the threshold that is worth most."""
    rows: list[tuple[float, ...]] = []
    right: list[bool] = []
    for one in questions:
        for hit, features in await kb.features(one.question):
            rows.append(features)
            right.append(one.right(hit))
    weights = _logistic(np.array(rows), np.array(right, float))
    made = ranking.Calibration(tuple(weights[:-1].tolist()), float(weights[-1]), 1.0)
    kb.recalibrate(made)
    best = [(hits[0].score, one.right(hits[0])) for one in questions if (hits := await kb.search(one.question))]
    return ranking.Calibration(made.weights, made.bias, _threshold(best))


def _logistic(rows: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Weights and bias (last) by Newton's method with a small ridge."""
    x = np.hstack([rows, np.ones((len(rows), 1))])
    weights = np.zeros(x.shape[1])
    ridge = np.diag([*[_RIDGE] * rows.shape[1], 1e-6])
    for _ in range(50):
        p = 1 / (1 + np.exp(-np.clip(x @ weights, -30, 30)))
        gradient = x.T @ (p - right) + ridge @ weights
        step = np.linalg.solve((x * (p * (1 - p))[:, None]).T @ x + ridge, gradient)
        weights -= step
        if np.abs(step).max() < 1e-8:
            break
    return weights


def _threshold(best: Sequence[tuple[float, bool]]) -> float:
    """The score from which on an answer is worth giving; `best`: score and rightness of each question's first hit.

    A logistic curve through them smooths what single questions would do to it.
    """
    scores = np.clip([score for score, _ in best], 1e-6, 1 - 1e-6)
    logits = np.log(scores / (1 - scores))
    slope, bias = _logistic(logits[:, None], np.array([right for _, right in best], float))
    return round(float(1 / (1 + np.exp((bias - np.log(_WRONG)) / slope))), 3)


@dataclass(slots=True)
class Figures:
    """Counts over questions of one kind."""

    asked: int = 0
    first: int = 0
    among_five: int = 0
    answered: int = 0
    answered_right: int = 0


async def measure(kb: HybridKb, questions: Sequence[Labelled]) -> dict[str, Figures]:
    """Figures for "written", "misheard" and "unknown" questions."""
    figures: dict[str, Figures] = defaultdict(Figures)
    for one in questions:
        kind = "unknown" if not one.expected else "misheard" if one.misheard else "written"
        answer = await kb.answer(one.question)
        count = figures[kind]
        count.asked += 1
        count.first += bool(answer.hits) and one.right(answer.hits[0])
        count.among_five += any(one.right(hit) for hit in answer.hits[:5])
        count.answered += answer.known
        count.answered_right += answer.known and one.right(answer.hits[0])
    return figures


def show(figures: dict[str, Figures]) -> str:
    """The figures as a table and lines."""
    lines = []
    for kind in ("written", "misheard"):
        one = figures[kind]
        lines.append(
            f"{kind:9} n={one.asked:3}  hit@1 {one.first / one.asked:.3f}  hit@5 {one.among_five / one.asked:.3f}  "
            f"answered {one.answered / one.asked:.3f}, of these right {one.answered_right / max(1, one.answered):.3f}"
        )
    known = [figures["written"], figures["misheard"]]
    refused_wrongly = sum(one.asked - one.answered for one in known)
    unknown = figures["unknown"]
    refused = unknown.asked - unknown.answered
    lines.append(
        f"unknown   n={unknown.asked:3}  precision {refused / max(1, refused + refused_wrongly):.3f}  "
        f"recall {refused / unknown.asked:.3f}"
    )
    return "\n".join(lines)


async def run(refit: bool) -> str:
    """Import the sample into a fresh index, fit if wanted, measure on the half that the fit has not seen."""
    halves: dict[bool, list[Labelled]] = {True: [], False: []}
    for one, for_fitting in labelled():
        halves[for_fitting].append(one)
    with tempfile.TemporaryDirectory() as folder:
        kb = build(KbSettings(index=Path(folder) / "kb.sqlite", cached_answers=0))
        try:
            await import_sample(kb)
            if refit:
                made = await fit(kb, halves[True])
                kb.recalibrate(made)
                write(made)
            return show(await measure(kb, halves[False]))
        finally:
            await kb.aclose()


def write(made: ranking.Calibration, path: Path = ranking.CALIBRATION) -> None:
    """Save a calibration."""
    weights = {name: round(weight, 4) for name, weight in zip(ranking.FEATURES, made.weights, strict=True)}
    data = {"weights": weights, "bias": round(made.bias, 4), "threshold": made.threshold}
    path.write_text(json.dumps(data, indent=2) + "\n", encoding="utf-8")


def main(refit: Annotated[bool, typer.Option("--fit", help="fit and write calibration.json first")] = False) -> None:
    """Print hit@1, hit@5, and precision and recall of "I don't know" on the labelled questions."""
    print(asyncio.run(run(refit)))


if __name__ == "__main__":
    typer.run(main)
