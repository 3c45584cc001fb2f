"""The bundled engine end to end over a tiny network: features, network, search, streams."""

from __future__ import annotations

import asyncio
from pathlib import Path

import numpy as np
import pytest

from tests.asr.tiny import general, say, tiny_model
from voice_gateway.asr.api import DIGITS, FREE, YES_NO, AsrClosed, AsrEngine, AsrModelError, AsrOverloaded, Transcript
from voice_gateway.asr.api import StreamScope as Scope
from voice_gateway.asr.factory import build
from voice_gateway.asr.graph.build import rebuild
from voice_gateway.asr.settings import AsrSettings


async def hear(
    engine: AsrEngine, audio: np.ndarray, hint=FREE, rate: int = 8000
) -> tuple[list[Transcript], Transcript]:
    async with Scope(engine, hint, sample_rate=rate) as stream:
        partials: list[Transcript] = []

        async def read() -> None:
            async for transcript in stream:
                partials.append(transcript)

        reader = asyncio.create_task(read())
        for start in range(0, len(audio), rate // 50):
            await stream.push(audio[start : start + rate // 50])
            await stream.drained()
        final = await stream.flush()
        await reader
        return partials, final


async def test_words_times_and_confidence(settings: AsrSettings) -> None:
    engine = build(settings)
    results, final = await hear(engine, say("你好", "是", "的"))
    assert final.text == "你好是的"
    assert final.final and final.engine == "bundled" and final.decode_ms > 0
    assert [timed.text for timed in final.chars] == list("你好是的")
    starts = [timed.start for timed in final.chars]
    # each unit of the audio takes 0.28 s after 0.2 s of silence: 你 at 0.2, 好 two units later, 是 four, 的 six
    assert starts == pytest.approx([0.2, 0.76, 1.32, 1.88], abs=0.12)
    assert all(timed.end > timed.start for timed in final.chars)
    assert 0.5 < final.confidence <= 1.0
    assert results[-1] == final
    assert [r.final for r in results] == [False] * (len(results) - 1) + [True]
    assert any(r.text == "你好" for r in results[:-1])
    await engine.aclose()


async def test_sixteen_kilohertz_is_resampled(settings: AsrSettings) -> None:
    engine = build(settings)
    _, final = await hear(engine, say("你好", rate=16000), rate=16000)
    assert final.text == "你好"
    await engine.aclose()


async def test_silence_gives_an_empty_final(settings: AsrSettings) -> None:
    engine = build(settings)
    results, final = await hear(engine, np.zeros(8000, dtype=np.int16))
    assert (final.text, final.confidence, final.chars) == ("", 0.0, ())
    assert results == [final]
    async with Scope(engine) as stream:
        assert (await stream.flush()).text == ""
    await engine.aclose()


async def test_a_hint_chooses_a_graph_that_cannot_hear_all_words(settings: AsrSettings) -> None:
    engine = build(settings)
    audio = say("是", "的")
    assert (await hear(engine, audio, YES_NO))[1].text == "是的"
    capabilities = engine.capabilities
    assert {hint.expect for hint in (FREE, DIGITS, YES_NO)} == set(capabilities.hints)
    await engine.aclose()


async def test_a_new_graph_is_used_by_new_streams_only(settings: AsrSettings) -> None:
    engine = build(settings)
    audio = say("你", "好", "好")
    old = await engine.stream()
    base = general([("你好",), ("是", "的")])
    await asyncio.to_thread(rebuild, ["拟好好"] * 3, folder=settings.graphs, hotwords=["拟好好"], general=base)
    new = await engine.stream()
    for stream in (old, new):
        await stream.push(audio)
    assert (await old.flush()).text == "你好好"
    assert (await new.flush()).text == "拟好好"
    await engine.aclose()


async def test_a_broken_new_graph_leaves_the_old_one_in_use(settings: AsrSettings) -> None:
    engine = build(settings)
    (settings.graphs / "current").write_text("no-such-version")
    assert (await hear(engine, say("你好")))[1].text == "你好"
    await engine.aclose()


async def test_streams_are_counted_closed_and_independent(settings: AsrSettings) -> None:
    engine = build(settings)
    streams = [await engine.stream() for _ in range(settings.max_streams)]
    with pytest.raises(AsrOverloaded, match="open already"):
        await engine.stream()
    words = ["你好", "是", "的", "你好"]
    for start in range(0, 8000, 800):
        for stream, word in zip(streams, words, strict=True):
            await stream.push(say(word)[start : start + 800])
    texts = [(await stream.flush()).text for stream in streams]
    assert texts == words
    await streams[0].aclose()
    await streams[0].aclose()
    await (await engine.stream()).aclose()
    with pytest.raises(AsrClosed):
        await streams[0].push(say("是"))
    await engine.aclose()
    with pytest.raises(AsrClosed):
        await engine.stream()


async def test_rules_of_a_stream(settings: AsrSettings) -> None:
    engine = build(settings)
    with pytest.raises(AsrModelError, match="8000 or 16000"):
        await engine.stream(sample_rate=44100)
    async with Scope(engine) as stream:
        with pytest.raises(TypeError, match="int16"):
            await stream.push(np.zeros(160, dtype=np.float32))
        first = await stream.flush()
        assert await stream.flush() == first
        with pytest.raises(AsrClosed, match="after flush"):
            await stream.push(np.zeros(160, dtype=np.int16))
    await engine.aclose()


async def test_the_loop_is_free_while_decoding(settings: AsrSettings) -> None:
    engine = build(settings)
    ticks = 0

    async def tick() -> None:
        nonlocal ticks
        while True:
            await asyncio.sleep(0)
            ticks += 1

    async with Scope(engine) as stream:
        await stream.push(say(*["你好"] * 10))
        ticker = asyncio.create_task(tick())
        await stream.flush()
        ticker.cancel()
    assert ticks > 3
    await engine.aclose()


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda path: path.unlink(), "is missing"),
        (lambda path: path.write_bytes(path.read_bytes()[:3000]), "truncated"),
        (lambda path: path.write_text("hello"), "no ONNX model"),
        (lambda path: tiny_model(path, unmarked=True), "not a Hotline recogniser"),
        (lambda path: tiny_model(path, states=[{"name": "state_07", "shape": [1], "dtype": "float32"}]), "no input"),
        (lambda path: tiny_model(path, subsampling="four"), "metadata is wrong"),
        (lambda path: tiny_model(path, units_sha="0" * 64), "made for another model"),
    ],
)
def test_a_model_that_cannot_be_used_says_why(tmp_path: Path, settings: AsrSettings, spoil, message: str) -> None:
    path = tiny_model(tmp_path / "spoilt.onnx")
    spoil(path)
    with pytest.raises(AsrModelError, match=message) as caught:
        build(settings.model_copy(update={"model": path}))
    assert "\n" not in caught.value.message


def test_the_bundled_engine_speaks_chinese_only(settings: AsrSettings) -> None:
    with pytest.raises(AsrModelError, match="speaks zh, not ko"):
        build(settings.model_copy(update={"language": "ko"}))
