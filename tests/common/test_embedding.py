from __future__ import annotations

import threading
from collections.abc import Sequence

import numpy as np
import pytest

from common.embedding import CachedEncoder, Vectors, sentence_encoder
from common.errors import Misconfigured


class Counting:
    """Two-dimensional vectors, and a list of what was asked."""

    name = "counting"
    dim = 2

    def __init__(self) -> None:
        self.asked: list[str] = []

    def encode(self, texts: Sequence[str]) -> Vectors:
        self.asked.extend(texts)
        return np.array([[1.0, 0.0] if t.startswith("甲") else [0.0, 1.0] for t in texts], dtype=np.float32)


def test_repeated_texts_are_encoded_once_and_order_is_kept() -> None:
    engine = Counting()
    encoder = CachedEncoder(engine, size=8)
    rows = encoder.encode(["甲", "乙", "甲"])
    assert rows.tolist() == [[1, 0], [0, 1], [1, 0]]
    assert encoder.encode(["乙", "甲二"]).tolist() == [[0, 1], [1, 0]]
    assert engine.asked == ["甲", "乙", "甲二"]
    assert (encoder.name, encoder.dim, encoder.encode([]).shape) == ("counting", 2, (0, 2))


def test_the_cache_is_bounded_and_forgets_the_oldest() -> None:
    engine = Counting()
    encoder = CachedEncoder(engine, size=2)
    encoder.encode(["一", "二", "三"])
    encoder.encode(["二", "三"])
    assert engine.asked == ["一", "二", "三"]
    encoder.encode(["一"])
    assert engine.asked[-1] == "一"


def test_a_changed_result_does_not_change_the_cache() -> None:
    encoder = CachedEncoder(Counting())
    encoder.encode(["甲"])[0] = 9.0
    assert encoder.encode(["甲"]).tolist() == [[1, 0]]


def test_meaning_is_near_and_vectors_are_unit_length_from_many_threads() -> None:
    encoder = sentence_encoder()
    assert encoder is sentence_encoder()
    texts = ["我要退货", "这个东西我想退掉", "今天天气很好", "I want to return this"]
    results: list[Vectors] = []
    threads = [threading.Thread(target=lambda: results.append(encoder.encode(texts))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    rows = results[0]
    assert all(np.allclose(rows, other, atol=1e-5) for other in results)
    assert rows.dtype == np.float32 and rows.shape == (4, encoder.dim)
    assert np.allclose(np.linalg.norm(rows, axis=1), 1.0, atol=1e-4)
    assert rows[0] @ rows[1] > rows[0] @ rows[2] + 0.1
    assert rows[0] @ rows[3] > rows[0] @ rows[2] + 0.1


def test_an_unknown_encoder_is_the_operators_fault() -> None:
    with pytest.raises(Misconfigured, match="use-multilingual-v3"):
        sentence_encoder("no-such")
