"""Cuts Kokoro's graph in two, so that speech can be streamed and silence need not be computed.

The first half (about 4 % of the work) turns tokens into frames of 25 ms: features [1, 512, T], pitch and energy
[1, 2T] each, and the frames of every token. The second, the vocoder, turns any range of frames into audio. Energy tells
where speech begins and ends before any audio exists, and a range of half a second is ready long before a whole clause.

The convolutions, nearly all of the work, get signed instead of unsigned bytes: onnxruntime has a fast kernel (VNNI) for
unsigned weights with signed activations only. The result is the same to the bit, and takes a third less time.

Runs when the model is installed; needs the `onnx` package there only.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from common.paths import atomic_write

FEATURES = "/encoder/MatMul_1_output_0"
PITCH = "/encoder/Reshape_output_0"
ENERGY = "/encoder/Reshape_1_output_0"
FRAMES_OF_TOKEN = "/encoder/Clip_output_0"
BETWEEN = (FEATURES, PITCH, ENERGY)


def split(whole: Path, text: Path, vocoder: Path) -> None:
    """Write both halves of the graph `whole`, each whole or not at all."""
    import onnx
    from onnx.utils import Extractor

    graph = onnx.load(str(whole))
    sign_activations(graph)
    extractor: Any = Extractor(graph)
    for path, inputs, outputs in (
        (text, ["tokens", "style", "speed"], [*BETWEEN, FRAMES_OF_TOKEN]),
        (vocoder, [*BETWEEN, "style"], ["audio"]),
    ):
        half = extractor.extract_model(inputs, outputs)
        with atomic_write(path) as out:
            out.write(half.SerializeToString())


def sign_activations(model: Any) -> int:
    """Quantise what goes into every ConvInteger to int8 instead of uint8; returns how many were changed.

    DynamicQuantizeLinear gives scale and zero point (uint8); the same scale with the zero point less 128 gives int8.
    """
    import numpy as np
    from onnx import TensorProto, helper, numpy_helper

    nodes = list(model.graph.node)
    quantisers = {node.output[0]: node for node in nodes if node.op_type == "DynamicQuantizeLinear"}
    convolutions = [node for node in nodes if node.op_type == "ConvInteger" and node.input[0] in quantisers]
    signed = dict.fromkeys(node.input[0] for node in convolutions)
    for node in convolutions:
        node.input[2] = node.input[2] + "_signed"
        node.input[0] = node.input[0] + "_signed"
    model.graph.initializer.append(numpy_helper.from_array(np.array(128, np.int32), "signed_by"))
    placed = []
    for node in nodes:
        placed.append(node)
        if node.op_type != "DynamicQuantizeLinear" or node.output[0] not in signed:
            continue
        quantised, scale, zero = node.output
        placed += [
            helper.make_node("Cast", [zero], [zero + "_wide"], to=TensorProto.INT32),
            helper.make_node("Sub", [zero + "_wide", "signed_by"], [zero + "_shifted"]),
            helper.make_node("Cast", [zero + "_shifted"], [zero + "_signed"], to=TensorProto.INT8),
            helper.make_node("QuantizeLinear", [node.input[0], scale, zero + "_signed"], [quantised + "_signed"]),
        ]
    del model.graph.node[:]
    model.graph.node.extend(placed)
    return len(convolutions)
