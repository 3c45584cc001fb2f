"""A recogniser small enough to write down: each unit is a tone, the network picks the loudest mel band.

`tiny_model` writes an ONNX model of the bundled engine's contract; `say` makes the audio of a word sequence for it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from voice_gateway.asr.graph.lexicon import readings
from voice_gateway.asr.units import SYMBOLS, units_sha

RATE = 8000
MELS = 48
CHUNK = 16
FIRST_BAND, SPACING = 6, 4
UNITS = ("n", "i3", "h", "ao3", "sh", "ih4", "uo3", "d", "e5", "q")  # one tone each
FEATURES = {"n_mels": MELS, "low_freq": 60.0, "high_freq": 3700.0, "dither": 0.0, "input_scale": "int16"}


def _mel(hertz: npt.ArrayLike) -> npt.NDArray[np.float64]:
    return 1127.0 * np.log1p(np.asarray(hertz, dtype=np.float64) / 700.0)


def tone_of(unit: int) -> float:
    """Hz in the middle of the band of a unit."""
    band = FIRST_BAND + SPACING * UNITS.index(SYMBOLS[unit])
    edges = np.linspace(_mel(60.0), _mel(3700.0), MELS + 2)
    return float(700.0 * np.expm1(edges[band + 1] / 1127.0))


def say(*words: str, rate: int = RATE, unit_s: float = 0.12, gap_s: float = 0.16) -> npt.NDArray[np.int16]:
    """Tones of the words' units with short gaps, silence around."""
    pieces = [np.zeros(int(0.2 * rate))]
    for word in words:
        for unit in readings(word)[0].units:
            time = np.arange(int(unit_s * rate)) / rate
            pieces += [6000 * np.sin(2 * np.pi * tone_of(unit) * time), np.zeros(int(gap_s * rate))]
    pieces.append(np.zeros(int(0.2 * rate)))
    return np.concatenate(pieces).astype(np.int16)


def tiny_model(path: Path, **changes: Any) -> Path:
    """Write the model; `changes` replace metadata entries (None leaves `hotline` out altogether)."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    weights = np.zeros((MELS, len(SYMBOLS)), dtype=np.float32)
    bias = np.full(len(SYMBOLS), -60.0, dtype=np.float32)
    bias[0] = 15.0
    for index, symbol in enumerate(UNITS):
        unit = SYMBOLS.index(symbol)
        weights[FIRST_BAND + SPACING * index, unit] = 1.0
        bias[unit] = 0.0
    nodes = [
        helper.make_node("Reshape", ["feats", "shape"], ["grouped"]),
        helper.make_node("ReduceMean", ["grouped", "axis"], ["mean"], keepdims=0),
        helper.make_node("MatMul", ["mean", "weights"], ["scores"]),
        helper.make_node("Add", ["scores", "bias"], ["logits"]),
        helper.make_node("LogSoftmax", ["logits"], ["log_probs"], axis=-1),
        helper.make_node("Add", ["state_00", "one"], ["next_state_00"]),
    ]
    constants = [
        numpy_helper.from_array(weights, "weights"),
        numpy_helper.from_array(bias, "bias"),
        numpy_helper.from_array(np.array([0, -1, 4, MELS], dtype=np.int64), "shape"),
        numpy_helper.from_array(np.array([2], dtype=np.int64), "axis"),
        numpy_helper.from_array(np.ones((1, 1), dtype=np.float32), "one"),
    ]
    graph = helper.make_graph(
        nodes,
        "tiny",
        [
            helper.make_tensor_value_info("feats", TensorProto.FLOAT, [1, "frames", MELS]),
            helper.make_tensor_value_info("state_00", TensorProto.FLOAT, [1, 1]),
        ],
        [
            helper.make_tensor_value_info("log_probs", TensorProto.FLOAT, [1, "outputs", len(SYMBOLS)]),
            helper.make_tensor_value_info("next_state_00", TensorProto.FLOAT, [1, 1]),
        ],
        constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    described = {
        "version": "tiny",
        "sample_rate": RATE,
        "features": FEATURES,
        "subsampling": 4,
        "chunk_frames": CHUNK,
        "final_chunk_frames": 2 * CHUNK,
        "flush_ms": 0,
        "delay_ms": 0,
        "states": [{"name": "state_00", "shape": [1], "dtype": "float32"}],
        "units_sha": units_sha(),
    }
    entry = model.metadata_props.add()
    entry.key = "other" if changes.pop("unmarked", False) else "hotline"
    entry.value = json.dumps({**described, **changes})
    onnx.save(model, str(path))
    return path


def general(sentences: Sequence[Sequence[str]]) -> Any:
    """A general language model of a few sentences."""
    from voice_gateway.asr.graph import ngram
    from voice_gateway.asr.graph.general import General

    model = ngram.train(sentences)
    return General(model, tuple(readings(word) if i > 2 else () for i, word in enumerate(model.words)))
