"""`make demo`: Hotline in this process, three simulated callers over real SIP/RTP, the conversations printed live.

Writes build/demo.json. The exit status is 0 only if the three calls went as they should.
"""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape

from common.aio import within
from common.settings import load
from common.telemetry import configure
from dialog.api import HandoffSummary
from hotline.callers.caller import Caller, prepare
from hotline.callers.scenarios import DEMO
from hotline.callers.script import Persona
from hotline.callers.verdict import Played, problems_of, report_of
from hotline.callers.voice import Voices
from hotline.live import Live
from hotline.serve import Hotline
from hotline.settings import Settings
from telephony.agent import UserAgent, handed_over
from voice_gateway.api import Pcm

OUT = Path("build")
HUMAN_ANSWERS_S = 300.0
HUMAN_TALKS_S = 0.5
SESSION_ENDS_S = 30.0


def on_free_ports(settings: Settings, data: Path) -> Settings:
    """`settings` on free ports and with data in a folder of its own, so as never to meet a running Hotline."""
    update: dict[str, Any] = {
        "paths": settings.paths.model_copy(update={"data": data}),
        "rpc": settings.rpc.model_copy(update={"listen": "127.0.0.1:0"}),
        "metrics": settings.metrics.model_copy(update={"port": -1}),
        "telephony": settings.telephony.model_copy(update={"port": 0, "rtp_ports": (0, 0)}),
        "text": settings.text.model_copy(update={"port": 0}),
        "shop": settings.shop.model_copy(update={"port": 0}),
    }
    return settings.model_copy(update=update)


async def demo(config: Path | None) -> int:
    """Play the three calls; 0 when all went well, else 1."""
    console = Console(highlight=False, soft_wrap=True)
    began = time.monotonic()
    configure(level="ERROR", json=False)
    settings = on_free_ports(load(Settings, config), OUT / "demo")
    live = Live(console)

    def progress(text: str) -> None:
        console.print(f"[dim]{time.monotonic() - began:6.1f} s  {escape(text)}[/dim]")

    async with UserAgent(user="human") as human:
        telephony = settings.telephony.model_copy(update={"transfer_target": human.uri})
        settings = settings.model_copy(update={"telephony": telephony})
        async with Hotline(settings, observer=live, progress=progress) as hotline:
            assert hotline.telephony is not None
            progress("simulated callers: preparing their voices")
            voices = Voices(await hotline.house.tts())
            spoken = [await prepare(persona, voices.render, seed) for seed, persona in enumerate(DEMO)]
            progress("calling")
            played = []
            for persona, lines in zip(DEMO, spoken, strict=True):
                console.print(f"\n[bold]{persona.name}[/bold]: {persona.title} [dim](from {persona.number})[/dim]")
                live.clear()
                played.append(await play(persona, lines, hotline.telephony.uri, human, live, settings))
                _print_verdict(console, played[-1])
    report = report_of(played)
    await asyncio.to_thread(_write, report)
    speed = report["voice_to_voice_ms"]
    console.print(
        f"\nvoice to voice p50 {speed['p50']} ms, p95 {speed['p95']} ms over {speed['n']} turns; "
        f"report {OUT / 'demo.json'}; {time.monotonic() - began:.0f} s in all"
    )
    return 0 if all(call["ok"] for call in report["calls"]) else 1


async def play(
    persona: Persona, spoken: dict[str, Pcm], uri: str, human: UserAgent, live: Live, settings: Settings
) -> Played:
    """One call from dialling to its verdict."""
    answering = asyncio.create_task(_answer(human), name="human")
    caller = Caller(persona, spoken, lambda: live.last_reply, live.on_line)
    try:
        async with UserAgent(user=persona.number) as phone:
            outcome = await caller.phone(phone, uri)
            if persona.expects_human:
                await asyncio.wait({answering}, timeout=10)
            context = answering.result() if answering.done() else None
        await within(live.over.wait(), SESSION_ENDS_S, "the bot's end of the call")
    finally:
        answering.cancel()
        await asyncio.gather(answering, return_exceptions=True)
    made = Played(persona, outcome, list(live.turns), list(live.barge_ins), context, _recording(settings, live))
    made.problems.extend(problems_of(made))
    return made


async def _answer(human: UserAgent) -> HandoffSummary | None:
    """The human extension takes the transferred call, reads the context, and hangs up."""
    call = await human.incoming(HUMAN_ANSWERS_S)
    context = handed_over(call)
    await call.wait_closed(HUMAN_TALKS_S)
    await call.hang_up("human")
    return context


def _write(report: dict[str, Any]) -> None:
    OUT.mkdir(exist_ok=True)
    (OUT / "demo.json").write_text(json.dumps(report, ensure_ascii=False, indent=2) + "\n")


def _recording(settings: Settings, live: Live) -> str:
    if live.ended is None:
        return ""
    folder = settings.telephony.recording.folder or settings.paths.data / "recordings"
    found = sorted(folder.rglob(f"*{live.ended.session}*.wav"))
    return str(found[0]) if found else ""


def _print_verdict(console: Console, played: Played) -> None:
    if played.context is not None:
        console.print(f"  [magenta]human[/magenta]   got the call with: {escape(played.context.summary)}")
    verdict = "[green]ok[/green]" if not played.problems else f"[red]{escape('; '.join(played.problems))}[/red]"
    console.print(f"  {verdict}  [dim]recording {played.recording or '-'}[/dim]")
