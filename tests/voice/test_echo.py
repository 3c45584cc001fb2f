"""The echo gate on synthetic speech: harmonics with a moving pitch in bursts, like syllables."""

from __future__ import annotations

import numpy as np
import pytest

from common.audio import Pcm, frames
from voice_gateway.echo import EchoGate

RATE = 8000


def voice(seconds: float, pitch: float, seed: int, level: float = 4000.0) -> Pcm:
    rng = np.random.default_rng(seed)
    t = np.arange(int(seconds * RATE)) / RATE
    phase = 2 * np.pi * np.cumsum(pitch * (1 + 0.2 * np.sin(2 * np.pi * 1.3 * t + seed))) / RATE
    tone = sum(rng.random() / n * np.sin(n * phase + rng.random()) for n in range(1, 12))
    syllables = np.clip(np.sin(2 * np.pi * 2.5 * t + seed), 0, 1)
    return (
        np.asarray((tone + 0.2 * rng.standard_normal(len(t))) * syllables * level).clip(-32768, 32767).astype(np.int16)
    )


def verdicts(heard: Pcm, sent: Pcm, rate: int = RATE) -> list[bool]:
    """What the gate says of every audible frame."""
    gate, found = EchoGate(rate), []
    size = rate // 50
    for mine, theirs in zip(frames(heard, size), frames(sent, size), strict=True):
        gate.push(mine, [theirs])
        if np.abs(mine).max() > 1000:
            found.append(gate.is_echo())
    return found


def delayed(pcm: Pcm, ms: int, db: float) -> Pcm:
    shifted = np.concatenate((np.zeros(ms * 8, np.int16), pcm))[: len(pcm)]
    return np.asarray(shifted * 10 ** (db / 20)).astype(np.int16)


@pytest.mark.parametrize("delay", [40, 250, 600])
def test_the_own_voice_is_an_echo_at_any_delay(delay: int) -> None:
    bot = voice(4, 180, 1, level=8000)
    found = verdicts(delayed(bot, delay, -10), bot)
    assert len(found) > 20 and np.mean(found) > 0.97


def test_another_voice_is_none() -> None:
    found = verdicts(voice(4, 120, 2), voice(4, 180, 1))
    assert len(found) > 20 and np.mean(found) < 0.05


def test_a_caller_over_the_echo_is_heard() -> None:
    bot, caller = voice(4, 180, 1, level=6000), voice(4, 120, 2, level=6000)
    mixed = (delayed(bot, 200, -20).astype(np.int32) + caller).clip(-32768, 32767).astype(np.int16)
    assert np.mean(verdicts(mixed, bot)) < 0.2


def test_nothing_is_an_echo_of_silence() -> None:
    caller = voice(2, 120, 2)
    assert not any(verdicts(caller, np.zeros_like(caller)))


def test_wide_band_lines_too() -> None:
    bot = np.repeat(voice(4, 180, 1, level=8000), 2)
    heard = np.concatenate((np.zeros(3200, np.int16), bot))[: len(bot)] // 4
    assert np.mean(verdicts(heard.astype(np.int16), bot, 2 * RATE)) > 0.97


def test_the_coupling_is_learned() -> None:
    gate, bot = EchoGate(RATE), voice(4, 180, 1, level=8000)
    assert gate.coupling_db is None
    for mine, theirs in zip(frames(delayed(bot, 100, -12), 160), frames(bot, 160), strict=True):
        gate.push(mine, [theirs])
        gate.is_echo()
    assert gate.coupling_db == pytest.approx(-12, abs=1.5)
