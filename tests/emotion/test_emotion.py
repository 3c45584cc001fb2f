"""Emotion: voice relative to the same caller, words, fusion over turns, and one contract over both forms."""

from __future__ import annotations

from collections.abc import AsyncIterator

import numpy as np
import pytest

from common.auth import Authority
from common.errors import BadInput, Overloaded
from common.rpc.client import RpcClient
from common.rpc.server import GrpcServer
from emotion.acoustic import extract, read, update
from emotion.api import (
    AcousticFeatures,
    AcousticReading,
    AssessRequest,
    EmotionLabel,
    EmotionReading,
    EmotionService,
    HearRequest,
)
from emotion.client import EmotionClient
from emotion.factory import build
from emotion.lexicon import look
from emotion.server import register
from emotion.settings import EmotionSettings
from emotion.text import valence

RATE = 8000


def voice(
    seconds: float = 2.0, pitch: float = 140.0, level_db: float = -26.0, rate: float = 4.0, bright: float = 0.3
) -> np.ndarray:
    """A vowel-like sound: harmonics, `rate` syllables a second, more high harmonics the brighter."""
    t = np.arange(int(seconds * RATE)) / RATE
    wave = sum(np.sin(2 * np.pi * pitch * k * t) * (bright ** (0.4 * (k - 1))) for k in range(1, 20))
    wave = wave * (0.15 + 0.85 * np.clip(np.sin(2 * np.pi * rate * t), 0, 1))
    wave *= 10 ** (level_db / 20) / np.sqrt(np.mean(wave**2))
    return np.clip(wave * 32768, -32768, 32767).astype(np.int16)


def test_features_measure_what_they_name() -> None:
    calm = extract(voice(), RATE)
    assert calm is not None
    assert calm.pitch_hz == pytest.approx(140, rel=0.03)
    assert calm.rate_sps == pytest.approx(4.0, rel=0.6)
    louder = extract(voice(level_db=-18), RATE)
    higher = extract(voice(pitch=200), RATE)
    brighter = extract(voice(bright=0.7), RATE)
    assert louder is not None and higher is not None and brighter is not None
    assert louder.level_db - calm.level_db == pytest.approx(8.0, abs=1.0)
    assert higher.pitch_hz == pytest.approx(200, rel=0.03)
    assert brighter.tilt_db > calm.tilt_db + 3


def test_silence_and_noise_are_not_speech() -> None:
    assert extract(np.zeros(RATE, np.int16), RATE) is None
    assert extract(np.zeros(10, np.int16), RATE) is None
    noise = np.random.default_rng(1).normal(0, 3000, RATE).astype(np.int16)
    found = extract(noise, RATE)
    assert found is None or found.voiced_s < 0.5


def test_arousal_is_relative_to_the_same_caller() -> None:
    loud = extract(voice(level_db=-16), RATE)
    louder = extract(voice(level_db=-8, pitch=170), RATE)
    assert loud is not None and louder is not None
    base = update(None, read(loud, None))
    same, raised = read(loud, base), read(louder, base)
    assert same.arousal < 0.25 < 0.6 < raised.arousal
    assert raised.evidence[0].what.startswith(("level +", "pitch +"))
    assert raised.confidence > read(louder, None).confidence


def test_only_calm_speech_moves_the_baseline() -> None:
    calm, excited = extract(voice(), RATE), extract(voice(level_db=-12, pitch=190), RATE)
    assert calm is not None and excited is not None
    base = update(None, read(calm, None))
    assert update(base, read(excited, base)) == base
    moved = update(base, read(calm, base))
    assert moved.weight == 2.0 and moved.mean.level_db == pytest.approx(calm.level_db)


@pytest.mark.parametrize("text", ["我要退货", "订单号是二零二六", "退款什么时候到账", "转人工", "对", "最后一位是六"])
def test_wishes_and_facts_are_not_feelings(text: str) -> None:
    assert abs(valence(text)[0]) < 0.3


@pytest.mark.parametrize("text", ["你们就是骗子", "什么破服务气死我了", "质量太差了非常失望", "这客服什么态度"])
def test_bad_feelings_are_noticed(text: str) -> None:
    assert valence(text)[0] < -0.45


