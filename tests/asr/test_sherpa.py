"""The sherpa engine: folders recognised by their files, and one really running (tiny, T-one interface)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest

from common.aio import InferencePool
from voice_gateway.asr.api import AsrModelError, StreamScope
from voice_gateway.asr.engines.sherpa import SherpaEngine, detect

onnx = pytest.importorskip("onnx")
TOKENS = ("是", "不", "好", "<blk>")


@pytest.fixture
async def pool() -> AsyncIterator[InferencePool]:
    made = InferencePool(1)
    yield made
    await made.aclose()


def write_model(path: Path, metadata: dict[str, str]) -> None:
    """The smallest model: identity of one float."""
    from onnx import TensorProto, helper

    value = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1])
    graph = helper.make_graph(
        [helper.make_node("Identity", ["x"], ["y"])],
        "g",
        [value],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1])],
    )
    save(graph, path, metadata)


def save(graph, path: Path, metadata: dict[str, str]) -> None:
    from onnx import helper

    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    for key, value in metadata.items():
        entry = model.metadata_props.add()
        entry.key, entry.value = key, value
    onnx.save(model, str(path))


def write_tokens(folder: Path, tokens: tuple[str, ...] = TOKENS) -> None:
    text = "".join(f"{token} {index}\n" for index, token in enumerate(tokens))
    (folder / "tokens.txt").write_text(text, encoding="utf-8")


def write_t_one(folder: Path) -> None:
    """300 ms of samples [B, 2400, 1] -> 10 frames; a loud frame says token 0, a quiet one blank."""
    from onnx import TensorProto, helper, numpy_helper

    folder.mkdir(exist_ok=True)
    write_tokens(folder)
    nodes = [
        helper.make_node("Cast", ["signal"], ["wave"], to=TensorProto.FLOAT),
        helper.make_node("Abs", ["wave"], ["size"]),
        helper.make_node("Reshape", ["size", "frames"], ["framed"]),
        helper.make_node("ReduceMean", ["framed"], ["level"], axes=[2], keepdims=1),
        helper.make_node("MatMul", ["level", "weights"], ["scores"]),
        helper.make_node("Add", ["scores", "bias"], ["logits"]),
        helper.make_node("LogSoftmax", ["logits"], ["logprobs"], axis=-1),
        helper.make_node("Identity", ["state"], ["state_next"]),
    ]
    constants = [
        numpy_helper.from_array(np.array([-1, 10, 240], dtype=np.int64), "frames"),
        numpy_helper.from_array(np.array([[0.01, 0, 0, 0]], dtype=np.float32), "weights"),
        numpy_helper.from_array(np.array([0, -9, -9, 5], dtype=np.float32), "bias"),
    ]
    graph = helper.make_graph(
        nodes,
        "t_one",
        [
            helper.make_tensor_value_info("signal", TensorProto.INT32, ["B", 2400, 1]),
            helper.make_tensor_value_info("state", TensorProto.FLOAT16, ["B", 8]),
        ],
        [
            helper.make_tensor_value_info("logprobs", TensorProto.FLOAT, ["B", 10, 4]),
            helper.make_tensor_value_info("state_next", TensorProto.FLOAT16, ["B", 8]),
        ],
        constants,
    )
    save(graph, folder / "model.onnx", {"frame_length_ms": "300", "state_dim": "8", "sample_rate": "8000"})


@pytest.mark.parametrize(
    ("files", "metadata", "kind"),
    [
        (("encoder.onnx", "decoder.onnx", "joiner.onnx"), {}, "transducer"),
        (("encoder.int8.onnx", "decoder.int8.onnx", "encoder.onnx", "decoder.onnx"), {}, "paraformer"),
        (("model.onnx",), {"model_type": "zipformer2"}, "zipformer2_ctc"),
        (("model.int8.onnx",), {"model_type": "EncDecCTCModelBPE", "window_size": "105"}, "nemo_ctc"),
        (("model.onnx",), {"frame_length_ms": "300", "state_dim": "8", "sample_rate": "8000"}, "t_one_ctc"),
    ],
)
def test_a_folder_is_recognised_by_its_files(tmp_path: Path, files, metadata, kind: str) -> None:
    write_tokens(tmp_path)
    for name in files:
        write_model(tmp_path / name, metadata)
    found = detect(tmp_path)
    assert found.kind == kind
    assert found.sample_rate == (8000 if kind == "t_one_ctc" else 16000)
    if any("int8" in name for name in files):
        assert all("int8" in path for name, path in found.files.items() if name != "tokens")


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ((), "incomplete"),
        (("encoder.onnx",), "incomplete"),
        (("model.onnx",), "names no kind"),
    ],
)
def test_an_incomplete_folder_says_so(tmp_path: Path, files, message: str) -> None:
    write_tokens(tmp_path)
    for name in files:
        write_model(tmp_path / name, {})
    with pytest.raises(AsrModelError, match=message):
        detect(tmp_path)


def test_what_is_no_model(tmp_path: Path) -> None:
    with pytest.raises(AsrModelError, match="does not exist"):
        detect(tmp_path / "none")
    with pytest.raises(AsrModelError, match=r"no tokens\.txt"):
        detect(tmp_path)
    write_tokens(tmp_path)
    write_model(tmp_path / "model.onnx", {"model_type": "zipformer2"})
    (tmp_path / "model.onnx").write_bytes((tmp_path / "model.onnx").read_bytes()[:40])
    with pytest.raises(AsrModelError, match="truncated"):
        detect(tmp_path)


async def test_another_language_is_refused(tmp_path: Path, pool: InferencePool) -> None:
    write_t_one(tmp_path)
    write_tokens(tmp_path, tuple("가나다라마바사아자차카타파하거너더러머버서") + ("<blk>",))
    with pytest.raises(AsrModelError, match="for ko, but zh is wanted"):
        SherpaEngine(tmp_path, pool)


async def test_a_model_runs(tmp_path: Path, pool: InferencePool) -> None:
    write_t_one(tmp_path / "inner")
    engine = SherpaEngine(tmp_path, pool)
    assert engine.kind == "t_one_ctc" and engine.capabilities.native_rate == 8000
    quiet, loud = np.zeros(4800, dtype=np.int16), np.full(2400, 3000, dtype=np.int16)
    async with StreamScope(engine) as stream:
        for piece in (quiet, loud, quiet, loud, quiet):
            await stream.push(piece)
        final = await stream.flush()
    assert final.text == "是是"
    assert [timed.text for timed in final.chars] == ["是", "是"]
    assert final.chars[0].start == pytest.approx(0.6, abs=0.31)
    assert final.chars[1].start - final.chars[0].start == pytest.approx(0.9, abs=0.1)
    with pytest.raises(AsrModelError, match="8000 or 16000"):
        await engine.stream(sample_rate=11025)
    await engine.aclose()
