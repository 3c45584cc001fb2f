"""Measure an engine on a list of recordings: errors, digit strings, speed, latencies, memory.

Audio is pushed in packets of 20 ms and each is decoded before the next one is given (`lockstep`), so latencies are
those of an idle machine: first partial = speech heard before the first non-empty partial came, from the first loud
frame on, plus the time of computing it; final = from `flush` to the final text. The real-time factor is processor
time per second of audio, of all threads of this process.
"""

from __future__ import annotations

import asyncio
import csv
import resource
import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np

from common.errors import BadInput
from voice_gateway.asr.api import AsrEngine, AsrStream, DecodingHint, Expect, Samples
from voice_gateway.asr.degrade import Line, load
from voice_gateway.asr.score import Score, normal, score
from voice_gateway.asr.text import digit_strings

TAIL_S = 0.3


@dataclass(frozen=True, slots=True)
class Item:
    """A line of a list."""

    path: Path
    text: str


@dataclass(frozen=True, slots=True)
class Heard:
    """What an engine made of one recording."""

    text: str
    reference: str
    confidence: float
    audio_s: float
    cpu_s: float
    first_partial_ms: float | None
    final_ms: float


@dataclass(frozen=True, slots=True)
class Report:
    """The measured figures of one run. Latencies in ms (p50, p95)."""

    engine: str
    line: str
    hint: str
    score: Score
    audio_s: float
    rtf: float
    first_partial_ms: tuple[float, float]
    final_ms: tuple[float, float]
    peak_mb: float

    def to_json(self) -> dict[str, Any]:
        """Plain values, with the rates that follow from the counts."""
        plain = asdict(self)
        plain["score"] |= {"cer": round(self.score.cer, 4), "digit_accuracy": round(self.score.digit_accuracy, 4)}
        return plain


@runtime_checkable
class Drainable(Protocol):
    """Streams that can say when all pushed audio is decoded."""

    async def drained(self) -> None:
        """Wait until nothing waits."""


def read_list(path: Path, limit: int = 0) -> list[Item]:
    """A tab-separated list with columns path and text (a header names them); paths are relative to the list.

    Raises BadInput.
    """
    if not path.is_file():
        raise BadInput(f"{path}: no such list; give a tab-separated file with the columns path and text")
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    if not rows or "path" not in rows[0] or "text" not in rows[0]:
        raise BadInput(f"{path}: the first line must name the columns path and text, separated by tabs")
    where, what = rows[0].index("path"), rows[0].index("text")
    items = [Item(path.parent / row[where], row[what]) for row in rows[1:] if len(row) > max(where, what)]
    if limit and len(items) > limit:
        items = items[:: len(items) // limit][:limit]
    return items


def hint_for(name: str, reference: str) -> DecodingHint:
    """The hint to decode with; "auto" gives DIGITS where half of the reference is a digit string, as a dialog would."""
    if name != "auto":
        return DecodingHint(Expect(name))
    wanted = normal(reference)
    digits = sum(len(string) for string in digit_strings(reference, minimum=3))
    return DecodingHint(Expect.DIGITS if wanted and digits * 2 >= len(wanted) else Expect.FREE)


async def hear(engine: AsrEngine, audio: Samples, reference: str, hint: DecodingHint, rate: int) -> Heard:
    """Recognise one recording in lockstep."""
    stream = await engine.stream(hint, sample_rate=rate)
    size = rate // 50
    began = time.process_time()
    loud = _speech_start(audio, size)
    seen: list[float] = []
    reader = asyncio.create_task(_first(stream, seen))
    latency: float | None = None
    try:
        padded = np.concatenate([audio, np.zeros(int(TAIL_S * rate), dtype=np.int16)])
        for start in range(0, len(padded), size):
            at = time.perf_counter()
            await stream.push(padded[start : start + size])
            if isinstance(stream, Drainable):
                await stream.drained()
            await asyncio.sleep(0)
            if seen and latency is None:
                latency = (start + size - loud) / rate * 1000 + (time.perf_counter() - at) * 1000
        final = await stream.flush()
        await reader
    finally:
        reader.cancel()
        await stream.aclose()
    return Heard(
        final.text,
        reference,
        final.confidence,
        len(padded) / rate,
        time.process_time() - began,
        latency,
        final.decode_ms,
    )


async def _first(stream: AsrStream, seen: list[float]) -> None:
    async for transcript in stream:
        if transcript.text and not seen:
            seen.append(time.perf_counter())


def _speech_start(audio: Samples, size: int) -> int:
    frames = audio[: len(audio) // size * size].astype(np.float64).reshape(-1, size)
    if not len(frames):
        return 0
    level = np.sqrt(np.mean(frames**2, axis=1))
    return int(np.argmax(level > 0.1 * level.max())) * size


async def run(
    engine: AsrEngine,
    items: Sequence[Item],
    line: Line,
    *,
    hint: str = "free",
    progress: Callable[[Heard], None] = lambda _: None,
) -> Report:
    """Hear every item once, one after the other."""
    results = [heard async for heard in _each(engine, items, line, hint, progress)]
    return report(engine.capabilities.name, results, line, hint)


async def _each(
    engine: AsrEngine, items: Sequence[Item], line: Line, hint: str, progress: Callable[[Heard], None]
) -> AsyncIterator[Heard]:
    for index, item in enumerate(items):
        audio = line.apply(await asyncio.to_thread(load, item.path, line.rate), index)
        heard = await hear(engine, audio, item.text, hint_for(hint, item.text), line.rate)
        progress(heard)
        yield heard


def report(engine: str, results: Sequence[Heard], line: Line, hint: str) -> Report:
    """Figures of many results."""
    audio = sum(result.audio_s for result in results)
    first = [result.first_partial_ms for result in results if result.first_partial_ms is not None]
    return Report(
        engine,
        f"{line.rate} Hz {line.codec or 'linear'}"
        + (f" SNR {line.snr_db:g} dB" if line.snr_db is not None else "")
        + (f" loss {line.loss:.0%}" if line.loss else ""),
        hint,
        score((result.reference, result.text) for result in results),
        round(audio, 1),
        round(sum(result.cpu_s for result in results) / max(audio, 1e-9), 4),
        percentiles(first),
        percentiles([result.final_ms for result in results]),
        round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1),
    )


def percentiles(values: Sequence[float]) -> tuple[float, float]:
    """p50 and p95; zeros for none."""
    if not values:
        return 0.0, 0.0
    p50, p95 = np.percentile(np.array(values), [50, 95])
    return round(float(p50), 1), round(float(p95), 1)
