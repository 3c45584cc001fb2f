"""Telephone effects do what a telephone does, and nothing else."""

from __future__ import annotations

import numpy as np
import pytest

from voice_gateway.asr.training import augment
from voice_gateway.asr.training.augment import PLAIN, Strength


def tone(hertz: float, seconds: float = 1.0, peak: float = 8000.0) -> np.ndarray:
    return (peak * np.sin(2 * np.pi * hertz * np.arange(int(8000 * seconds)) / 8000)).astype(np.float32)


def test_g711_tables_meet_the_standard() -> None:
    mu, a = augment.g711_table("pcmu"), augment.g711_table("pcma")
    assert len(set(mu.tolist())) == 255 and len(set(a.tolist())) == 256
    assert mu[32768] == 0 and mu.max() == 32124 and mu.min() == -32124
    assert a[32768] == 8 and a.max() == 32256 and a.min() == -32256
    with pytest.raises(ValueError, match="law"):
        augment.g711_table("opus")


@pytest.mark.parametrize("law", ["pcmu", "pcma"])
def test_g711_is_idempotent_and_near(law: str) -> None:
    wave = tone(700)
    once = augment.g711(wave, law)
    assert np.array_equal(augment.g711(once, law), once)
    assert 30 < 20 * np.log10(augment.rms(wave) / augment.rms(once - wave)) < 45


def test_the_band_keeps_speech_and_drops_hum() -> None:
    rng = np.random.default_rng(0)
    assert augment.rms(augment.telephone_band(tone(1000), rng)) > 0.9 * augment.rms(tone(1000))
    assert augment.rms(augment.telephone_band(tone(50), rng)) < 0.1 * augment.rms(tone(50))


def test_speed_changes_length_and_pitch() -> None:
    fast = augment.change_speed(tone(400), 1.25)
    assert abs(len(fast) - 6400) <= 1
    assert np.argmax(np.abs(np.fft.rfft(fast[:6400]))) == pytest.approx(400, abs=2)


def test_mixing_hits_the_ratio() -> None:
    mixed = augment.mix_at(tone(500), tone(900, 0.3), 20.0)
    assert 20 * np.log10(augment.rms(tone(500)) / augment.rms(mixed - tone(500))) == pytest.approx(20.0, abs=0.1)


def test_the_room_keeps_length_and_adds_a_tail() -> None:
    wave = tone(500)
    wave[4000:] = 0
    wet = augment.reverberate(wave, np.random.default_rng(1))
    assert len(wet) == len(wave) and augment.rms(wet[4000:4400]) > 10


def test_lost_packets_are_whole_and_about_as_many() -> None:
    wave = np.ones(8000 * 20, np.float32) * 100
    out = augment.lose_packets(wave, np.random.default_rng(2), 0.03)
    packets = out.reshape(-1, 160)
    lost = (packets != 100).any(axis=1)
    assert ((packets != 100).all(axis=1) == lost).all()
    assert 0.01 < lost.mean() < 0.12


def test_telephone_is_seeded_and_bounded() -> None:
    clip = tone(440).astype(np.int16)
    one, two = (augment.telephone(clip, np.random.default_rng(5), Strength(), lambda: clip) for _ in range(2))
    assert np.array_equal(one, two)
    for seed in range(30):
        heard = augment.telephone(clip, np.random.default_rng(seed), Strength(), lambda: clip)
        assert heard.dtype == np.float32 and np.isfinite(heard).all() and np.abs(heard).max() <= 32768


def test_plain_leaves_the_wave_alone() -> None:
    clip = tone(440).astype(np.int16)
    assert np.array_equal(augment.telephone(clip, np.random.default_rng(0), PLAIN, lambda: clip), clip)
