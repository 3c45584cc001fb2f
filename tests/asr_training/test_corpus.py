"""The split is by speaker and deterministic; labels are the dictionary's; callers say numbers as people do."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from voice_gateway.asr.training import callers, corpus, synthesize, waves
from voice_gateway.asr.units import SYMBOLS, syllable_ids


def test_labels_are_dictionary_readings() -> None:
    heard = [SYMBOLS[i] for i in corpus.unit_labels("银行，不买幺三八。")]
    assert heard == ["in2", "h", "ang2", "b", "u4", "m", "ai3", "iao1", "s", "an1", "b", "a1"]
    with pytest.raises(ValueError, match="as it is said"):
        corpus.unit_labels("打10086")


def test_the_split_is_deterministic_and_skips_giants() -> None:
    clips = Counter({f"cv{i:03d}": 700 if i < 5 else 20 for i in range(100)})
    held = corpus.heldout_speakers(clips)
    assert held == corpus.heldout_speakers(Counter(dict(reversed(list(clips.items())))))
    assert len(held) == 20 and not held & {f"cv{i:03d}" for i in range(5)}


def test_held_out_voices_are_not_trained_on_even_in_blends(tmp_path: Path) -> None:
    rows = ["path\tvoices\tspeed\ttext\tseconds"]
    for name, voices in (("a", "zf_xiaoni*1.0"), ("b", "zm_yunxi*0.9+zm_yunxia*0.1"), ("c", "zm_yunxi*1.0")):
        rows.append(f"{name}.wav\t{voices}\t1.0\t你好\t1.0")
    (tmp_path / "synthetic_kokoro.tsv").write_text("\n".join(rows), encoding="utf-8")
    assert [c.split for c in corpus.read_corpus(tmp_path)] == ["heldout_kokoro", "unused", "train"]
    with pytest.raises(FileNotFoundError):
        corpus.read_corpus(tmp_path / "nothing")


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (0, "零"),
        (12, "十二"),
        (102, "一百零二"),
        (210, "两百一十"),
        (1001, "一千零一"),
        (22000, "两万两千"),
        (300500, "三十万零五百"),
    ],
)
def test_numbers_are_said_as_people_say_them(value: int, said: str) -> None:
    assert callers.say_number(value) == said


def test_callers_are_seeded_speakable_and_mostly_numbers() -> None:
    made = list(callers.sentences(400, 9))
    assert made == list(callers.sentences(400, 9)) and {s.kind for s in made} == set(callers.KINDS)
    assert all(corpus.unit_labels(s.text) for s in made)
    assert sum(s.kind in ("phone", "order", "code", "amount", "date") for s in made) > 200


def test_training_voices_are_never_the_held_out_ones() -> None:
    plan = synthesize.training_plan(300, 3, ["af_heart"])
    names = {name for _, voice in plan for name, _ in voice.parts}
    assert not names & set(synthesize.HELD_OUT_VOICES)
    tested = list(synthesize.heldout_plan(1))
    assert {v.parts[0][0] for _, v in tested} == set(synthesize.HELD_OUT_VOICES)
    assert sum(s.kind == "phone" for s, _ in tested) >= 60


def test_the_cache_leaves_silence_out(tmp_path: Path) -> None:
    soundfile = pytest.importorskip("soundfile")
    noise = np.random.default_rng(0).normal(0, 0.1, 16000)
    soundfile.write(tmp_path / "loud.wav", noise, 16000)
    soundfile.write(tmp_path / "quiet.wav", noise * 1e-4, 16000)
    clips = [corpus.Clip(tmp_path / f"{n}.wav", "x", "s", "你好", 1.0, "train") for n in ("loud", "quiet")]
    cache = waves.build(clips, tmp_path / "cache", jobs=1)
    assert len(cache) == 1 and len(cache.wave(0)) == 8000
    assert tuple(cache.label(0)) == (*syllable_ids("ni3"), *syllable_ids("hao3"))
    both = waves.join([cache, cache])
    assert np.array_equal(both.wave(1), cache.wave(0)) and np.array_equal(both.label(1), cache.label(0))
