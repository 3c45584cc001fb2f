"""How fast the mouth is, and how loud each voice: `python -m bench.tts` (about a minute), `--levels` for the levels.

First audio is the time from giving the text to having its first chunk; a listener hears it then. CPU is the processor
time of this process for a second of speech (real-time factor on one core); wall figures also show what else the machine
does, so the load is printed beside them. A late chunk came after everything given before it had been played.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import resource
import tempfile
import time
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from voice_gateway.tts.api import Speech, TtsEngine
from voice_gateway.tts.cache import CachedTts, PromptStore
from voice_gateway.tts.factory import build_espeak, build_kokoro
from voice_gateway.tts.resample import ResampledTts
from voice_gateway.tts.settings import TtsSettings

SHORT = ("好的。", "请稍等。", "请问您的订单号是多少？", "已经为您提交退款申请。")
LONG = (
    "您的包裹已经发货，预计明天下午送达，请保持电话畅通。",
    "好的，我来帮您查一下。您的订单20261123004512共3件商品，合计¥1,234.50元，已于11月23日9:30发出。",
    "退货的话，请您在签收后7天内提交申请，商品保持完好，运费由我们承担，退款会在3-5个工作日内原路退回。",
)
RATE = 16_000


@dataclass(slots=True)
class Said:
    """One text: seconds to the first audio, seconds in all, seconds of audio, chunks that came too late."""

    first_s: float
    wall_s: float
    audio_s: float
    late: int


async def say(engine: TtsEngine, speech: Speech) -> Said:
    """Speak as a call would hear it."""
    began, first, audio, late, dry_at = time.perf_counter(), 0.0, 0.0, 0, 0.0
    async with aclosing(engine.stream(speech)) as chunks:  # type: ignore[type-var]
        async for chunk in chunks:
            now = time.perf_counter()
            if not len(chunk.pcm):
                continue
            if not audio:
                first, dry_at = now - began, now
            late += now > dry_at + 0.02
            dry_at = max(dry_at, now) + len(chunk.pcm) / chunk.sample_rate
            audio += len(chunk.pcm) / chunk.sample_rate
    return Said(first, time.perf_counter() - began, audio, late)


def percentile(values: list[float], share: float) -> str:
    """Milliseconds."""
    return f"{float(np.quantile(values, share)) * 1000:.0f}"


def rss_mb() -> float:
    """Resident memory of this process."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


async def measure(rounds: int) -> None:
    """Print the table."""
    console = Console(width=118)
    before = rss_mb()
    cpu, wall = time.process_time(), time.perf_counter()
    settings = TtsSettings()
    kokoro = ResampledTts(await asyncio.to_thread(build_kokoro, settings), RATE)
    console.print(
        f"load Kokoro: {time.perf_counter() - wall:.1f} s ({time.process_time() - cpu:.1f} s CPU), "
        f"memory {before:.0f} -> {rss_mb():.0f} MB; load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores"
    )
    table = Table("what", "n", "first audio p50 ms", "p95 ms", "CPU s per s", "wall s per s", "late chunks")

    async def row(name: str, engine: TtsEngine, texts: list[Speech], at_once: int = 1) -> None:
        cpu, wall = time.process_time(), time.perf_counter()
        done: list[Said] = []
        for start in range(0, len(texts), at_once):
            done += await asyncio.gather(*(say(engine, text) for text in texts[start : start + at_once]))
        audio = sum(said.audio_s for said in done)
        first = [said.first_s for said in done]
        table.add_row(
            name,
            str(len(done)),
            percentile(first, 0.5),
            percentile(first, 0.95),
            f"{(time.process_time() - cpu) / audio:.2f}",
            f"{(time.perf_counter() - wall) / audio:.2f}",
            str(sum(said.late for said in done)),
        )

    def texts(of: tuple[str, ...], times: int = rounds, fixed: bool = False) -> list[Speech]:
        return [Speech(text, fixed=fixed) for _ in range(times) for text in of]

    await row("Kokoro, short clauses", kokoro, texts(SHORT))
    await row("Kokoro, replies", kokoro, texts(LONG))
    await row("Kokoro, replies, 2 at once", kokoro, texts(LONG[:2], rounds), 2)
    await row("Kokoro, replies, 4 at once", kokoro, texts(LONG[:2] * 2, 1), 4)
    with tempfile.TemporaryDirectory() as folder:
        store = PromptStore(Path(folder), 64 << 20)
        prompts = CachedTts(kokoro, store, voice=settings.voice)
        for text in texts(SHORT, 1, fixed=True):
            await say(prompts, text)
        await row("cached, memory", prompts, texts(SHORT, 20, fixed=True))
        cold = [CachedTts(kokoro, store, voice=settings.voice) for _ in range(10)]
        await row("cached, disk", _RoundRobin(cold), texts(SHORT, 10, fixed=True))
    espeak = ResampledTts(build_espeak(settings), RATE)
    await say(espeak, Speech("好"))
    await row("espeak-ng, short clauses", espeak, texts(SHORT, 10))
    await row("espeak-ng, replies", espeak, texts(LONG, 5))
    console.print(table)
    console.print(f"memory at the end {rss_mb():.0f} MB; load average {os.getloadavg()[0]:.1f}")
    await espeak.aclose()
    await kokoro.aclose()


class _RoundRobin:
    """A fresh cache for every four texts, so that each read comes from disk."""

    def __init__(self, engines: list[CachedTts]) -> None:
        self._engines, self._said = engines, 0
        self.capabilities = engines[0].capabilities

    def stream(self, speech: Speech):  # type: ignore[no-untyped-def]
        engine = self._engines[self._said // len(SHORT) % len(self._engines)]
        self._said += 1
        return engine.stream(speech)

    async def aclose(self) -> None:
        """Nothing of its own."""


def levels() -> None:
    """Level of each voice before it is evened out: the table LEVELS_DB of the engine."""
    from voice_gateway.tts.clauses import units
    from voice_gateway.tts.kokoro_model import KokoroModel
    from voice_gateway.tts.loudness import active_level
    from voice_gateway.tts.models import locate
    from voice_gateway.tts.phonemes import Phonemizer

    model, phonemizer = KokoroModel(locate()), Phonemizer()
    for voice in model.voices:
        found = []
        for text in LONG[:2]:
            for unit in units(text):
                frames = model.frames(phonemizer.tokens(unit.pieces).ids, voice, 1.0)
                found.append(active_level(model.audio(frames, frames.first, frames.last)))
        seconds = sum(weight for _, weight in found)
        power = sum(10 ** (db / 10) * weight for db, weight in found) / seconds
        print(f"{voice:14s} {10 * np.log10(power):6.1f} dBFS", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--levels", action="store_true", help="print the level of each voice instead")
    parser.add_argument("--rounds", type=int, default=2)
    arguments = parser.parse_args()
    if arguments.levels:
        levels()
    else:
        asyncio.run(measure(arguments.rounds))
