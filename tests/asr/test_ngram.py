"""The language model: probabilities, smoothing, mixing, pruning, and the file it ships in."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.asr.tiny import general
from voice_gateway.asr.api import AsrModelError
from voice_gateway.asr.graph import ngram
from voice_gateway.asr.graph.general import load, save

TEXT = [("我", "要", "退货"), ("我", "要", "换货"), ("我", "要", "退款"), ("你", "好"), ("我", "想", "退货")] * 3
OTHER = [("天气", "很", "好"), ("我", "很", "好")]


def sums(model: ngram.NgramModel, history: tuple[str, ...]) -> float:
    """Total probability of all words after a history."""
    ids = model.ids
    rows = [[*(ids[word] for word in history), word] for word in range(1, len(model.words))]
    return float(np.exp(model.logp(np.array(rows, dtype=np.int64))).sum())


@pytest.mark.parametrize("history", [(), ("我",), ("<s>", "我"), ("我", "要"), ("好", "我")])
def test_probabilities_sum_to_one(history: tuple[str, ...]) -> None:
    model = ngram.train(TEXT)
    assert sums(model, history) == pytest.approx(1.0, abs=2e-3)
    blended = ngram.mix(model, ngram.train(OTHER), 0.6)
    assert sums(blended, history) == pytest.approx(1.0, abs=2e-3)
    assert sums(ngram.prune(blended, 1e-3), history) == pytest.approx(1.0, abs=2e-3)


def test_seen_words_are_likelier_and_unseen_ones_possible() -> None:
    model = ngram.train(TEXT)
    ids = model.ids

    def logp(*words: str) -> float:
        return float(model.logp(np.array([[ids[word] for word in words]], dtype=np.int64))[0])

    assert logp("我", "要", "退货") > logp("我", "要", "好") > -12
    assert logp("我", "要") > logp("我", "退款")


def test_the_own_text_decides_where_it_knows_the_context() -> None:
    own, other = ngram.train(TEXT), ngram.train(OTHER * 5)
    blended = ngram.mix(own, other, 0.3, ngram.history_counts(TEXT, own.ids), prior=2.0)
    ids = blended.ids
    known = float(blended.logp(np.array([[ids["我"], ids["要"]]]))[0])
    alone = float(own.logp(np.array([[own.ids["我"], own.ids["要"]]]))[0])
    plain = float(ngram.mix(own, other, 0.3).logp(np.array([[ids["我"], ids["要"]]]))[0])
    assert known == pytest.approx(alone, abs=0.2)
    assert known > plain + 0.5
    foreign = float(blended.logp(np.array([[ids["天气"], ids["很"]]]))[0])
    assert foreign > np.log(0.3)


def test_pruning_drops_what_matters_least() -> None:
    model = ngram.train(TEXT + OTHER)
    small = ngram.prune(model, 5e-3)
    assert sum(small.sizes()) < sum(model.sizes())
    before, count = model.score(TEXT)
    after, _ = small.score(TEXT)
    assert -after / count < -before / count * 1.5
    assert ngram.prune(model, 0.0).sizes() == pytest.approx(model.sizes(), abs=3)


def test_the_shipped_file_round_trips(tmp_path: Path) -> None:
    part = general(TEXT)
    save(part, tmp_path / "general.xz")
    back = load(tmp_path / "general.xz")
    assert back.model.words == part.model.words and back.readings == part.readings
    assert back.model.sizes() == part.model.sizes()
    for mine, theirs in zip(part.model.orders, back.model.orders, strict=True):
        assert np.abs(np.maximum(mine.logp, -20) - np.maximum(theirs.logp, -20)).max() <= 0.09
    (tmp_path / "general.xz").write_bytes((tmp_path / "general.xz").read_bytes()[:100])
    with pytest.raises(AsrModelError, match="damaged"):
        load(tmp_path / "general.xz")
    with pytest.raises(AsrModelError, match="missing"):
        load(tmp_path / "none.xz")


def test_the_general_part_that_ships_is_whole() -> None:
    part = load()
    assert part.model.order == 3 and len(part.model.words) > 30_000
    assert len(part.readings) == len(part.model.words)
    ids = part.model.ids
    good = part.model.score([("我们", "的", "工作")])[0]
    assert good > part.model.score([("工作", "的", "我们")])[0]
    assert all(part.readings[ids[word]] for word in ("我们", "中国", "质量", "快递"))
