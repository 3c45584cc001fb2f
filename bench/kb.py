"""Retrieval times of the embedded index at 1,000, 10,000 and 100,000 entries: `make bench-kb`.

Entries are made from templates (a product, a part, a concern, a place), each with two other phrasings and an answer, so
words repeat as they do in a real knowledge base. Their vectors are true vectors of their template, moved a little for
each entry, because encoding 400,000 texts would take the better part of an hour; queries are encoded for real. Prints a
table and writes docs/benchmarks/kb.md.

    python -m bench.kb [--sizes 1000,10000,100000] [--out docs/benchmarks/kb.md]
"""

from __future__ import annotations

import asyncio
import os
import platform
import sqlite3
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from rich.console import Console
from rich.progress import track

from bench.kb_entries import TemplateEncoder, entries, questions
from common.embedding import SentenceEncoder, sentence_encoder
from kb import text
from kb.ranking import calibration, judge
from kb.service import HybridKb
from kb.stores import Probe, sqlite
from kb.stores.embedded import EmbeddedStore
from kb.stores.vectors import VectorIndex

REPORT = Path("docs/benchmarks/kb.md")
GOAL_MS, GOAL_AT = 10.0, 10_000
_QUERIES, _COMPARED, _BATCH = 300, 30, 256
out = Console(highlight=False)


@dataclass(frozen=True, slots=True)
class Times:
    """Milliseconds: of a whole search (wall clock and processor), of its parts, of an answer from the cache, of one
    upsert; medians where it is not said."""

    cpu: float
    p50: float
    p95: float
    p99: float
    encode: float
    find: float
    judge: float
    cached: float
    upsert: float


@dataclass(frozen=True, slots=True)
class Row:
    """One size."""

    entries: int
    vectors: int
    megabytes: float
    import_s: float
    agreement: float
    times: Times


async def measure(kb: HybridKb, store: EmbeddedStore, encoder: SentenceEncoder, asked: Sequence[str]) -> Times:
    """Search with each question once, one after another; then the parts of a search, cached answers and upserts."""
    whole, used, parts, cached, upserts = [], [], [], [], []
    for one in asked:
        started, worked = time.perf_counter(), time.process_time()
        await kb.search(one)
        whole.append(time.perf_counter() - started)
        used.append(time.process_time() - worked)
    for one in asked:
        begun = time.perf_counter()
        # the encoder keeps the vectors of the questions above, so it gets a text that it has not seen
        probe = Probe(one, text.words(one), text.syllables(one), encoder.encode([f"{one}？"])[0])
        encoded = time.perf_counter()
        found = await store.find(probe, limit=20)
        seen = time.perf_counter()
        judge(probe, found, calibration())
        parts.append([encoded - begun, seen - encoded, time.perf_counter() - seen])
    for one in asked[:50]:
        await kb.answer(one)
        started = time.perf_counter()
        assert (await kb.answer(one)).cached
        cached.append(time.perf_counter() - started)
    for entry in await store.entries(limit=30):
        started = time.perf_counter()
        await kb.upsert([entry])
        upserts.append(time.perf_counter() - started)
    p50, p95, p99 = (float(value) for value in np.percentile(whole, [50, 95, 99]) * 1e3)
    encode, find, judged = (float(value) for value in np.median(parts, axis=0) * 1e3)
    cpu, again, upsert = (float(np.median(each)) * 1e3 for each in (used, cached, upserts))
    return Times(cpu, p50, p95, p99, encode, find, judged, again, upsert)


