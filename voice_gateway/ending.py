"""The end of a call, in order: stop hearing, finish or cancel the turn, tell the dialog, close it, release the line.

Every step is bounded, and none that fails keeps the next from happening.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

from common.aio import TaskSet
from common.telemetry import get_logger
from dialog.api import TurnKind, UserTurn
from voice_gateway import phrases
from voice_gateway.answer import Answer, Answerer
from voice_gateway.api import Call
from voice_gateway.ears import Ears
from voice_gateway.inbox import Inbox
from voice_gateway.speaker import Speaker
from voice_gateway.tools import Tools

log = get_logger(__name__)

_BORDER_S = 3.0


async def at_border(session: str, work: Coroutine[Any, Any, object], what: str, seconds: float = _BORDER_S) -> None:
    """Await a call to another service whose failure changes nothing for us: it is logged, not raised."""
    try:
        async with asyncio.timeout(seconds):
            await work
    except Exception as error:
        log.warning("border_call_failed", session=session, what=what, exc_info=error)


class Ending:
    """Ends one session; `run` once."""

    def __init__(
        self,
        call: Call,
        tools: Tools,
        *,
        ears: Ears,
        inbox: Inbox,
        speaker: Speaker,
        answerer: Answerer,
        tasks: TaskSet,
    ) -> None:
        self._call, self._tools, self._ears, self._inbox = call, tools, ears, inbox
        self._speaker, self._answerer, self._tasks = speaker, answerer, tasks
        self._id = call.info.id

    async def run(self, reason: str, answer: Answer | None, turns: int) -> int:
        """End for `reason` in the middle of `answer`. The number of turns, last words included. Never raises."""
        dialog, patience = self._tools.dialog, self._tools.settings.closing_s
        text = "" if reason == "transferred" else await self._last_words()
        if answer is not None and not answer.complete.is_set() and reason not in ("shutdown", "error"):
            await at_border(self._id, answer.complete.wait(), "running turn", patience)
        await self._tasks.aclose()
        await self._speaker.stop()
        heard = self._speaker.heard
        if answer is not None and answer.reply_id and heard != answer.text:
            await at_border(self._id, dialog.interrupted(self._id, answer.reply_id, heard), "interrupted")
        if text:
            turns += 1
            last = UserTurn(self._id, turns, TurnKind.SPEECH, text)
            self._tools.observer.on_heard(last)
            collected = self._answerer.collect(Answer(last, lambda: dialog.respond(last)))
            await at_border(self._id, collected, "last words", patience)
        await at_border(self._id, dialog.close(self._id, reason), "close")
        await at_border(self._id, self._call.hang_up(reason), "hang up")
        await self._ears.aclose()
        return turns

    async def _last_words(self) -> str:
        """What the caller said last and nobody took up, unless it was a courtesy."""
        await at_border(self._id, self._ears.cut(), "last words")
        text = "".join(speech.text for speech in self._inbox.said())
        return "" if phrases.is_courtesy(text) or phrases.is_backchannel(text) else text
