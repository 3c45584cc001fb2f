"""The weights that a training begins with: the file format, the folding of empty filters, the cut of inner layers."""

from __future__ import annotations

import struct

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs torch")

from torch.nn import functional  # noqa: E402

from voice_gateway.asr.training import whisper  # noqa: E402
from voice_gateway.asr.training.batches import collate  # noqa: E402
from voice_gateway.asr.training.model import FLOOR, MEAN, SCALE, ModelOptions, Recogniser  # noqa: E402

SMALL = ModelOptions(width=32, heads=4, hidden=48, blocks=2, pool_after=1, past=20)


def model_file(variables: dict[str, np.ndarray]) -> bytes:
    """A CTranslate2 model in half precision."""

    def text(value: str) -> bytes:
        return struct.pack("<H", len(value) + 1) + value.encode() + b"\0"

    parts = [struct.pack("<I", 6), text("WhisperSpec"), struct.pack("<II", 3, len(variables))]
    for name, value in variables.items():
        raw = value.astype(np.float16).tobytes()
        parts += [text(name), struct.pack("<B", value.ndim), struct.pack(f"<{value.ndim}I", *value.shape)]
        parts += [struct.pack("<BI", 4, len(raw)), raw]
    return b"".join(parts)


def encoder(width: int, blocks: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)

    def some(*shape: int) -> np.ndarray:
        return rng.standard_normal(shape) * 0.05

    made = {
        "encoder/conv1/weight": some(width, 80, 3),
        "encoder/conv1/bias": some(width),
        "encoder/conv2/weight": some(width, width, 3),
        "encoder/conv2/bias": some(width),
        "encoder/layer_norm/gamma": some(width) + 1,
        "encoder/layer_norm/beta": some(width),
    }
    for block in range(blocks):
        name = f"encoder/layer_{block}/"
        for norm in ("self_attention/layer_norm", "ffn/layer_norm"):
            made |= {f"{name}{norm}/gamma": some(width) + 1, f"{name}{norm}/beta": some(width)}
        for layer, out, into in (
            ("self_attention/linear_0", 3 * width, width),
            ("self_attention/linear_1", width, width),
            ("ffn/linear_0", whisper.FULL_HIDDEN, width),
            ("ffn/linear_1", width, whisper.FULL_HIDDEN),
        ):
            made |= {f"{name}{layer}/weight": some(out, into), f"{name}{layer}/bias": some(out)}
    return made


def test_the_front_is_whispers_convolutions() -> None:
    variables = encoder(32, 2)
    model = Recogniser(SMALL).eval()
    speech = [collate([np.random.default_rng(1).standard_normal((64, 61)).astype(np.float32) + 12], [[1, 2]], 4)]
    whisper.begin(model, speech, model_file(variables))
    features = torch.randn(1, 64, 61) * 2 + 12
    mels = torch.full((1, 80, 64), FLOOR)
    mels[:, :61] = ((features - MEAN) * SCALE).clamp(min=FLOOR).transpose(1, 2)
    weight = {name: torch.from_numpy(value.astype(np.float16).astype(np.float32)) for name, value in variables.items()}
    with torch.inference_mode():
        found, _ = model.front(features, model.initial_states(1)[1:3])
    # ours is causal and so one frame of 10 ms late
    shifted = torch.cat([mels[:, :, :1] * 0, mels], dim=2)[:, :, :64]
    local = functional.gelu(
        functional.conv1d(shifted, weight["encoder/conv1/weight"], weight["encoder/conv1/bias"], padding=1)
    )
    expected = functional.gelu(
        functional.conv1d(local, weight["encoder/conv2/weight"], weight["encoder/conv2/bias"], stride=2, padding=1)
    )
    assert torch.allclose(found[:, 2:-1], expected.transpose(1, 2)[:, 2:-1], atol=1e-4)


def test_the_neurons_that_matter_stay() -> None:
    variables = encoder(32, 2)
    variables["encoder/layer_0/ffn/linear_0/bias"] = np.where(np.arange(2048) % 43 == 0, 4.0, -4.0)
    model = Recogniser(SMALL).eval()
    before = model.output.weight.clone()
    speech = [collate([np.random.default_rng(1).standard_normal((64, 61)).astype(np.float32) + 12], [[1, 2]], 4)]
    whisper.begin(model, speech, model_file(variables))
    assert (model.blocks[0].inner.bias == 4.0).all() and model.blocks[0].inner.bias.shape == (48,)
    kept = variables["encoder/layer_0/ffn/linear_1/weight"][:, ::43].astype(np.float16).astype(np.float32)
    assert np.array_equal(model.blocks[0].outer.weight.detach().numpy(), kept)
    assert torch.equal(model.output.weight, before)


def test_a_file_that_is_no_such_model_is_refused() -> None:
    whole = model_file(encoder(32, 1))
    with pytest.raises(ValueError, match="cut short"):
        whisper.read_variables(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match="version 7"):
        whisper.read_variables(struct.pack("<I", 7) + whole[4:])
