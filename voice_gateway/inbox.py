"""What can happen in a session, and the bounded inbox it arrives in."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from common.telemetry import get_logger
from voice_gateway.answer import Answer
from voice_gateway.api import CallEvent, TransferOutcome
from voice_gateway.ears import Speech

log = get_logger(__name__)

_SIZE = 256


@dataclass(frozen=True, slots=True)
class Said:
    """An utterance ended and its text is there."""

    speech: Speech


@dataclass(frozen=True, slots=True)
class Answered:
    """An answer was played to its end."""

    answer: Answer


@dataclass(frozen=True, slots=True)
class Transferred:
    """A transfer ended. `by_dialog`: the dialog asked for it."""

    outcome: TransferOutcome
    by_dialog: bool


class Stopped:
    """The caller stopped the bot."""


class Dead:
    """No more frames come, or none can be sent."""


Event = Said | Answered | Transferred | Stopped | Dead | CallEvent


class Inbox:
    """One session's."""

    def __init__(self, session: str) -> None:
        self._session = session
        self._queue: asyncio.Queue[Event] = asyncio.Queue(_SIZE)

    def post(self, event: Event) -> None:
        """Never waits. A flood (keys pressed by a machine) is dropped beyond the bound."""
        try:
            self._queue.put_nowait(event)
        except asyncio.QueueFull:
            log.error("inbox_full", session=self._session, kind=type(event).__name__)

    def said(self) -> list[Speech]:
        """Empties the inbox; the utterances that nobody took up."""
        left = []
        while not self._queue.empty():
            if isinstance(event := self._queue.get_nowait(), Said):
                left.append(event.speech)
        return left

    async def next(self, until: float) -> Event | None:
        """The next event, or None at the loop time `until`."""
        try:
            async with asyncio.timeout_at(until):
                return await self._queue.get()
        except TimeoutError:
            return None
