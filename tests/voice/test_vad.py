"""The real detector on synthetic audio."""

from __future__ import annotations

import time

import numpy as np
import pytest

from common.audio import Pcm, resample
from common.errors import Misconfigured
from voice_gateway.vad.engines.silero import SileroVad, bundled_model


@pytest.fixture(scope="module")
def vad() -> SileroVad:
    return SileroVad(bundled_model())


def vowels(rate: int, seconds: float = 2.0) -> Pcm:
    """Glottal pulses through two formants, four syllables a second."""
    t = np.arange(int(seconds * rate)) / rate
    pulses = np.diff(np.floor(np.cumsum(140 * (1 + 0.1 * np.sin(2 * np.pi * 2 * t))) / rate), prepend=0)
    out = np.zeros_like(t)
    for formant, width in ((700, 90), (1200, 110), (2600, 160)):
        kernel_t = np.arange(int(0.03 * rate)) / rate
        kernel = np.exp(-np.pi * width * kernel_t) * np.sin(2 * np.pi * formant * kernel_t)
        out += np.convolve(pulses, kernel)[: len(t)]
    out *= 0.4 + 0.6 * np.clip(np.sin(2 * np.pi * 4 * t), 0, 1)
    return np.asarray(out / np.abs(out).max() * 12000).astype(np.int16)


@pytest.mark.parametrize("rate", [8000, 16000])
def test_speech_is_told_from_silence_and_hum(vad: SileroVad, rate: int) -> None:
    assert max(vad.stream(rate).push(resample(vowels(8000), 8000, rate))) > 0.6
    rng = np.random.default_rng(1)
    hiss = (rng.standard_normal(2 * rate) * 30).astype(np.int16)
    assert max(vad.stream(rate).push(hiss)) < 0.35
    assert max(vad.stream(rate).push(np.zeros(rate, np.int16))) < 0.35


def test_windows_do_not_depend_on_the_frame_size(vad: SileroVad) -> None:
    pcm, whole, cut = vowels(8000), vad.stream(8000), vad.stream(8000)
    pieces = [p for start in range(0, len(pcm), 160) for p in cut.push(pcm[start : start + 160])]
    assert pieces == pytest.approx(whole.push(pcm))


def test_calls_do_not_share_state(vad: SileroVad) -> None:
    speech, first, second = vowels(8000), vad.stream(8000), vad.stream(8000)
    expected = vad.stream(8000).push(speech)
    found = []
    for start in range(0, len(speech), 256):
        found += first.push(speech[start : start + 256])
        second.push(np.zeros(256, np.int16) + 500)
    assert found == pytest.approx(expected[: len(found)])


def test_cheap_enough_for_the_event_loop(vad: SileroVad) -> None:
    stream, pcm = vad.stream(8000), vowels(8000)
    stream.push(pcm)
    best = min(_seconds(lambda: stream.push(pcm[:256])) for _ in range(50))
    assert best < 0.001


def _seconds(work: object) -> float:
    began = time.perf_counter()
    work()  # type: ignore[operator]
    return time.perf_counter() - began


def test_other_rates_are_refused(vad: SileroVad) -> None:
    with pytest.raises(Misconfigured):
        vad.stream(44100)
