"""Cuts Kokoro's graph in three, so that speech can be streamed and silence need not be computed.

The first part (about 4 % of the work) turns tokens into frames of 25 ms: features [1, 512, T], pitch and energy
[1, 2T] each, and the frames of every token. Energy tells where speech begins and ends before any audio exists. The
decoder (8 %) turns the frames of a clause into what the generator wants: hidden [1, 512, 2T] and the spectrum of the
source [1, 22, 120T + 1]. The generator turns any range of these into audio: half a second of it is ready long before a
whole clause.

The generator normalises every channel over the time that it is given (instance normalisation, Huang and Belongie,
ICCV 2017), and half a second is not like the clause around it: windows were hard to understand. Its means and variances
are therefore inputs too; `given` (0 to 1) is how far they count, against those of the range itself.

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
HIDDEN = "/decoder/decoder/decode.3/Div_4_output_0"
SOURCE = "/decoder/decoder/generator/Concat_3_output_0"
HIDDEN_A_FRAME, SOURCE_A_FRAME = 2, 120
GIVEN = "given"
OWN = "_own"
"""What the names of the outputs end in: means and variances of the range itself. The inputs are `statistic_001`, ..."""


def split(whole: Path, text: Path, decoder: Path, generator: Path) -> None:
    """Write the three parts of the graph `whole`, each whole or not at all."""
    import onnx
    from onnx.utils import Extractor

    graph = onnx.load(str(whole))
    sign_activations(graph)
    extractor: Any = Extractor(graph)
    for path, inputs, outputs in (
        (text, ["tokens", "style", "speed"], [*BETWEEN, FRAMES_OF_TOKEN]),
        (decoder, [*BETWEEN, "style"], [HIDDEN, SOURCE]),
        (generator, [HIDDEN, SOURCE, "style"], ["audio"]),
    ):
        part = extractor.extract_model(inputs, outputs)
        if path == generator:
            accept_statistics(part)
        with atomic_write(path) as out:
            out.write(part.SerializeToString())


def accept_statistics(model: Any) -> int:
    """Make an input of every mean over time, and an output of what the range itself has; returns how many.

    What is used is own + given * (input - own); each is float32 [1, channels, 1].
    """
    from onnx import TensorProto, helper

    graph = model.graph
    placed = []
    count = 0
    for node in list(graph.node):
        placed.append(node)
        if node.op_type != "ReduceMean":
            continue
        count += 1
        used, own = node.output[0], node.output[0] + OWN
        outside = f"statistic_{count:03}"
        node.output[0] = own
        placed += [
            helper.make_node("Sub", [outside, own], [used + "_apart"]),
            helper.make_node("Mul", [used + "_apart", GIVEN], [used + "_step"]),
            helper.make_node("Add", [own, used + "_step"], [used]),
            helper.make_node("Identity", [own], [outside + OWN]),
        ]
        graph.input.append(helper.make_tensor_value_info(outside, TensorProto.FLOAT, [1, None, 1]))
        graph.output.append(helper.make_tensor_value_info(outside + OWN, TensorProto.FLOAT, [1, None, 1]))
    graph.input.append(helper.make_tensor_value_info(GIVEN, TensorProto.FLOAT, [1]))
    del graph.node[:]
    graph.node.extend(placed)
    return count


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
