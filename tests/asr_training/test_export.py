"""The exported model keeps the contract with the runtime, and the committed one is such a model."""

from __future__ import annotations

import json
from importlib import resources
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs torch")
pytest.importorskip("onnxscript", reason="the export needs onnxscript")
ort = pytest.importorskip("onnxruntime")

from voice_gateway.asr.training import export  # noqa: E402
from voice_gateway.asr.training.fbank import FbankOptions  # noqa: E402
from voice_gateway.asr.training.model import ModelOptions, Recogniser  # noqa: E402
from voice_gateway.asr.units import SYMBOLS, units_sha, units_text  # noqa: E402

SMALL = ModelOptions(width=32, heads=4, hidden=48, blocks=2, pool_after=1, past=20)


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning")
def test_export_streams_like_the_model(tmp_path: Path) -> None:
    model = Recogniser(SMALL).eval()
    checkpoint = tmp_path / "checkpoint.pt"
    torch.save(
        {"averaged": model.state_dict(), "options": SMALL.to_json(), "features": FbankOptions().to_json()}, checkpoint
    )
    path = export.export(checkpoint, tmp_path / "out", "1")
    stepper = export.OnnxStepper(path)
    heard = (np.random.default_rng(0).standard_normal((3, 172, 61)) * 3 + 10).astype(np.float32)
    for chunk in (32, 128):
        with torch.inference_mode():
            expected, _ = model(torch.from_numpy(heard), model.initial_states(3), chunk)
        assert np.abs(stepper(heard, chunk) - expected.numpy()).max() < 0.3
    assert json.loads((tmp_path / "out" / "model.json").read_text()) == stepper.notes
    half = export.load_half(tmp_path / "out" / "checkpoint.fp16.pt")
    assert all(torch.allclose(a, b, atol=1e-3) for a, b in zip(half.parameters(), model.parameters(), strict=True))


def test_the_bundled_model_keeps_the_contract() -> None:
    folder = Path(str(resources.files("voice_gateway.asr"))) / "bundled"
    path = folder / "model.int8.onnx"
    if not path.exists():
        pytest.skip("no bundled model in this checkout")
    assert path.stat().st_size <= 12_000_000
    assert (folder / "units.txt").read_text(encoding="utf-8") == units_text()
    stepper = export.OnnxStepper(path)
    notes = stepper.notes
    assert notes["units_sha"] == units_sha() and notes["sample_rate"] == 8000
    assert notes["chunk_frames"] * 10 <= 320
    quiet = np.zeros((2, 3 * notes["chunk_frames"], notes["features"]["n_mels"]), np.float32)
    scores = stepper(quiet, notes["chunk_frames"])
    assert scores.shape == (2, 3 * notes["chunk_frames"] // notes["subsampling"], len(SYMBOLS))
    assert np.allclose(np.exp(scores).sum(axis=-1), 1.0, atol=1e-3)
    assert (scores[:, -1].argmax(axis=-1) == 0).all(), "silence is blank"
