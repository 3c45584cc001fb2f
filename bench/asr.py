"""How well and how fast the ears hear: `python -m bench.asr --set NAME=LIST.tsv ...` (also from BENCH_ASR_SETS).

Every installed Mandarin engine hears every set through mu-law; the bundled one also without the company's own words
and on bad lines. Then 1 to 20 utterances at once are pushed in real time. Without sets, sentences of the sample
company and dictated numbers are spoken by two Kokoro voices that no training hears. Writes docs/benchmarks/asr.md.
"""

from __future__ import annotations

import argparse
import asyncio
import csv
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from common.paths import cache_dir
from voice_gateway.asr.api import AsrEngine, Expect
from voice_gateway.asr.catalogue import installed
from voice_gateway.asr.degrade import Line, load
from voice_gateway.asr.engines.bundled import bundled_model
from voice_gateway.asr.evaluate import Item, Report, hint_for, percentiles, read_list, run
from voice_gateway.asr.factory import build
from voice_gateway.asr.graph.build import read_texts, rebuild_apart
from voice_gateway.asr.graph.numbers import dictation
from voice_gateway.asr.settings import AsrSettings
from voice_gateway.asr.tables import markdown

ROOT = Path(__file__).parent.parent
SAMPLE = [ROOT / "kb/sample" / name for name in ("faq.csv", "products.csv", "manuals")]
TARGET = ROOT / "docs/benchmarks/asr.md"
MULAW = Line(8000, "pcmu")
BAD_LINES = (Line(8000, "pcma"), Line(8000, "pcmu", snr_db=15), Line(8000, "pcmu", loss=0.03))
console = Console(width=220)
Row = tuple[str, Report]


def synthetic(count: int) -> Path:
    """Sentences of the sample company's callers and dictated numbers, by voices that training never hears."""
    import soundfile

    from voice_gateway.asr.training.synthesize import HELD_OUT_VOICES, Kokoro, Voice
    from voice_gateway.tts.kokoro_model import KokoroModel
    from voice_gateway.tts.models import locate

    folder = cache_dir() / f"bench-asr-{count}"
    listing = folder / "LIST.tsv"
    if listing.exists():
        return listing
    folder.mkdir(parents=True, exist_ok=True)
    rng = random.Random(11)
    with (ROOT / "kb/sample/questions.csv").open(encoding="utf-8") as file:
        texts = [row["question"] for row in csv.DictReader(file) if not any(c.isascii() for c in row["question"])]
    texts = rng.sample(texts, count) + ["".join(words) for words in dictation(count, seed=99)]
    lines = ["path\ttext"]
    kokoro = Kokoro(KokoroModel(locate()))
    for index, text in enumerate(texts):
        voice = Voice(((HELD_OUT_VOICES[index % 2], 1.0),), 1.0)
        soundfile.write(folder / f"{index:03}.wav", kokoro.speak(text, voice), 8000)
        lines.append(f"{index:03}.wav\t{text}")
    listing.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return listing


def others() -> list[AsrSettings]:
    """Settings of every installed model of other makers that hears Mandarin."""
    return [
        AsrSettings(engine=model.engine, model=model.path, threads=1)
        for model in installed()
        if model.engine != "bundled" and ("zh" in model.name or "-cn-" in model.name)
    ]


async def elsewhere(listing: Path, settings: AsrSettings, limit: int) -> str:
    """Errors of another library's engine, in a process of its own: the libraries do not share one."""
    command = [sys.executable, "-m", "hotline", "asr", "eval", str(listing), "--engine", settings.engine]
    command += ["--model", str(settings.model), "--codec", "pcmu", "--limit", str(limit), "--json"]
    process = await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE)
    out, _ = await asyncio.wait_for(process.communicate(), 3600)
    found = json.loads(out)
    return (
        f"- {settings.engine}, {settings.model and settings.model.name}: CER {found['score']['cer']:.1%}, digit "
        f"strings {found['score']['digit_accuracy']:.0%}, RTF {found['rtf']:.3f}, "
        f"final p95 {found['final_ms'][1]:.0f} ms, {found['peak_mb']:.0f} MB\n"
    )


