"""Clips with another clip's transcript are found by a model's errors and left out of later training."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs torch")

from tests.asr_training.test_model import SMALL, toy  # noqa: E402
from voice_gateway.asr.training import suspects  # noqa: E402
from voice_gateway.asr.training.batches import Batch, Mix, draw_epoch  # noqa: E402
from voice_gateway.asr.training.fbank import FbankOptions  # noqa: E402
from voice_gateway.asr.training.model import Recogniser  # noqa: E402
from voice_gateway.asr.training.score import error_rates  # noqa: E402


def test_the_clips_that_a_model_hears_otherwise_are_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = toy(tmp_path)
    model = Recogniser(SMALL)
    checkpoint = tmp_path / "checkpoint.pt"
    state = {"averaged": model.state_dict(), "options": SMALL.to_json(), "features": FbankOptions().to_json()}
    torch.save(state, checkpoint)

    def hears_everything_as_the_first_clip(_: Recogniser, batch: Batch, __: int) -> list[float]:
        expected = cache.label(0).tolist()
        found, start = [], 0
        for size in batch.label_sizes.tolist():
            found.append(float(batch.labels[start : start + size].tolist() != expected))
            start += size
        return found

    monkeypatch.setattr(suspects, "error_rates", hears_everything_as_the_first_clip)
    found = suspects.find(checkpoint, cache, jobs=1)
    assert found.tolist() == [1, 3, 5, 7, 9], "the held-out clips are not judged"
    np.save(tmp_path / suspects.FILE, found)
    cleaned = suspects.leave_out(cache, tmp_path)
    drawn = draw_epoch(cleaned, Mix((("synthetic", 1.0),)), np.random.default_rng(0))
    assert sorted(drawn.tolist()) == [0, 2, 4, 6, 8]
    assert suspects.leave_out(cache, tmp_path / "elsewhere") is cache


def test_error_rates_are_by_utterance() -> None:
    from voice_gateway.asr.training.batches import collate

    model = Recogniser(SMALL).eval()
    with torch.no_grad():
        model.output.weight.zero_()
        model.output.bias.zero_()
        model.output.bias[7] = 9.0
    features = [np.full((40, 61), 12.0, np.float32)] * 2
    batch = collate(features, [np.array([7]), np.array([7, 8, 9, 10])], 4)
    assert error_rates(model, batch, 32) == [0.0, 0.75]
