"""The session timer of one leg on the event loop's clock (RFC 4028): when to refresh and when to give up."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from telephony.sip.session_timer import SessionTimer


class SessionClock:
    """`refresh` is called when it is ours to refresh, `expired` when the far end's refresh did not come."""

    def __init__(self, refresh: Callable[[], object], expired: Callable[[], object]) -> None:
        self.timer = SessionTimer()
        self._refresh = refresh
        self._expired = expired
        self._handle: asyncio.TimerHandle | None = None
        self._stopped = False

    def arm(self, timer: SessionTimer) -> None:
        """Agreed (anew): count from now."""
        self.timer = timer
        self._cancel()
        if timer.interval and not self._stopped:
            self._handle = asyncio.get_running_loop().call_later(timer.delay, self._due)

    def stop(self) -> None:
        """Never again."""
        self._stopped = True
        self._cancel()

    def _cancel(self) -> None:
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None

    def _due(self) -> None:
        self._handle = None
        if self.timer.refresher:
            self._refresh()
        else:
            self._expired()
