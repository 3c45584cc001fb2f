"""The real voices: Kokoro where its model is installed, espeak-ng through pyttsx3 where that is."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import replace

import numpy as np
import pytest

from common.audio import Pcm, dbfs
from common.errors import BadInput, Overloaded, Unavailable
from voice_gateway.tts import kokoro_model
from voice_gateway.tts.api import AudioChunk, Speech, TtsEngine
from voice_gateway.tts.clauses import units
from voice_gateway.tts.engines.espeak import EspeakEngine
from voice_gateway.tts.engines.kokoro import KokoroEngine
from voice_gateway.tts.kokoro_model import Frames, KokoroModel
from voice_gateway.tts.loudness import active_level
from voice_gateway.tts.models import KokoroFiles, default_folder
from voice_gateway.tts.phonemes import Phonemizer
from voice_gateway.tts.text import speakable
from voice_gateway.tts.windows import windows

FILES = KokoroFiles(default_folder())
needs_kokoro = pytest.mark.skipif(not FILES.installed, reason="Kokoro's model is not installed")
needs_espeak = pytest.mark.skipif(shutil.which("espeak-ng") is None, reason="espeak-ng is not installed")


@pytest.fixture(scope="module")
def model() -> KokoroModel:
    return KokoroModel(FILES)


@pytest.fixture
async def kokoro(model: KokoroModel) -> AsyncIterator[KokoroEngine]:
    engine = KokoroEngine(model, voice="zf_xiaoxiao", max_streams=2)
    yield engine
    await engine.aclose()


@pytest.fixture
async def espeak() -> AsyncIterator[EspeakEngine]:
    engine = EspeakEngine()
    yield engine
    await engine.aclose()


async def everything(engine: TtsEngine, speech: Speech) -> list[AudioChunk]:
    async with aclosing(engine.stream(speech)) as chunks:  # type: ignore[type-var]
        return [chunk async for chunk in chunks]


def joined(chunks: list[AudioChunk]) -> Pcm:
    return np.concatenate([chunk.pcm for chunk in chunks])


@pytest.fixture(scope="module")
def phonemizer() -> Phonemizer:
    return Phonemizer()


@pytest.mark.parametrize("text", ["您好，请问您的订单号是多少？", "好的！我来帮您查一下。", "退款、换货；都可以：对吗"])
def test_mandarin_phonemes_are_misakis(phonemizer: Phonemizer, text: str) -> None:
    from kokoro_onnx.config import DEFAULT_VOCAB
    from misaki.zh import ZHG2P

    expected = ZHG2P()(text)[0]
    assert phonemizer.tokens(speakable(text)).ids == tuple(DEFAULT_VOCAB[char] for char in expected)


def test_every_token_knows_its_piece(phonemizer: Phonemizer) -> None:
    pieces = speakable("您的WiFi订单20260012，VIP。")
    tokens = phonemizer.tokens(pieces)
    assert len(tokens.ids) == len(tokens.piece)
    assert list(tokens.piece) == sorted(tokens.piece)
    said = {pieces[index].written for index in tokens.piece}
    assert {"您", "WiFi", "20260012", "VIP", "。"} <= said


@pytest.mark.parametrize(("word", "syllables"), [("还款", 2), ("嗯", 1), ("重置", 2), ("朝阳区", 3)])
def test_words_with_their_own_readings_are_said(phonemizer: Phonemizer, word: str, syllables: int) -> None:
    from kokoro_onnx.config import DEFAULT_VOCAB

    tones = {DEFAULT_VOCAB[tone] for tone in "→↗↓↘"}
    assert sum(token in tones for token in phonemizer.tokens(speakable(word)).ids) == syllables


def test_what_has_no_sound_gives_no_tokens(phonemizer: Phonemizer) -> None:
    assert phonemizer.tokens(speakable("😀")).ids == ()


@needs_kokoro
async def test_kokoro_streams_the_whole_text_at_the_common_level(kokoro: KokoroEngine) -> None:
    text = "好的，我来帮您查一下。您的3件商品已于今天发出，请您留意。😀"
    chunks = await everything(kokoro, Speech(text))
    assert "".join(chunk.text for chunk in chunks) == text
    assert len(chunks) >= 3 and {chunk.sample_rate for chunk in chunks} == {24_000}
    pcm = joined(chunks)
    assert 4.0 < len(pcm) / 24_000 < 8.0
    level, _ = active_level(pcm.astype(np.float32) / 32768)
    assert level == pytest.approx(-21, abs=2.5)
    assert np.abs(pcm[:240]).max() < 3000, "it begins with a click"


@needs_kokoro
def test_windows_sound_like_the_whole(model: KokoroModel, phonemizer: Phonemizer) -> None:
    (unit,) = units("请保持您的电话畅通。")
    frames = model.frames(phonemizer.tokens(unit.pieces).ids, "zf_xiaoxiao", 1.0)
    middle = min(range(frames.first + 25, frames.last - 25), key=frames.loudness)
    whole = model.audio(frames, frames.first, frames.last)
    parts = [model.audio(frames, frames.first, middle), model.audio(frames, middle, frames.last)]
    halves = np.concatenate(parts)
    assert len(halves) == len(whole)

    def spectrum(audio: np.ndarray) -> np.ndarray:
        cut = audio[: len(audio) // 512 * 512].reshape(-1, 512) * np.hanning(512)
        return np.maximum(-60, 20 * np.log10(np.abs(np.fft.rfft(cut, axis=1)) + 1e-6))

    loud = spectrum(whole).max(axis=1) > -20
    swapped = np.concatenate(parts[::-1])
    assert np.abs(spectrum(whole) - spectrum(halves))[loud].mean() < 6
    assert np.abs(spectrum(whole) - spectrum(swapped))[loud].mean() > 9


@needs_kokoro
async def test_closing_the_iterator_stops_the_work(kokoro: KokoroEngine) -> None:
    for _ in range(3):  # places are given back: the limit is two
        async with aclosing(kokoro.stream(Speech("这是一段很长的话，" * 10))) as chunks:  # type: ignore[type-var]
            first = await anext(chunks)
            assert len(first.pcm)
    assert kokoro._pool.waiting == 0 and kokoro._active == 0


@needs_kokoro
async def test_too_many_texts_at_once_are_refused(kokoro: KokoroEngine) -> None:
    async with aclosing(kokoro.stream(Speech("一"))) as one, aclosing(kokoro.stream(Speech("二"))) as two:  # type: ignore[type-var]
        await anext(one)
        await anext(two)
        with pytest.raises(Overloaded) as caught:
            await everything(kokoro, Speech("三"))
        assert caught.value.retry_after_s


@needs_kokoro
async def test_bad_requests_are_the_callers_fault(kokoro: KokoroEngine) -> None:
    for bad in (Speech("好", voice="nobody"), Speech("好", speed=3), Speech("好", voice="zf_xiaoni:x")):
        with pytest.raises(BadInput):
            await everything(kokoro, bad)


@needs_kokoro
async def test_speed_and_blends_change_the_sound(kokoro: KokoroEngine) -> None:
    blend = "zf_xiaoni:0.5+zm_yunxi:0.5"
    slow, fast = [joined(await everything(kokoro, Speech("您好吗", blend, speed))) for speed in (0.8, 1.6)]
    assert len(fast) < 0.8 * len(slow)


@needs_kokoro
async def test_texts_without_sound_are_given_back_in_silence(kokoro: KokoroEngine) -> None:
    chunks = await everything(kokoro, Speech("😀"))
    assert "".join(chunk.text for chunk in chunks) == "😀" and not len(joined(chunks))
    assert await everything(kokoro, Speech("")) == []


@needs_kokoro
async def test_a_closed_engine_refuses(model: KokoroModel) -> None:
    engine = KokoroEngine(model, voice="zf_xiaoxiao")
    await engine.aclose()
    await engine.aclose()
    with pytest.raises(Unavailable):
        await everything(engine, Speech("好"))


@needs_espeak
async def test_espeak_speaks_mandarin_through_pyttsx3(espeak: EspeakEngine) -> None:
    chunks = await everything(espeak, Speech("您好，共2件商品。请稍等。", voice="zf_xiaoxiao"))
    assert "".join(chunk.text for chunk in chunks) == "您好，共2件商品。请稍等。"
    pcm = joined(chunks)
    assert 2.0 < len(pcm) / 22_050 < 8.0 and dbfs(pcm) == pytest.approx(-22, abs=3)


@needs_espeak
async def test_espeak_comes_back_after_its_process_died(espeak: EspeakEngine) -> None:
    await everything(espeak, Speech("好"))
    assert espeak._process is not None
    espeak._process.kill()
    await espeak._process.wait()
    assert len(joined(await everything(espeak, Speech("好"))))


@needs_espeak
async def test_texts_for_espeak_do_not_mix(espeak: EspeakEngine) -> None:
    alone = {
        text: len(joined(await everything(espeak, Speech(text)))) for text in ("好", "您好，请问您的订单号是多少？")
    }
    texts = list(alone) * 3
    together = await asyncio.gather(*(everything(espeak, Speech(text)) for text in texts))
    for text, chunks in zip(texts, together, strict=True):
        assert len(joined(chunks)) == pytest.approx(alone[text], rel=0.03)


@needs_espeak
async def test_a_cancelled_text_does_not_spoil_the_next(espeak: EspeakEngine) -> None:
    expected = len(joined(await everything(espeak, Speech("好"))))
    task = asyncio.create_task(everything(espeak, Speech("这是一段很长的话，" * 20)))
    await asyncio.sleep(0.005)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert len(joined(await everything(espeak, Speech("好")))) == pytest.approx(expected, rel=0.05)


async def test_a_worker_that_cannot_start_is_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("voice_gateway.tts.engines.espeak.sys.executable", "/bin/false")
    engine = EspeakEngine()
    with pytest.raises(Unavailable, match="espeak-ng"):
        await everything(engine, Speech("好"))
    await engine.aclose()
    with pytest.raises(Unavailable):
        await everything(engine, Speech("好"))


def in_windows(model: KokoroModel, frames: Frames) -> np.ndarray:
    cut = windows(frames.first, frames.last, frames.loudness)
    assert len(cut) >= 2
    return np.concatenate([model.audio(frames, start, end) for start, end in cut])


@needs_kokoro
def test_windows_with_the_statistics_of_their_clause_are_the_clause(
    model: KokoroModel, phonemizer: Phonemizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kokoro_model, "TRUST", 1.0)
    tokens = phonemizer.tokens(units("请把商品放回原来的盒子里快递员会上门来取")[0].pieces)
    frames = model.frames(tokens.ids, "zf_xiaoxiao", 1.0)
    whole = model.audio(frames, frames.first, frames.last)

    def noise_db(statistics: tuple[np.ndarray, ...]) -> float:
        apart = in_windows(model, replace(frames, statistics=statistics)) - whole
        return float(10 * np.log10(np.sum(apart**2) / np.sum(whole**2)))

    assert noise_db(model.measure(frames)) < -12 < noise_db(()) - 6


@needs_kokoro
@pytest.mark.parametrize("voice", ["zf_xiaoxiao", "zm_yunxi", "zf_xiaoni:0.5+zf_xiaoyi:0.5"])
def test_a_short_clause_in_windows_is_no_whisper(model: KokoroModel, phonemizer: Phonemizer, voice: str) -> None:
    frames = model.frames(phonemizer.tokens(units("怎么报警")[0].pieces).ids, voice, 1.0)
    whole = model.audio(frames, frames.first, frames.last)
    assert len(frames.statistics) > 0
    assert np.std(in_windows(model, frames)) > 0.3 * np.std(whole)
