"""Made-up knowledge for the retrieval benchmark: questions about parts of products, from templates."""

from __future__ import annotations

import itertools
import random
import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np
import numpy.typing as npt

from common.embedding import SentenceEncoder
from kb import text
from kb.api import Entry, EntryKind

WORDS: dict[str, Any] = tomllib.loads(Path(__file__).with_name("kb_words.toml").read_text(encoding="utf-8"))
_NOISE = 0.35  # length of what moves a template's unit vector
_PART = "配件"  # stands for every part, so that there are few templates to encode


class TemplateEncoder:
    """Vectors of templates, moved by the text's own direction; what is no entry's text goes to the real encoder."""

    def __init__(self, real: SentenceEncoder) -> None:
        self._real = real
        self.name, self.dim = f"bench/{real.name}", real.dim
        self.templates: dict[str, str] = {}

    def encode(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """See `SentenceEncoder`."""
        found = self._real.encode([self.templates.get(one, one) for one in texts]).copy()
        for row, one in zip(found, texts, strict=True):
            if one in self.templates:
                move = np.random.default_rng(crc32(one.encode())).standard_normal(self.dim, np.float32)
                row += move * (_NOISE / np.linalg.norm(move))
        return np.asarray(found / np.linalg.norm(found, axis=1, keepdims=True), np.float32)


def entries(count: int, encoder: TemplateEncoder) -> list[Entry]:
    """`count` different FAQ entries; their texts' templates are told to the encoder."""
    return [_entry(number, pick, encoder) for number, pick in enumerate(itertools.islice(_picks(), count))]


def _entry(number: int, pick: tuple[int, str, dict[str, Any], str, str], encoder: TemplateEncoder) -> Entry:
    series, place, concern, part, product = pick
    name = f"{place}{product}" if series == 1 else f"{place}{product}{series}代"
    templates = (concern["question"], *concern["variants"], concern["answer"])
    question, *variants, answer = (one.format(p=name, q=part) for one in templates)
    for one, template in zip((question, *variants, f"{question}：{answer}"), templates, strict=True):
        encoder.templates[text.normalise(one)] = template.format(p=product, q=_PART)
    return Entry(f"bench#{number}", EntryKind.FAQ, question, answer, tuple(variants), (product,), "bench")


def _picks() -> Iterator[tuple[int, str, dict[str, Any], str, str]]:
    """Combinations in shuffled order within a series, so that any thousand has every product and concern."""
    rng = random.Random(1)
    for series in itertools.count(1):
        block = list(itertools.product(WORDS["places"], WORDS["concerns"], WORDS["parts"], WORDS["products"]))
        rng.shuffle(block)
        yield from ((series, *one) for one in block)


def questions(count: int) -> list[str]:
    """Different questions as callers would ask them."""
    rng = random.Random(2)
    made: dict[str, None] = {}
    while len(made) < count:
        place, product, part = (rng.choice(WORDS[kind]) for kind in ("places", "products", "parts"))
        made[rng.choice(WORDS["asked"]).format(p=product, q=part, a=place)] = None
    return list(made)
