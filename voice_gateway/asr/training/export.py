"""Export of a trained model: streaming ONNX, int8 weights, units, metadata and a half-precision checkpoint.

The graph takes ``feats`` float32 [B, T, n_mels], at most a chunk and a multiple of four frames, and the states, and
gives ``log_probs`` float32 [B, T / 4, units] and the next states. Matrix products are quantised dynamically (weights
int8 per channel, activations uint8); the rest is float32.
"""

from __future__ import annotations

import json
import logging
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from voice_gateway.asr.training.fbank import FbankOptions
from voice_gateway.asr.training.model import CHUNKS, SUBSAMPLING, ModelOptions, Recogniser
from voice_gateway.asr.units import SYMBOLS, units_sha, units_text

DELAY_MS = 20
"""By how much the units come after their sound: the median of 118 first characters of synthetic callers."""

_log = logging.getLogger(__name__)


class _Step(nn.Module):
    """The model with its states as a flat argument list, as ONNX wants them."""

    def __init__(self, model: Recogniser) -> None:
        super().__init__()
        self.model = model

    def forward(self, feats: Tensor, *states: Tensor) -> tuple[Tensor, ...]:
        scores, after = self.model(feats, list(states))
        return (scores, *after)


def load_averaged(checkpoint: Path) -> tuple[Recogniser, FbankOptions]:
    """Return the averaged model of a training checkpoint, in evaluation mode."""
    state = torch.load(checkpoint, map_location="cpu", weights_only=True)
    model = Recogniser(ModelOptions(**state["options"]))
    model.load_state_dict(state["averaged"])
    return model.eval(), FbankOptions(**state["features"])


def state_names(model: Recogniser) -> list[str]:
    return [f"state_{index:02d}" for index in range(len(model.state_shapes()))]


def metadata(model: Recogniser, features: FbankOptions, version: str) -> dict[str, Any]:
    """Return what a runtime must know, as the ``hotline`` entry of the model's metadata says it."""
    states = [
        {"name": name, "shape": list(shape), "dtype": "float32"}
        for name, shape in zip(state_names(model), model.state_shapes(), strict=True)
    ]
    return {
        "version": version,
        "sample_rate": features.sample_rate,
        "features": {**features.to_json(), "library": "kaldi-native-fbank", "normalisation": "inside the model"},
        "subsampling": SUBSAMPLING,
        "chunk_frames": CHUNKS[0],
        "final_chunk_frames": CHUNKS[1],
        "flush_ms": model.options.delay_frames * SUBSAMPLING * 10,
        "delay_ms": DELAY_MS,
        "states": states,
        "units_sha": units_sha(),
        "unit_count": len(SYMBOLS),
    }


def export_float(model: Recogniser, path: Path) -> None:
    """Write the float32 streaming graph with a dynamic batch dimension."""
    names = state_names(model)
    batch, quarter = torch.export.Dim("batch", min=1, max=64), torch.export.Dim("quarter", min=1, max=CHUNKS[1] // 4)
    feats = torch.zeros(2, CHUNKS[0], model.options.n_mels)
    states = tuple(model.initial_states(2))
    torch.onnx.export(
        _Step(model).eval(),
        (feats, *states),
        str(path),
        input_names=["feats", *names],
        output_names=["log_probs", *(f"next_{name}" for name in names)],
        dynamic_shapes={"feats": {0: batch, 1: SUBSAMPLING * quarter}, "states": tuple({0: batch} for _ in states)},
        opset_version=18,
        dynamo=True,
        external_data=False,
        verbose=False,
    )


def quantise(source: Path, target: Path, notes: dict[str, Any]) -> None:
    """Quantise the matrix products of ``source`` and write ``target`` with ``notes`` in its metadata."""
    import onnx
    from onnxruntime.quantization import QuantType, quantize_dynamic

    quantize_dynamic(
        str(source), str(target), op_types_to_quantize=["MatMul", "Gemm"], per_channel=True, weight_type=QuantType.QInt8
    )
    graph = onnx.load(str(target))
    del graph.metadata_props[:]
    entry = graph.metadata_props.add()
    entry.key, entry.value = "hotline", json.dumps(notes, ensure_ascii=False)
    for node in graph.graph.node:
        node.doc_string = ""
        del node.metadata_props[:]
    onnx.save(graph, str(target))


class OnnxStepper:
    """Runs an exported model over whole utterances chunk by chunk, on one thread."""

    def __init__(self, path: Path) -> None:
        import onnxruntime as ort

        options = ort.SessionOptions()
        options.intra_op_num_threads = 1
        self._session: Any = ort.InferenceSession(str(path), options, ["CPUExecutionProvider"])
        self.notes: dict[str, Any] = json.loads(self._session.get_modelmeta().custom_metadata_map["hotline"])

    def __call__(self, features: np.ndarray[Any, Any], chunk: int) -> np.ndarray[Any, Any]:
        """Return log probabilities [B, T / 4, units] of features [B, T, n_mels], T a multiple of 4."""
        states = {s["name"]: np.zeros((len(features), *s["shape"]), np.float32) for s in self.notes["states"]}
        out = []
        for start in range(0, features.shape[1], chunk):
            scores, *after = self._session.run(None, {"feats": features[:, start : start + chunk], **states})
            states = dict(zip(states, after, strict=True))
            out.append(scores)
        return np.concatenate(out, axis=1)


def save_half(model: Recogniser, features: FbankOptions, path: Path) -> None:
    """Write the weights alone in half precision, for a later training to start from."""
    weights = {name: value.half() for name, value in model.state_dict().items()}
    torch.save({"averaged": weights, "options": model.options.to_json(), "features": features.to_json()}, path)


def load_half(path: Path) -> Recogniser:
    """Read what :func:`save_half` wrote."""
    state = torch.load(path, map_location="cpu", weights_only=True)
    model = Recogniser(ModelOptions(**state["options"]))
    model.load_state_dict({name: value.float() for name, value in state["averaged"].items()})
    return model


def export(checkpoint: Path, out: Path, version: str, extras: Sequence[str] = ("checkpoint",)) -> Path:
    """Write ``model.int8.onnx``, ``units.txt``, ``model.json`` and, when asked, ``checkpoint.fp16.pt`` into ``out``."""
    model, features = load_averaged(checkpoint)
    out.mkdir(parents=True, exist_ok=True)
    notes = metadata(model, features, version)
    with tempfile.TemporaryDirectory() as scratch:
        plain, small = Path(scratch) / "float.onnx", Path(scratch) / "model.int8.onnx"
        export_float(model, plain)
        quantise(plain, small, notes)
        shutil.copyfile(small, out / small.name)
    (out / "units.txt").write_text(units_text(), encoding="utf-8")
    (out / "model.json").write_text(json.dumps(notes, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    if "checkpoint" in extras:
        save_half(model, features, out / "checkpoint.fp16.pt")
    _log.info("exported %s", out / "model.int8.onnx")
    return out / "model.int8.onnx"
