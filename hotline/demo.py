"""`make demo`: Hotline in this process, three simulated callers over real SIP/RTP, the conversations printed live.

Writes build/demo.json. The exit status is 0 only if the three calls went as they should.
"""

from __future__ import annotations

import asyncio
import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from common.errors import HotlineError, TimedOut
from common.settings import load
from common.telemetry import configure
from dialog.api import TurnReport, UserTurn
from hotline.callers.caller import Caller, CallOutcome, prepare
from hotline.callers.scenarios import DEMO
from hotline.callers.script import Persona
from hotline.callers.voice import Voices
from hotline.serve import Hotline
from hotline.settings import Settings
from telephony.agent import UserAgent, handed_over
from voice_gateway.api import SessionReport
from voice_gateway.observer import Latency, NoObserver

OUT = Path("build")
HUMAN_WITHIN_S = 20.0


@dataclass(slots=True)
class Turn:
    """One turn as the bot saw it."""

    turn: UserTurn
    report: TurnReport | None
    latency: Latency
    reply: list[str] = field(default_factory=list)


class Live(NoObserver):
    """Prints the conversation as it happens, and keeps it. One call at a time."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self.greeting: list[str] = []
        self.turns: list[Turn] = []
        self.barge_ins: list[str] = []
        self.ended: SessionReport | None = None

    def clear(self) -> None:
        """Before the next call."""
        self.greeting, self.turns, self.barge_ins, self.ended = [], [], [], None

    @property
    def last_reply(self) -> str:
        """What the bot has said since the caller last spoke."""
        return "".join(self.turns[-1].reply if self.turns else self.greeting)
