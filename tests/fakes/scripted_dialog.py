"""A `DialogService` that answers by a script: turn text (or kind) to reply."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from common.errors import HotlineError
from dialog.api import (
    Expect,
    Expectation,
    Handoff,
    HandoffSummary,
    HangUp,
    HistoryItem,
    ReplyChunk,
    ReplyEnd,
    ReplyEvent,
    ReplyStart,
    SessionStart,
    TurnReport,
    UserTurn,
)


@dataclass(frozen=True, slots=True)
class Say:
    """One scripted reply."""

    text: str
    expect: Expect = Expect.FREE
    digits: int = 0
    hang_up: str = ""
    handoff: str | None = None
    interruptible: bool = True
    takes_s: float = 0.02
    chunks: int = 1


@dataclass
class ScriptedDialog:
    """`script` maps a turn's text, or its kind, to a reply; `fail` makes the next turns raise."""

    script: dict[str, Say]
    greeting: Say = Say("您好，请问有什么可以帮您？")
    default: Say = Say("这个问题我已经记下来了，请问还有什么可以帮您的吗？")
    turns: list[UserTurn] = field(default_factory=list)
    starts: list[SessionStart] = field(default_factory=list)
    interruptions: list[tuple[str, str]] = field(default_factory=list)
    failed_transfers: list[str] = field(default_factory=list)
    closed: list[str] = field(default_factory=list)
    fail: list[HotlineError] = field(default_factory=list)
    log: list[str] = field(default_factory=list)
    running: int = 0

    async def open(self, start: SessionStart) -> AsyncIterator[ReplyEvent]:
        self.starts.append(start)
        async for event in self._give("r0", self.greeting):
            yield event

    async def respond(self, turn: UserTurn) -> AsyncIterator[ReplyEvent]:
        self.log.append(f"respond {turn.text or turn.kind.value}")
        if self.fail:
            raise self.fail.pop(0)
        self.turns.append(turn)
        reply = self.script.get(turn.text) or self.script.get(turn.kind.value) or self.default
        async for event in self._give(f"r{turn.turn}", reply):
            yield event

    async def _give(self, reply_id: str, reply: Say) -> AsyncIterator[ReplyEvent]:
        self.running += 1
        try:
            await asyncio.sleep(reply.takes_s)
            yield ReplyStart(reply_id, reply.interruptible)
            size = -(-len(reply.text) // reply.chunks)
            for start in range(0, len(reply.text), size):
                yield ReplyChunk(reply_id, reply.text[start : start + size])
            expectation = Expectation(reply.expect, digits=reply.digits)
            yield ReplyEnd(reply_id, expectation, report=TurnReport(intent="scripted"))
            if reply.handoff is not None:
                yield Handoff(reply_id, reply.handoff, HandoffSummary("s", "requested", "要人工"))
            if reply.hang_up:
                yield HangUp(reply_id, reply.hang_up)
        finally:
            self.running -= 1

    async def interrupted(self, session: str, reply_id: str, heard: str) -> None:
        self.log.append(f"interrupted {reply_id}")
        self.interruptions.append((reply_id, heard))

    async def transfer_failed(self, session: str, reason: str) -> None:
        self.failed_transfers.append(reason)

    async def feedback(self, session: str, solved: bool, comment: str = "") -> None:
        """Not scripted."""

    async def close(self, session: str, reason: str) -> None:
        self.log.append("close")
        self.closed.append(reason)

    async def history(self, session: str, after: int = 0) -> tuple[HistoryItem, ...]:
        return ()

    async def fixed_prompts(self) -> tuple[str, ...]:
        return (self.greeting.text,)

    async def aclose(self) -> None:
        """Nothing to free."""
