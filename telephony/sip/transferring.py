"""Blind transfer by REFER on one leg: sends it and waits for what the NOTIFYs say."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from aiosipua import SipRequest

from common.telemetry import get_logger
from telephony.sip.dialog import SipDialog
from telephony.sip.refer import Progress, Transfer

log = get_logger(__name__)


class Transferring:
    """At most one transfer at a time."""

    def __init__(self, dialog: SipDialog) -> None:
        self._dialog = dialog
        self._transfer: Transfer | None = None
        self._changed = asyncio.Event()
        self._over = False

    async def refer(self, target: str, headers: Mapping[str, str], timeout_s: float) -> Progress:
        """Ask the far end to call `target`. PENDING = nothing final came in time. The leg stays as it is."""
        self._transfer = transfer = Transfer()
        self._changed.clear()
        try:
            async with asyncio.timeout(timeout_s):
                response = await self._dialog.refer(target, headers)
                if response.status_code == 408:
                    return Progress.PENDING
                transfer.answered(response.status_code)
                while transfer.progress is Progress.PENDING and not self._over:
                    await self._changed.wait()
                    self._changed.clear()
        except TimeoutError:
            log.info("transfer_timed_out")
        finally:
            self._transfer = None
        return transfer.progress

    def notify(self, request: SipRequest) -> bool:
        """A NOTIFY of Event refer; whether a transfer is under way that it belongs to."""
        if self._transfer is None:
            return False
        self._transfer.notify(request)
        self._changed.set()
        return True

    def peer_left(self) -> None:
        """The far end said BYE."""
        if self._transfer is not None:
            self._transfer.peer_left()

    def end(self) -> None:
        """The leg is over: nothing more will come."""
        self._over = True
        self._changed.set()
