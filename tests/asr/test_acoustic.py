"""Features and network of the bundled engine: two runs over an utterance, and models that are none."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from tests.asr.tiny import CHUNK, MELS, say, tiny_model
from voice_gateway.asr.engines.acoustic import AcousticModel, AcousticStream


@pytest.fixture
def model(tmp_path: Path) -> AcousticModel:
    return AcousticModel(tiny_model(tmp_path / "tiny.onnx", flush_ms=160))


def both_runs(
    model: AcousticModel, audio: npt.NDArray[np.int16], piece: int
) -> tuple[list[int], list[int], np.ndarray]:
    """Frames of each step for partial results and for the final one, and the latter's log probabilities."""
    stream = AcousticStream(model)
    early, late = [], []
    for start in range(0, len(audio), piece):
        first, second = stream.push(audio[start : start + piece])
        early += first
        late += second
    late += stream.finish()
    return [4 * len(p) for p in early], [4 * len(p) for p in late], np.concatenate(late)


def test_partial_results_come_in_short_chunks_and_the_final_one_in_long_ones(model: AcousticModel) -> None:
    audio = say("你好", "是", "的")
    frames = (len(audio) - 200) // 80 + 1
    early, late, _ = both_runs(model, audio, 160)
    assert early == [CHUNK] * (frames // CHUNK)
    assert set(late[:-1]) == {2 * CHUNK}
    assert sum(late) == -(-(frames + 16) // 4) * 4, "all frames and 160 ms of quiet"


def test_the_size_of_the_pieces_does_not_matter(model: AcousticModel) -> None:
    audio = say("你好")
    once, pieces = both_runs(model, audio, len(audio))[2], both_runs(model, audio, 77)[2]
    assert np.array_equal(once, pieces)


def test_an_utterance_of_nothing_is_quiet(model: AcousticModel) -> None:
    early, late, scores = both_runs(model, np.zeros(0, np.int16), 1)
    assert early == [] and sum(late) == 16 and (scores.argmax(axis=1) == 0).all()


def test_the_features_are_whispers_lower_mels(tmp_path: Path) -> None:
    from voice_gateway.asr.training.fbank import FbankOptions, fbank

    options = FbankOptions()
    model = AcousticModel(tiny_model(tmp_path / "tiny.onnx", features=options.to_json()))
    audio = (np.random.default_rng(0).standard_normal(4000) * 2000).astype(np.int16)
    online = model.fbank()
    online.accept_waveform(8000, audio.astype(np.float32))
    heard = np.stack([online.get_frame(i) for i in range(online.num_frames_ready)])
    assert heard.shape[1] == 61 != MELS
    assert np.abs(heard - fbank(audio, options)).max() < 1e-3
