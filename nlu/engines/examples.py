"""Intents from labelled examples: logistic regression over sentence vectors and n-grams of characters and sounds.

The sentence vector brings meaning (把钱还我 is near 给我退款), the n-grams bring the exact words, and their pinyin
forgives homophones; misheard domain words are repaired first. Trained in a few seconds when the examples are first used
and kept in the cache folder as plain arrays, keyed by everything that went in. `out_of_scope` is a class like the rest.
"""

from __future__ import annotations

import hashlib
import json
import re
import threading
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from common.embedding import SentenceEncoder
from common.errors import Misconfigured
from common.paths import atomic_write
from nlu.api import Intent
from nlu.normalise import normalise
from nlu.phonetic import Repairer, domain_vocabulary, fuzzy, syllables
from nlu.segment import Segmenter

_VERSION = 2  # raise it when features or training change: old cached weights are then not read
_INVERSE_REGULARISATION = 20.0
SHARPNESS = (
    1.2  # logits are multiplied by it: chosen by `python -m nlu.evaluate --tune` so that confidence is precision
)
_DIGITS = re.compile(r"[\d.]{2,}[xX]?")
_LEADING = re.compile(
    r"^(?:嗯|啊|呃|额|哦|唉|哎|喂|你好|您好|那个|就是|请问一下|请问|麻烦问一下|我想问一下|想问一下|[，,。\s])+(?=..)"
)
_ENDING = re.compile(r"[，。！？、,.!?\s]+$")
Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Weights:
    """A trained model: logits = vector @ dense + n-gram tf-idf @ sparse + bias, one column an intent.

    vocabulary: the domain's words with their counts, for repair.
    """

    vocabulary: Counter[str]
    intents: tuple[str, ...]
    terms: Mapping[str, int]
    idf: Floats
    dense: Floats
    sparse: Floats
    bias: Floats


class ExampleIntents:
    """The example engine. `cache` is the folder for trained weights; None trains anew each time."""

    def __init__(
        self,
        examples: Mapping[str, Sequence[str]],
        encoder: SentenceEncoder,
        segmenter: Segmenter,
        cache: Path | None = None,
    ) -> None:
        if len(examples) < 2 or not all(examples.values()):
            raise Misconfigured("intent examples need at least two intents with at least one sentence each")
        self._examples = {intent: tuple(map(normalise, texts)) for intent, texts in examples.items()}
        self._encoder = encoder
        self._segmenter = segmenter
        self._cache = cache
        self._lock = threading.Lock()
        self._ready: tuple[Weights, Repairer] | None = None

    def warm_up(self) -> None:
        """Read the trained weights from the cache, or train."""
        self._loaded()

    def classify(self, text: str) -> Sequence[Intent]:
        """All intents, best first; confidences add up to 1."""
        weights, repairer = self._loaded()
        clean = repairer.repair(_clean(text))
        logits = self._encoder.encode([clean])[0] @ weights.dense + weights.bias
        columns, values = _tfidf(clean, weights.terms, weights.idf)
        if len(columns):
            logits = logits + values @ weights.sparse[columns]
        scaled = SHARPNESS * (logits - logits.max())
        chances = np.exp(scaled) / np.exp(scaled).sum()
        return [Intent(weights.intents[i], float(chances[i])) for i in np.argsort(-chances)]

    def _loaded(self) -> tuple[Weights, Repairer]:
        with self._lock:
            if self._ready is None:
                weights = self._weights()
                self._ready = weights, Repairer(weights.vocabulary, self._segmenter.frequency)
            return self._ready

    def _weights(self) -> Weights:
        path = self._cache / f"intents-{self._key()}.npz" if self._cache else None
        if path is not None and path.is_file():
            return _read(path)
        weights = train(self._examples, self._encoder, self._segmenter)
        if path is not None:
            _write(path, weights)
        return weights

    def _key(self) -> str:
        parts = json.dumps([_VERSION, self._encoder.name, self._examples], ensure_ascii=False)
        return hashlib.sha256(parts.encode()).hexdigest()[:16]


