"""A gateway over scripted engines, and a call on it: the stage of the session tests."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from dialog.api import TurnReport, UserTurn
from tests.fakes.line import FakeLine
from tests.fakes.scripted_dialog import Say, ScriptedDialog
from tests.fakes.speech import FakeAsr, FakeEmotion, FakeTts, FakeVad
from voice_gateway.api import SessionReport
from voice_gateway.factory import build
from voice_gateway.observer import Latency, NoObserver
from voice_gateway.service import Gateway
from voice_gateway.settings import VoiceSettings

LONG = "会员可以享受九五折优惠，生日当月赠送一张二十元的优惠券，每个月还有两次免费退货上门取件的机会。"


@dataclass
class Watcher(NoObserver):
    """Keeps what it is told."""

    latencies: list[Latency] = field(default_factory=list)
    heard: list[UserTurn] = field(default_factory=list)
    replies: list[str] = field(default_factory=list)
    barge_ins: list[str] = field(default_factory=list)
    partials: list[str] = field(default_factory=list)
    reports: list[SessionReport] = field(default_factory=list)

    def on_partial(self, session: str, text: str) -> None:
        self.partials.append(text)

    def on_heard(self, turn: UserTurn) -> None:
        self.heard.append(turn)

    def on_turn(self, turn: UserTurn, report: TurnReport | None, latency: Latency) -> None:
        if turn.turn:
            self.latencies.append(latency)

    def on_reply(self, session: str, text: str) -> None:
        self.replies.append(text)

    def on_barge_in(self, session: str, heard: str) -> None:
        self.barge_ins.append(heard)

    def on_end(self, report: SessionReport) -> None:
        self.reports.append(report)


class House:
    """Everything around one call. `call` runs `caller` on the line until the session ends."""

    def __init__(
        self,
        script: dict[str, Say] | None = None,
        *,
        greeting: str = "您好，请问有什么可以帮您？",
        line: FakeLine | None = None,
        partials: bool = True,
        settings: VoiceSettings | None = None,
    ) -> None:
        self.line = line or FakeLine()
        self.dialog = ScriptedDialog(script or {}, greeting=Say(greeting))
        self.asr = FakeAsr(self.line.spoken, partials=partials)
        self.tts = FakeTts()
        self.emotion = FakeEmotion()
        self.watcher = Watcher()
        self.settings = settings or VoiceSettings(drain_s=1)
        self.gateway: Gateway = build(
            self.settings, dialog=self.dialog, emotion=self.emotion, asr=self.asr, tts=self.tts, vad=FakeVad(),
            observer=self.watcher,
        )  # fmt: skip

    @property
    def texts(self) -> list[str]:
        """What the dialog heard, in order: the text, or the kind of a turn without."""
        return [turn.text or turn.kind.value for turn in self.dialog.turns]

    async def call(self, caller: Callable[[FakeLine], Awaitable[None]]) -> SessionReport:
        """The whole call; a caller who is done hangs up."""
        await self.gateway.prepare()
        running = asyncio.create_task(self.gateway.handle(self.line))
        acting = asyncio.create_task(self._act(caller))
        done, _ = await asyncio.wait({running, acting}, return_when=asyncio.FIRST_COMPLETED)
        if acting in done:
            acting.result()
        report = await running
        acting.cancel()
        await asyncio.wait([acting])
        await self.gateway.aclose()
        assert self.line.hung_up is not None, "the line was not released"
        assert len(self.dialog.closed) == 1, "the dialog was not closed exactly once"
        assert (self.asr.open, self.tts.running, self.dialog.running) == (0, 0, 0), "something was left open"
        return report

    async def _act(self, caller: Callable[[FakeLine], Awaitable[None]]) -> None:
        await caller(self.line)
        self.line.hang_up_by_caller()