async def errors(sets: Sequence[tuple[str, list[Item]]], graphs: Path, plain: Path) -> list[Row]:
    """The bundled engine on every set, also without the company's words and on bad lines."""
    rows: list[Row] = []

    async def add(name: str, settings: AsrSettings, items: list[Item], line: Line, hint: str = "auto") -> None:
        engine = build(settings)
        try:
            rows.append((name, await run(engine, items, line, hint=hint)))
        finally:
            await engine.aclose()
        console.print(f"{name}: CER {rows[-1][1].score.cer:.1%} ({rows[-1][1].engine}, {rows[-1][1].line})")

    for name, items in sets:
        if bundled_model().exists():
            await add(name, AsrSettings(graphs=graphs, threads=1), items, MULAW)
            await add(f"{name}, no hints", AsrSettings(graphs=graphs, threads=1), items, MULAW, "free")
            await add(f"{name}, without the company's texts", AsrSettings(graphs=plain, threads=1), items, MULAW)
            for line in BAD_LINES:
                await add(name, AsrSettings(graphs=graphs, threads=1), items[: max(20, len(items) // 3)], line)
    return rows


async def crowd(engine: AsrEngine, items: Sequence[Item], at_once: int, rounds: int = 2) -> str:
    """A Markdown row: `at_once` callers speak in real time, each `rounds` utterances."""
    audio = [(await asyncio.to_thread(load, item.path, 8000), item) for item in items[: at_once * rounds]]
    finals: list[float] = []
    heard_s = 0.0

    async def caller(index: int) -> None:
        nonlocal heard_s
        for round_ in range(rounds):
            samples, item = audio[(index + round_ * at_once) % len(audio)]
            stream = await engine.stream(hint_for("auto", item.text), sample_rate=8000)
            began = time.perf_counter()
            for start in range(0, len(samples), 160):
                await stream.push(samples[start : start + 160])
                await asyncio.sleep(max(0.0, began + (start + 160) / 8000 - time.perf_counter()))
            flushed = time.perf_counter()
            await stream.flush()
            finals.append((time.perf_counter() - flushed) * 1000)
            heard_s += len(samples) / 8000
            await stream.aclose()

    cpu, wall = time.process_time(), time.perf_counter()
    await asyncio.gather(*(caller(index) for index in range(at_once)))
    used = time.process_time() - cpu
    p50, p95 = percentiles(finals)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return (
        f"| {at_once} | {len(finals)} | {p50:.0f} | {p95:.0f} | {used / heard_s:.3f} | "
        f"{used / (time.perf_counter() - wall):.0%} | {peak:.0f} |\n"
    )


async def measure(arguments: argparse.Namespace) -> None:
    """Everything, then the file."""
    named = [entry.split("=", 1) for entry in arguments.set or os.environ.get("BENCH_ASR_SETS", "").split()]
    if not named:
        listing = await asyncio.to_thread(synthetic, arguments.limit or 60)
        named = [["sample company, Kokoro voices never trained on", str(listing)]]
    sets = [(name, read_list(Path(path), arguments.limit)) for name, path in named]
    with tempfile.TemporaryDirectory() as folder:
        graphs, plain = Path(folder) / "tenant", Path(folder) / "plain"
        info = await rebuild_apart(list(read_texts(SAMPLE)), folder=graphs)
        await rebuild_apart([], folder=plain)
        began = time.perf_counter()
        settings = AsrSettings(graphs=graphs, threads=2, max_streams=32)
        engine = build(settings)
        loaded = time.perf_counter() - began
        version = engine.capabilities.version
        table = (
            "| utterances at once | n | final p50 ms | final p95 ms | CPU s per s of audio | of one core | peak MB |\n"
            "|---|---|---|---|---|---|---|\n"
        )
        for at_once in arguments.streams:
            table += await crowd(engine, sets[-1][1], at_once)
        await engine.aclose()
        console.print(table)
        rows = await errors(sets, graphs, plain)
    rest = ""
    for settings in others():
        for name, path in named:
            rest += f"\n{name}:\n\n" + await elsewhere(Path(path), settings, arguments.limit)
    text = (
        "# The ears\n\n"
        f"`python -m bench.asr`, {os.cpu_count()} cores, load average {os.getloadavg()[0]:.1f} at the end (other work "
        "on the machine makes wall times worse than they would be alone; CPU figures are of this process).\n\n"
        f"Graph of the sample company: {info.clauses} clauses, {info.words} words, {info.ngrams} n-grams, "
        f"{info.arcs[Expect.FREE.value] / 1e6:.1f} M arcs, built in {info.seconds} s; engine loaded in "
        f"{loaded:.1f} s.\n\n"
        f"At most {arguments.limit or 'all'} recordings of each set; model and graph: {version}.\n\n"
        'Hints: "auto" gives the digits hint where at least half of the reference is a digit string, as the dialog '
        "does when it waits for a number. Latencies are p50/p95.\n\n"
        + markdown(rows)
        + rest
        + "\n## Many at once, in real time, two threads\n\n"
        + table
    )
    if arguments.write:
        TARGET.parent.mkdir(parents=True, exist_ok=True)
        TARGET.write_text(text, encoding="utf-8")
    console.print(text)


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--set", action="append", metavar="NAME=LIST.tsv", help="may be repeated")
    parser.add_argument("--limit", type=int, default=60, help="recordings of each set; 0 = all")
    parser.add_argument("--streams", type=int, nargs="*", default=[1, 5, 10, 20])
    parser.add_argument("--no-write", dest="write", action="store_false", help="leave docs/benchmarks/asr.md alone")
    asyncio.run(measure(parser.parse_args()))


if __name__ == "__main__":
    main()
