"""Prints conversations as they happen, and keeps them for the report. An observer of one call at a time."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from rich.console import Console
from rich.markup import escape

from dialog.api import TurnKind, TurnReport, UserTurn
from voice_gateway.api import SessionReport
from voice_gateway.observer import Latency, NoObserver


@dataclass(slots=True)
class Heard:
    """One turn as the bot took it."""

    turn: UserTurn
    report: TurnReport | None
    latency: Latency
    reply: str


class Live(NoObserver):
    """See the module."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self.clear()

    def clear(self) -> None:
        """Before the next call."""
        self.turns: list[Heard] = []
        self.greeting = ""
        self.barge_ins: list[str] = []
        self.ended: SessionReport | None = None
        self.over = asyncio.Event()
        self._reply = ""
        self._said: list[str] = []

    @property
    def last_reply(self) -> str:
        """What the bot has been saying most recently."""
        return self._reply or (self._said[-1] if self._said else "")

    def on_line(self, text: str) -> None:
        """The simulated caller begins to say this."""
        self._console.print(f"  [bold]caller[/bold]  {escape(text)}")

    def on_reply(self, session: str, text: str) -> None:
        self._reply += text
        self._console.print(f"  [green]bot[/green]     {escape(text)}")

    def on_turn(self, turn: UserTurn, report: TurnReport | None, latency: Latency) -> None:
        reply, self._reply = self._reply, ""
        self._said.append(reply)
        if turn.turn == 0 and not self.turns:
            self.greeting = reply
            return
        self.turns.append(Heard(turn, report, latency, reply))
        self._console.print(
            f"  [cyan]heard[/cyan]   {escape(_heard(turn))}  [dim]{escape(_facts(report, latency))}[/dim]"
        )

    def on_barge_in(self, session: str, heard: str) -> None:
        self.barge_ins.append(heard)
        self._console.print(f"  [yellow]stopped[/yellow] the caller heard: {escape(heard)}…")

    def on_end(self, report: SessionReport) -> None:
        self.ended = report
        self.over.set()


def _heard(turn: UserTurn) -> str:
    match turn.kind:
        case TurnKind.SPEECH:
            return turn.text
        case TurnKind.DTMF:
            return f"[keys {turn.text}]"
        case _:
            return f"[{turn.kind.value}]"


def _facts(report: TurnReport | None, latency: Latency) -> str:
    parts = []
    if report is not None:
        parts.append(f"{report.intent or '-'} {report.intent_confidence:.2f}")
        if report.slots:
            parts.append(" ".join(f"{name}={value}" for name, value in report.slots.items()))
        if report.emotion is not None:
            emotion = report.emotion
            parts.append(f"{emotion.label.value} {emotion.score:.2f}")
        parts.append(f"→ {report.action or '-'}")
    if latency.total >= 0:
        parts.append(
            f"{latency.total:.0f} ms = wait {latency.endpoint:.0f} + asr {latency.asr:.0f}"
            f" + dialog {latency.dialog:.0f} + tts {latency.tts:.0f}"
        )
    return " · ".join(parts)