def agreement(path: Path, encoder: SentenceEncoder, asked: Sequence[str]) -> tuple[float, int]:
    """Share of the ten nearest entries of a full search that the index's two passes find; number of vectors."""
    db = sqlite3.connect(path)
    vectors, owners = sqlite.vectors(db, encoder.dim)
    db.close()
    index = VectorIndex.build(vectors, owners, encoder.dim)
    same = total = 0
    for one in asked:
        query = encoder.encode([text.normalise(one)])[0]
        blocks = np.array_split(vectors, max(1, len(vectors) // 20_000))
        cosines = np.concatenate([block.astype(np.float32) @ query for block in blocks])
        nearest = list(dict.fromkeys(owners[np.argsort(-cosines)[:500]].tolist()))[:10]
        total += len(nearest)
        same += len(set(nearest) & {owner for owner, _ in index.nearest(query, 10)})
    return same / total, len(vectors)


async def run(sizes: Sequence[int], to: Path) -> None:
    """Fill one index size by size, measure at each, and write the report each time."""
    encoder = TemplateEncoder(sentence_encoder())
    made = entries(max(sizes), encoder)
    asked = questions(_QUERIES * len(sizes))
    encoder.encode(["热身"])
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "kb.sqlite"
        store = EmbeddedStore(path, encoder.dim)
        kb = HybridKb(store, encoder, calibration())
        filled, spent = 0, 0.0
        for turn, size in enumerate(sizes):
            started = time.perf_counter()
            for start in track(range(filled, size, _BATCH), f"importing up to {size:,}", console=out):
                await kb.upsert(made[start : min(start + _BATCH, size)])
            filled, spent = size, spent + time.perf_counter() - started
            mine = asked[turn * _QUERIES :][:_QUERIES]
            out.print(f"measuring {_QUERIES} searches among {size:,} entries")
            times = await measure(kb, store, encoder, mine)
            same, vectors = await asyncio.to_thread(agreement, path, encoder, mine[:_COMPARED])
            rows.append(Row(size, vectors, path.stat().st_size / 1e6, spent, same, times))
            await asyncio.to_thread(to.write_text, report(rows), encoding="utf-8")
        await kb.aclose()


def report(rows: Sequence[Row]) -> str:
    """The figures as Markdown."""
    lines = [
        "# Retrieval",
        "",
        "`make bench-kb` writes this page: whole searches (question in, judged hits out), one after another, each "
        "question asked once.",
        "",
        f"Measured {datetime.now(UTC):%Y-%m-%d} on {os.cpu_count()} cores ({platform.machine()}), Python "
        f"{platform.python_version()}, load average {os.getloadavg()[0]:.1f} at the end (above the number of cores, "
        "other work delays each search: wall-clock times are pessimistic then, processor time is not).",
        "",
        "| entries | vectors | cpu ms | p50 ms | p95 ms | p99 ms | encode ms | find ms | judge ms | cached answer ms "
        "| upsert ms | agreement | import s | file MB |",
        "|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for row in rows:
        t = row.times
        lines.append(
            f"| {row.entries:,} | {row.vectors:,} | {t.cpu:.1f} | {t.p50:.1f} | {t.p95:.1f} | {t.p99:.1f} "
            f"| {t.encode:.1f} | {t.find:.1f} | {t.judge:.1f} | {t.cached:.2f} | {t.upsert:.1f} | {row.agreement:.3f} "
            f"| {row.import_s:.0f} | {row.megabytes:.0f} |"
        )
    goal = next((row for row in rows if row.entries == GOAL_AT), None)
    if goal is not None:
        verdict = "met" if goal.times.p95 <= GOAL_MS else "missed"
        lines += [
            "",
            f"Goal: p95 at most {GOAL_MS:g} ms among {GOAL_AT:,} entries: {verdict} ({goal.times.p95:.1f} ms).",
        ]
    lines += [
        "",
        "Cpu: processor time of a search, which a busy machine does not change. Encode, find (words, sound and vectors "
        "in the store), judge: the parts of a search. Cached answer: the same question again. Upsert: one entry, "
        "searchable at return, on disk (fsync). These are medians. Agreement: share of the ten nearest entries of a "
        "full float search that the two-pass vector index finds. Vectors of entries are true vectors of their "
        "template, moved a little for each entry; questions are encoded for real.",
        "",
    ]
    return "\n".join(lines)


def main(
    sizes: Annotated[str, typer.Option(help="entries, ascending, with commas")] = "1000,10000,100000",
    to: Annotated[Path, typer.Option("--out", help="where the report goes")] = REPORT,
) -> None:
    """Measure and write the report."""
    to.parent.mkdir(parents=True, exist_ok=True)
    asyncio.run(run([int(size) for size in sizes.split(",")], to))
    out.print(to.read_text(encoding="utf-8"), soft_wrap=True)


if __name__ == "__main__":
    typer.run(main)