@pytest.mark.parametrize("text", ["太好了谢谢你", "东西很喜欢非常满意"])
def test_good_feelings_are_noticed(text: str) -> None:
    assert valence(text)[0] > 0.35


def test_negation_turns_words() -> None:
    assert look("我没生气")[0].anger == 0.0
    assert look("非常不满意")[0].happy == 0.0 and look("非常不满意")[0].sad > 0
    assert look("气死我了")[0].anger > 0.9


def acoustic(arousal: float) -> AcousticReading:
    return AcousticReading(arousal, 0.8, AcousticFeatures(-20, 150, 3, 4, -12, 2))


@pytest.fixture(scope="module")
def local() -> EmotionService:
    return build(EmotionSettings(waiting=2))


@pytest.fixture(params=["in place", "over gRPC"])
async def service(request: pytest.FixtureRequest, local: EmotionService) -> AsyncIterator[EmotionService]:
    if request.param == "in place":
        yield local
        return
    authority = Authority("k" * 48)
    async with GrpcServer("127.0.0.1:0", authority, drain_s=0.5) as server:
        register(server, local)
        await server.start()
        client = EmotionClient(RpcClient(f"127.0.0.1:{server.port}", authority.service_token("test")))
        yield client
        await client.aclose()


async def talk(service: EmotionService, *turns: tuple[str, float | None]) -> list[EmotionReading]:
    history: list[EmotionReading] = []
    for text, arousal in turns:
        heard = acoustic(arousal) if arousal is not None else None
        history.append(await service.assess(AssessRequest(text, heard, tuple(history))))
    return history


async def test_hear_contract(service: EmotionService) -> None:
    first = await service.hear(HearRequest(voice().tobytes(), RATE))
    second = await service.hear(HearRequest(voice(level_db=-14, pitch=180).tobytes(), RATE, first.baseline))
    assert second.reading.arousal > 0.6 > first.reading.arousal
    silent = await service.hear(HearRequest(bytes(3200), RATE, first.baseline))
    assert silent.reading.confidence == 0.0 and silent.baseline == first.baseline


@pytest.mark.parametrize(("pcm", "rate"), [(b"", 8000), (b"\0", 8000), (bytes(3200), 44100)])
async def test_odd_audio_is_the_callers_fault(service: EmotionService, pcm: bytes, rate: int) -> None:
    with pytest.raises(BadInput):
        await service.hear(HearRequest(pcm, rate))


async def test_anger_adds_up_and_a_friendly_turn_calms(service: EmotionService) -> None:
    readings = await talk(
        service, ("我的快递怎么还没到", 0.2), ("太差劲了", 0.7), ("骗子，我要投诉", 0.9), ("好的谢谢，太好了", 0.2)
    )
    scores = [reading.score for reading in readings]
    assert scores[0] < 0.3 < 0.6 < scores[1] < scores[2]
    assert scores[3] < scores[2] / 2
    assert [r.label for r in readings[1:]] == [EmotionLabel.ANGRY, EmotionLabel.ANGRY, EmotionLabel.HAPPY]
    assert {e.source for e in readings[2].evidence} >= {"text", "history"}


async def test_loud_alone_is_not_anger(service: EmotionService) -> None:
    for text in ("我想查一下订单", "太好了谢谢"):
        (reading,) = await talk(service, (text, 0.95))
        assert reading.score < 0.3 and reading.label is not EmotionLabel.ANGRY


async def test_words_alone_are_enough_in_text_channels(service: EmotionService) -> None:
    (reading,) = await talk(service, ("你们这群骗子，气死我了", None))
    assert reading.label is EmotionLabel.ANGRY and reading.score > 0.6


async def test_too_long_a_text_is_refused(service: EmotionService) -> None:
    with pytest.raises(BadInput):
        await service.assess(AssessRequest("长" * 2001))


async def test_a_full_pool_refuses(local: EmotionService) -> None:
    import asyncio

    request = HearRequest(voice(5.0).tobytes(), RATE)
    results = await asyncio.gather(*(local.hear(request) for _ in range(8)), return_exceptions=True)
    assert sum(isinstance(result, Overloaded) for result in results) == 5
