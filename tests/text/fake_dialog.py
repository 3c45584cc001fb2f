"""A scripted dialog for the text gateway: echoes, can be slow, can fail, keeps a history."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from common.errors import BadInput, NotFound, Unavailable
from dialog.api import (
    Choice,
    Handoff,
    HandoffSummary,
    HangUp,
    HistoryItem,
    ReplyChunk,
    ReplyEnd,
    ReplyEvent,
    ReplyStart,
    SessionStart,
    Source,
    UserTurn,
)


class FakeDialog:
    """Answers 你说…; special texts: 慢 (waits for `gate`), 坏 (fails), 崩 (crashes), 人工 (hand-over), 再见 (ends)."""

    def __init__(self) -> None:
        self.gate = asyncio.Event()
        self.entered = asyncio.Event()
        self.lines: dict[str, list[HistoryItem]] = {}
        self.turns: list[UserTurn] = []
        self.solved: list[bool] = []
        self.closed: list[tuple[str, str]] = []
        self.transfer_failures: list[str] = []

    def _line(self, session: str, role: str, text: str, turn: int) -> None:
        lines = self.lines[session]
        lines.append(HistoryItem(len(lines) + 1, 0.0, role, text, turn))

    async def open(self, start: SessionStart) -> AsyncIterator[ReplyEvent]:
        if start.caller == "broken":
            raise Unavailable("the store is down")
        self.lines[start.session] = []
        self._line(start.session, "bot", "您好", 0)
        for event in (ReplyStart("r0"), ReplyChunk("r0", "您好", True), ReplyEnd("r0")):
            yield event

    async def respond(self, turn: UserTurn) -> AsyncIterator[ReplyEvent]:
        self.turns.append(turn)
        reply = f"r{turn.turn}"
        self._line(turn.session, "user", turn.text, turn.turn)
        yield ReplyStart(reply)
        if turn.text == "慢":
            self.entered.set()
            await self.gate.wait()
        if turn.text == "坏":
            raise Unavailable("kb is down")
        if turn.text == "崩":
            raise KeyError("bug")
        yield ReplyChunk(reply, f"你说{turn.text}")
        self._line(turn.session, "bot", f"你说{turn.text}", turn.turn)
        yield ReplyEnd(reply, choices=(Choice("解决了", "solved"),), sources=(Source("faq-1", "退货政策"),))
        if turn.text == "人工":
            yield Handoff(reply, "", HandoffSummary(turn.session, "requested", "要人工", {"order": "1"}))
        if turn.text == "再见":
            yield HangUp(reply, "goodbye")

    async def interrupted(self, session: str, reply_id: str, heard: str) -> None:
        raise BadInput("text is not interrupted")

    async def transfer_failed(self, session: str, reason: str) -> None:
        self.transfer_failures.append(reason)

    async def feedback(self, session: str, solved: bool, comment: str = "") -> None:
        self.solved.append(solved)

    async def close(self, session: str, reason: str) -> None:
        self.closed.append((session, reason))

    async def history(self, session: str, after: int = 0) -> tuple[HistoryItem, ...]:
        if session not in self.lines:
            raise NotFound("no such session")
        return tuple(item for item in self.lines[session] if item.seq > after)

    async def fixed_prompts(self) -> tuple[str, ...]:
        return ()

    async def aclose(self) -> None:
        self.gate.set()
