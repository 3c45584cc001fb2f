"""Between the work on a turn and whoever reads the reply: the work never waits for a reader, nor ends with one.

A turn that was begun is finished and recorded even when the caller talks over its reply or the line drops: a request
that reached the order system must be in the history.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from dialog.api import ReplyChunk, ReplyEvent, ReplyStart

_SIZE = 512


class Outbox:
    """The events of one reply, in order. A chunk that was sent is not sent again when the turn is worked out anew."""

    def __init__(self) -> None:
        self._queue: asyncio.Queue[ReplyEvent | BaseException | None] = asyncio.Queue(_SIZE)
        self._sent: list[str] = []
        self._started = False

    def start(self, reply_id: str) -> None:
        """The reply begins (said once)."""
        if not self._started:
            self._started = True
            self._queue.put_nowait(ReplyStart(reply_id))

    def chunks(self, reply_id: str, chunks: list[tuple[str, bool]]) -> None:
        """All chunks so far: (text, fixed). Those sent before are skipped."""
        for place, (text, fixed) in enumerate(chunks):
            if place >= len(self._sent):
                self._sent.append(text)
                self._queue.put_nowait(ReplyChunk(reply_id, text, fixed))

    def put(self, event: ReplyEvent) -> None:
        """Any other event."""
        self._queue.put_nowait(event)

    @property
    def started(self) -> bool:
        """Whether anything was said."""
        return self._started

    def close(self, error: BaseException | None = None) -> None:
        """No more events."""
        self._queue.put_nowait(error)

    async def read(self) -> AsyncIterator[ReplyEvent]:
        """The events; raises what the work raised."""
        while (item := await self._queue.get()) is not None:
            if isinstance(item, BaseException):
                raise item
            yield item
