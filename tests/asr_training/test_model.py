"""Streaming is offline, features are kaldi's, and the loop learns and goes on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs torch")

from common.errors import BadInput  # noqa: E402
from voice_gateway.asr.training import fbank as features  # noqa: E402
from voice_gateway.asr.training import waves  # noqa: E402
from voice_gateway.asr.training.__main__ import main  # noqa: E402
from voice_gateway.asr.training.batches import Mix, draw_epoch, group_by_length  # noqa: E402, I001
from voice_gateway.asr.training.corpus import Clip  # noqa: E402
from voice_gateway.asr.training.export import save_half  # noqa: E402
from voice_gateway.asr.training.model import CHUNKS, ModelOptions, Recogniser  # noqa: E402
from voice_gateway.asr.training.score import Errors, align, collapse  # noqa: E402
from voice_gateway.asr.training.train import Plan, Trainer, learning_rate  # noqa: E402

SMALL = ModelOptions(width=32, heads=4, hidden=48, blocks=3, pool_after=1, past=20)


def test_features_are_those_of_kaldi_native_fbank() -> None:
    knf = pytest.importorskip("kaldi_native_fbank")
    options = features.FbankOptions()
    wave = (np.random.default_rng(0).standard_normal(9000) * 2000).astype(np.int16)
    kaldi = knf.FbankOptions()
    frame, mel = kaldi.frame_opts, kaldi.mel_opts
    frame.samp_freq, frame.dither, frame.preemph_coeff, frame.snip_edges = 8000, 0, 0, True
    frame.remove_dc_offset, frame.window_type, frame.round_to_power_of_two = False, "hann", False
    mel.num_bins, mel.low_freq, mel.high_freq = 61, 0, options.high_freq
    mel.is_librosa, mel.norm, mel.use_slaney_mel_scale = True, "slaney", True
    kaldi.energy_floor = 0
    online = knf.OnlineFbank(kaldi)
    online.accept_waveform(8000, wave.astype(np.float32).tolist())
    online.input_finished()
    expected = np.stack([online.get_frame(i) for i in range(online.num_frames_ready)])
    assert np.abs(features.fbank(wave, options) - expected).max() < 1e-3


def heard(batch: int, frames: int = 192) -> torch.Tensor:
    return torch.randn(batch, frames, 61) * 3 + 10


@pytest.mark.parametrize("chunk", CHUNKS)
def test_streaming_gives_the_offline_numbers(chunk: int) -> None:
    model = Recogniser(SMALL).eval()
    features = heard(2, 300)
    with torch.inference_mode():
        whole, _ = model(features, model.initial_states(2), chunk)
        trained, _ = model.training_outputs(features, chunk)
        states, parts = model.initial_states(2), []
        for start in range(0, features.shape[1], chunk):
            scores, states = model(features[:, start : start + chunk], states)
            parts.append(scores)
    assert whole.shape == (2, 75, 170)
    assert torch.allclose(torch.cat(parts, dim=1), whole, atol=1e-5)
    assert torch.allclose(trained, whole, atol=1e-5)


def test_a_frame_sees_its_chunk_and_a_bounded_past() -> None:
    model = Recogniser(SMALL).eval()
    one = heard(1, 1600)
    later, earlier = one.clone(), one.clone()
    later[:, 64:] += 5.0
    earlier[:, :32] += 5.0
    with torch.inference_mode():
        first, second, third = (model(x, model.initial_states(1), 32)[0] for x in (one, later, earlier))
    assert torch.equal(first[:, :16], second[:, :16]), "nothing of the next chunk is seen"
    assert not torch.allclose(first[:, 16:], second[:, 16:])
    assert torch.equal(first[:, -40:], third[:, -40:]), "what is long past is forgotten"
    assert not torch.allclose(first[:, 8:16], third[:, 8:16])


def test_alignment_and_collapse() -> None:
    assert collapse([0, 5, 5, 0, 5, 7, 7, 0]) == [5, 5, 7]
    assert align([1, 2, 3], [1, 3, 4]) in ([(1, 1), (2, -1), (3, 3), (-1, 4)], [(1, 1), (2, 3), (3, 4)])
    errors = Errors()
    errors.add([1, 2, 3], [1, 4, 3, 9])
    assert (errors.substitutions, errors.insertions, errors.deletions) == (1, 1, 0)
    assert errors.rate == pytest.approx(2 / 3)


def test_the_rate_rises_then_falls() -> None:
    rates = [learning_rate(s / 100, 1.0) for s in range(101)]
    assert rates[2] == max(rates) and rates[100] < 0.011 and rates[0] < 0.1


def toy(folder: Path) -> waves.Waves:
    """Twelve clips of two made-up syllables: a low and a high hum."""
    soundfile = pytest.importorskip("soundfile")
    rng, clips = np.random.default_rng(0), []
    for index in range(12):
        text = "你好"[index % 2]
        hum = np.sin(2 * np.pi * (300, 1500)[index % 2] * np.arange(4000) / 8000) * 0.3 + rng.normal(0, 0.01, 4000)
        soundfile.write(folder / f"{index}.wav", hum, 8000)
        clips.append(
            Clip(folder / f"{index}.wav", "synthetic", "v", text, 0.5, "train" if index < 10 else "heldout_cv")
        )
    return waves.build(clips, folder / "cache", jobs=1)


def test_batches_hold_to_their_size(tmp_path: Path) -> None:
    cache = toy(tmp_path)
    rng = np.random.default_rng(0)
    chosen = draw_epoch(cache, Mix((("synthetic", 2.0),)), rng)
    assert sorted(set(chosen.tolist())) == list(range(10)) and len(chosen) == 20
    groups = group_by_length(chosen, cache.length, 3 * 4000, rng)
    assert sum(len(g) for g in groups) == 20 and max(len(g) for g in groups) == 3


def test_training_learns_saves_and_goes_on(tmp_path: Path) -> None:
    cache = toy(tmp_path)

    def trainer(steps: int) -> Trainer:
        plan = Plan(tmp_path / "work", 0.5, peak_rate=1e-2, batch_seconds=4.0, warm_up_share=0.0, most_steps=steps)
        return Trainer(plan, cache, SMALL, features.FbankOptions())

    first = trainer(4)
    first.run()
    save_half(first.averaged, features.FbankOptions(), tmp_path / "half.pt")
    begun = Trainer(Plan(tmp_path / "other", 1.0, start=tmp_path / "half.pt"), cache, SMALL, features.FbankOptions())
    pairs = zip(begun.model.parameters(), first.averaged.parameters(), strict=True)
    assert begun.warm and begun.steps == 0 and all(torch.allclose(a, b, atol=1e-3) for a, b in pairs)
    second = trainer(40)
    assert second.steps == first.steps == 4 and second.spent == first.spent
    assert all(torch.equal(a, b) for a, b in zip(second.model.parameters(), first.model.parameters(), strict=True))
    second.run()
    assert second.steps == 40 and second.smooth_loss < first.smooth_loss
    assert trainer(40).share == 1.0


def test_one_gpu_is_trained_on_by_one_process(tmp_path: Path) -> None:
    given = ["--data", str(tmp_path), "--work", str(tmp_path / "work"), "--from-nothing", "--device", "cuda"]
    with pytest.raises(BadInput, match="--processes 1"):
        main(given)
