"""How well understanding does, on sentences it was not trained on: `python -m nlu.evaluate`.

Held-out accuracy (clean and misrecognised text), out-of-scope rejection, latency; `--tune` cross-validates on the
training examples instead, which is what the threshold and the sharpness of the confidence are chosen by.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources

import numpy as np

from common.embedding import sentence_encoder
from nlu.api import OUT_OF_SCOPE, NluRequest
from nlu.engines.examples import SHARPNESS, ExampleIntents
from nlu.factory import build, labelled
from nlu.segment import Segmenter
from nlu.settings import NluSettings

_FOLDS = 5


@dataclass(frozen=True, slots=True)
class Score:
    """One test set: how many sentences, how many right, which wrong (text, wanted, got, confidence)."""

    name: str
    n: int
    right: int
    wrong: tuple[tuple[str, str, str, float], ...]

    @property
    def accuracy(self) -> float:
        """Share of right ones."""
        return self.right / max(1, self.n)


async def score(name: str, sentences: Sequence[tuple[str, str]], settings: NluSettings) -> tuple[Score, list[float]]:
    """Parse each (text, intent) with the service as shipped; also the milliseconds each took."""
    service = build(settings)
    wrong, took = [], []
    try:
        for text, wanted in sentences:
            began = time.perf_counter()
            intent = (await service.parse(NluRequest(text))).intent
            took.append((time.perf_counter() - began) * 1000)
            if intent.name != wanted:
                wrong.append((text, wanted, intent.name, round(intent.confidence, 2)))
    finally:
        await service.aclose()
    return Score(name, len(sentences), len(sentences) - len(wrong), tuple(wrong)), took


def sets(file: str) -> dict[str, list[tuple[str, str]]]:
    """The parts of a test file: clean, noisy, out_of_scope."""
    import yaml

    data = yaml.safe_load(resources.files("nlu").joinpath("data", file).read_text(encoding="utf-8"))
    found = {
        part: [(text, intent) for intent, texts in data.get(part, {}).items() for text in texts]
        for part in ("clean", "noisy")
    }
    return {**found, OUT_OF_SCOPE: [(text, OUT_OF_SCOPE) for text in data.get(OUT_OF_SCOPE, [])]}


async def held_out(file: str, *, verbose: bool) -> dict[str, object]:
    """Every part of the test file; prints a table, and the errors when `verbose`."""
    report: dict[str, object] = {"file": file}
    times: list[float] = []
    for part, sentences in sets(file).items():
        result, took = await score(part, sentences, NluSettings())
        times += took
        report[part] = {"n": result.n, "accuracy": round(result.accuracy, 4)}
        rejected = sum(1 for w in result.wrong if w[2] == OUT_OF_SCOPE)
        extra = f", {rejected} wrongly rejected" if part != OUT_OF_SCOPE else " (rejected as out of scope)"
        print(f"{part:14} {result.right:4}/{result.n:<4} {100 * result.accuracy:5.1f} %{extra}")
        if verbose:
            for text, wanted, got, confidence in result.wrong:
                print(f"    {text}  wanted {wanted}, got {got} ({confidence})")
    p50, p95 = np.percentile(times, [50, 95])
    report["parse_ms"] = {"p50": round(float(p50), 2), "p95": round(float(p95), 2)}
    print(f"parse          p50 {p50:.1f} ms, p95 {p95:.1f} ms (one after another, vectors not cached)")
    return report


def tune() -> None:
    """Cross-validation on the training examples: accuracy, and precision and coverage by threshold and sharpness."""
    examples = labelled(None, "intents.yaml")
    segmenter, encoder = Segmenter(), sentence_encoder()
    wanted, ranked = [], []
    for fold in range(_FOLDS):
        kept: Mapping[str, list[str]] = {
            k: [t for i, t in enumerate(v) if i % _FOLDS != fold] for k, v in examples.items()
        }
        engine = ExampleIntents(kept, encoder, segmenter)
        for intent, texts in examples.items():
            for i, text in enumerate(texts):
                if i % _FOLDS == fold:
                    wanted.append(intent)
                    ranked.append(engine.classify(text)[:5])
    names = np.array([r[0].name for r in ranked])
    chances = np.array([[c.confidence for c in r] for r in ranked])
    truth = np.array(wanted)
    print(f"{_FOLDS}-fold accuracy {np.mean(names == truth):.3f} on {len(truth)} sentences")
    confused = Counter((w, g) for w, g in zip(wanted, names.tolist(), strict=True) if w != g)
    print("most confused: " + ", ".join(f"{w}->{g} {n}" for (w, g), n in confused.most_common(12)))
    logs = np.log(np.maximum(chances, 1e-9)) / SHARPNESS
    for sharpness in (0.4, 0.6, 0.8, 1.0, 1.3, 1.6, 2.0):
        scaled = np.exp(sharpness * (logs - logs[:, :1]))
        top = scaled[:, 0] / scaled.sum(axis=1)
        right = names == truth
        error = sum(
            abs(right[b].mean() - top[b].mean()) * b.mean()
            for low in np.arange(0, 1, 0.1)
            if (b := (top >= low) & (top < low + 0.1 + 1e-6)).any()
        )
        print(f"sharpness {sharpness:.1f}: calibration error {error:.3f}, mean confidence {top.mean():.3f}")
    for threshold in (0.2, 0.3, 0.35, 0.4, 0.45, 0.5, 0.6):
        got = np.where((chances[:, 0] >= threshold) & (names != OUT_OF_SCOPE), names, OUT_OF_SCOPE)
        scope = truth != OUT_OF_SCOPE
        print(
            f"threshold {threshold:.2f}: in scope {np.mean((got == truth)[scope]):.3f} right, "
            f"{np.mean(got[scope] == OUT_OF_SCOPE):.3f} rejected; "
            f"out of scope {np.mean((got == truth)[~scope]):.3f} rejected"
        )


def main(argv: Sequence[str] | None = None) -> int:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m nlu.evaluate", description=__doc__)
    parser.add_argument("--set", default="heldout.yaml", help="test file in nlu/data")
    parser.add_argument("--errors", action="store_true", help="print every sentence that went wrong")
    parser.add_argument("--json", help="also write the figures to this file")
    parser.add_argument("--tune", action="store_true", help="cross-validate on the training examples")
    options = parser.parse_args(argv)
    if options.tune:
        tune()
        return 0
    report = asyncio.run(held_out(options.set, verbose=options.errors))
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump(report, file, ensure_ascii=False, indent=2)
    return 0


if __name__ == "__main__":
    sys.exit(main())
