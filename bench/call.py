"""`make bench-call`: voice-to-voice latency, barge-in and CPU over real SIP/RTP, measured at the caller's end.

Starts Hotline in this process on free ports with the sample company, renders the callers' questions, lets each be
asked once (so that replies are cached, as they are on any busy day), then runs 1, 5, 10 and 20 callers in a process of
their own. Prints a table and writes docs/benchmarks/call.md.

    python -m bench.call [--calls 1 5 10 20] [--turns 8] [--out docs/benchmarks/call.md]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from common.audio import Pcm, write_wav
from common.settings import load
from common.telemetry import configure
from dialog.api import TurnReport, UserTurn
from hotline.demo import on_free_ports
from hotline.serve import Hotline
from hotline.settings import Settings
from voice_gateway.observer import Latency, NoObserver
from voice_gateway.tts.api import Speech, TtsEngine
from voice_gateway.tts.render import render

QUESTIONS = (
    "请问怎么申请退货",
    "会员有什么好处",
    "请问怎么开发票",
    "退款什么时候到账",
    "你们支持货到付款吗",
    "运费是多少钱",
)
VOICE = "zf_xiaoni"
DATA = Path("build/bench-call")
_AUDIBLE = 10 ** (-40 / 20)


@dataclass
class Stages(NoObserver):
    """The bot's own account of where the time went."""

    latencies: list[Latency] = field(default_factory=list)
    heard: list[str] = field(default_factory=list)

    def on_turn(self, turn: UserTurn, report: TurnReport | None, latency: Latency) -> None:
        if turn.text and latency.total >= 0:
            self.latencies.append(latency)
            self.heard.append(turn.text)


@dataclass(frozen=True)
class Row:
    """One number of callers."""

    calls: int
    turns: int
    unanswered: int
    voice_to_voice: list[float]
    barge_in: list[float]
    not_stopped: int
    stages: list[Latency]
    cpu: float  # cores that Hotline used


async def bench(calls: list[int], turns: int) -> list[Row]:
    """One row for each number of callers."""
    configure(level="ERROR", json=False)
    stages = Stages()
    settings = on_free_ports(load(Settings), DATA)
    limit = max(calls) + 2
    telephony = settings.telephony.model_copy(update={"max_calls": limit})
    settings = settings.model_copy(update={"telephony": telephony})
    async with Hotline(settings, observer=stages, progress=_progress) as hotline:
        assert hotline.telephony is not None
        folder = DATA / "questions"
        await _render(await hotline.house.tts(), folder)
        _progress("asking every question twice, for the caches")
        await _callers(hotline.telephony.uri, folder, 1, 2 * len(QUESTIONS))
        rows = []
        for count in calls:
            stages.latencies.clear()
            stages.heard.clear()
            _progress(f"{count} callers")
            rows.append(await _measure(hotline.telephony.uri, folder, count, turns, stages))
            _progress(f"heard: {', '.join(sorted(set(stages.heard)))}")
        return rows


async def _measure(uri: str, folder: Path, calls: int, turns: int, stages: Stages) -> Row:
    cpu, wall = time.process_time(), time.monotonic()
    found = await _callers(uri, folder, calls, turns)
    used = (time.process_time() - cpu) / (time.monotonic() - wall)
    return Row(
        calls,
        int(found["turns"]),
        int(found["unanswered"]),
        found["voice_to_voice"],
        found["barge_in"],
        int(found["not_stopped"]),
        list(stages.latencies),
        used,
    )


async def _render(tts: TtsEngine, folder: Path) -> None:
    await asyncio.to_thread(folder.mkdir, parents=True, exist_ok=True)
    for index, text in enumerate(QUESTIONS):
        pcm = _trimmed(await render(tts, Speech(text, VOICE), 8000))
        await asyncio.to_thread(write_wav, folder / f"{index}.wav", pcm, 8000)


def _trimmed(pcm: Pcm) -> Pcm:
    """Without what is 40 dB below the loudest at both ends: the last sample is speech."""
    level = np.abs(pcm.astype(np.int32))
    loud = np.flatnonzero(level > level.max() * _AUDIBLE)
    return pcm[loud[0] : loud[-1] + 1]


async def _callers(uri: str, folder: Path, calls: int, turns: int) -> dict:  # type: ignore[type-arg]
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bench.callers", uri, str(folder), str(calls), str(turns), stdout=asyncio.subprocess.PIPE
    )
    out, _ = await process.communicate()
    if process.returncode:
        raise SystemExit(f"the callers failed with status {process.returncode}")
    return dict(json.loads(out))


def table(rows: list[Row]) -> str:
    """Markdown."""
    lines = [
        "| calls | turns | voice-to-voice p50 / p95 / p99 ms | barge-in p50 / p95 ms | CPU per call |",
        "|---:|---:|---:|---:|---:|",
    ]
    for row in rows:
        lines.append(
            f"| {row.calls} | {row.turns} | {_quantiles(row.voice_to_voice, 50, 95, 99)} "
            f"| {_quantiles(row.barge_in, 50, 95)} | {row.cpu / row.calls:.1%} of a core |"
        )
    lines += ["", "| calls | endpoint p50 / p95 | asr | dialog | tts |", "|---:|---:|---:|---:|---:|"]
    for row in rows:
        parts = [_quantiles([getattr(s, name) for s in row.stages], 50, 95) for name in _STAGES]
        lines.append(f"| {row.calls} | " + " | ".join(parts) + " |")
    missed = [
        f"{row.calls} calls: {row.unanswered} turns without a reply, {row.not_stopped} interruptions that did not stop"
        for row in rows
        if row.unanswered or row.not_stopped
    ]
    return "\n".join([*lines, *([""] if missed else []), *missed])


_STAGES = ("endpoint", "asr", "dialog", "tts")


def _quantiles(values: list[float], *percents: int) -> str:
    return " / ".join(f"{np.percentile(values, p):.0f}" if values else "-" for p in percents)


def page(rows: list[Row]) -> str:
    """The document."""
    return f"""# Calls: latency, barge-in, CPU

Rerun with `make bench-call`. Real SIP and RTP (G.711 A-law) over loopback; figures are taken at the caller's end, from
packets. Voice-to-voice: last speech packet sent to first audible packet of the bot, the endpoint wait and the jitter
buffer included. Barge-in: first speech packet sent over the bot to its last audible packet. Replies are cached (each
question was asked before). CPU is Hotline's process alone; the callers are another one on the same cores.

Measured on {platform.machine()}, {os.cpu_count()} cores, load average at the end {os.getloadavg()[0]:.1f} (above the
number of cores, other work was running and every figure is pessimistic).

{table(rows)}

Where the time goes is the bot's own account (the second table, ms): `endpoint` from the last speech window to the
decision that the turn is over, then `asr` to the final text, `dialog` to the first words, `tts` to the first audio.
"""


def _progress(text: str) -> None:
    print(f"# {text}", file=sys.stderr)


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description="latency and CPU of phone calls")
    parser.add_argument("--calls", type=int, nargs="+", default=[1, 5, 10, 20])
    parser.add_argument("--turns", type=int, default=8)
    parser.add_argument("--out", type=Path, default=Path("docs/benchmarks/call.md"))
    arguments = parser.parse_args()
    rows = asyncio.run(bench(arguments.calls, arguments.turns))
    print(table(rows))
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_text(page(rows), encoding="utf-8")


if __name__ == "__main__":
    main()