def train(examples: Mapping[str, Sequence[str]], encoder: SentenceEncoder, segmenter: Segmenter) -> Weights:
    """Fit the regression. Deterministic; single-threaded on purpose (small matrices, busy machines)."""
    from scipy.sparse import csr_matrix, hstack
    from sklearn.linear_model import LogisticRegression
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    texts = [_clean(text) for group in examples.values() for text in group]
    vocabulary = domain_vocabulary(texts, lambda text: (word.text for word in segmenter.segment(text)))
    labels = [intent for intent, group in examples.items() for _ in group]
    terms, idf = _vocabulary(texts)
    rows, columns, values = [], [], []
    for row, text in enumerate(texts):
        found, weight = _tfidf(text, terms, idf)
        rows += [row] * len(found)
        columns += found.tolist()
        values += weight.tolist()
    grams = csr_matrix((values, (rows, columns)), shape=(len(texts), len(terms)))
    vectors = encoder.encode(texts)
    with threadpool_limits(1):
        model = LogisticRegression(C=_INVERSE_REGULARISATION, max_iter=300, tol=1e-3)
        model.fit(hstack([csr_matrix(vectors), grams]).tocsr(), labels)
    coefficients = model.coef_.T.astype(np.float32)
    size = vectors.shape[1]
    return Weights(
        vocabulary, tuple(map(str, model.classes_)), terms, idf, coefficients[:size], coefficients[size:],
        model.intercept_.astype(np.float32),
    )  # fmt: skip


def _clean(text: str) -> str:
    """What classification reads: no fillers at the ends, any number is the same number."""
    return _DIGITS.sub("#", _LEADING.sub("", _ENDING.sub("", text.lower())))


def _grams(text: str) -> Iterable[str]:
    yield from (f"c{char}" for char in text)
    yield from (f"c{text[i : i + 2]}" for i in range(len(text) - 1))
    sounds = ["^", *map(fuzzy, syllables(text)), "$"]
    for size in (1, 2, 3):
        yield from ("p" + " ".join(sounds[i : i + size]) for i in range(len(sounds) - size + 1))


def _vocabulary(texts: Sequence[str]) -> tuple[dict[str, int], Floats]:
    seen = Counter(gram for text in texts for gram in set(_grams(text)))
    terms = {gram: i for i, gram in enumerate(sorted(seen))}
    counts = np.array([seen[gram] for gram in terms], dtype=np.float32)
    return terms, (np.log((1.0 + len(texts)) / (1.0 + counts)) + 1.0).astype(np.float32)


def _tfidf(text: str, terms: Mapping[str, int], idf: Floats) -> tuple[npt.NDArray[np.int64], Floats]:
    counts = Counter(terms[gram] for gram in _grams(text) if gram in terms)
    columns = np.fromiter(counts.keys(), dtype=np.int64, count=len(counts))
    values = (1.0 + np.log(np.fromiter(counts.values(), dtype=np.float32, count=len(counts)))) * idf[columns]
    length = float(np.linalg.norm(values))
    return columns, (values / length if length else values).astype(np.float32)


def _write(path: Path, weights: Weights) -> None:
    arrays = {
        "words": np.array(list(weights.vocabulary)),
        "counts": np.array(list(weights.vocabulary.values())),
        "intents": np.array(weights.intents),
        "terms": np.array(list(weights.terms)),
        "idf": weights.idf,
        "dense": weights.dense,
        "sparse": weights.sparse,
        "bias": weights.bias,
    }
    with atomic_write(path) as file:
        np.savez(file, **arrays)  # type: ignore[arg-type]


def _read(path: Path) -> Weights:
    with np.load(path, allow_pickle=False) as file:
        terms = {str(term): i for i, term in enumerate(file["terms"])}
        vocabulary = Counter(dict(zip(map(str, file["words"]), map(int, file["counts"]), strict=True)))
        intents = tuple(map(str, file["intents"]))
        return Weights(vocabulary, intents, terms, file["idf"], file["dense"], file["sparse"], file["bias"])
