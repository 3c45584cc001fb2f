"""INVITEs of ours, the first and later ones: final answers, the ACKs of every 2xx copy, CANCEL, digest and 422."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

from aiosipua import SipRequest, SipResponse

from telephony.sip import session_timer, syntax
from telephony.sip.dialog import SipDialog
from telephony.sip.endpoint import challenge_answer
from telephony.sip.session_timer import SessionTiming
from telephony.sip.transaction import ClientTransaction

MAX_TRIES = 4  # a challenge, a 422, a stale nonce


class Refused(Exception):
    """An INVITE of ours was answered with a failure."""

    def __init__(self, response: SipResponse) -> None:
        super().__init__(f"{response.status_code} {response.reason_phrase}")
        self.status = response.status_code
        self.retry_after = response.headers.get_first("retry-after")


class Inviting:
    """At most one INVITE at a time. `on_answer` is told of each 2xx that is no copy, before it is acknowledged."""

    def __init__(self, dialog: SipDialog, on_answer: Callable[[SipResponse], None]) -> None:
        self._dialog = dialog
        self._on_answer = on_answer
        self._transaction: ClientTransaction | None = None
        self._ack: SipRequest | None = None
        self._acked = 0
        self._abandoned = False
        self._cancelled = False

    @property
    def pending(self) -> bool:
        """An INVITE has no final answer yet."""
        return self._transaction is not None

    async def first(
        self, body: str, timing: SessionTiming, headers: Mapping[str, str], on_ringing: Callable[[], None] | None
    ) -> SipResponse:
        """The INVITE that makes the dialog, again with credentials or a longer session timer when asked to."""
        interval, tries = timing.expires_s, 0
        credentials: tuple[str, str] | None = None
        while True:
            wish = session_timer.wish(interval, timing.minimum_s)
            request = self._dialog.request(
                "INVITE", {**self._dialog.capabilities(), **wish, **headers}, body, "application/sdp"
            )
            if credentials is not None:
                request.headers.set_single(*credentials)
            response = await self._final(request, on_ringing)
            tries += 1
            minimum = session_timer.minimum_of(response) if response.status_code == 422 else 0
            answer = challenge_answer(self._dialog.auth, response, request)
            if tries >= MAX_TRIES or (answer is None and minimum <= interval):
                return response
            credentials = answer or credentials
            interval = max(interval, minimum)

    async def again(self, body: str, headers: Mapping[str, str]) -> SipResponse:
        """A re-INVITE."""
        request = self._dialog.request("INVITE", {**self._dialog.capabilities(), **headers}, body, "application/sdp")
        return await self._final(request, None)

    async def _final(self, request: SipRequest, on_ringing: Callable[[], None] | None) -> SipResponse:
        answered: asyncio.Future[SipResponse] = asyncio.get_running_loop().create_future()

        def on_response(response: SipResponse) -> None:
            status = response.status_code
            if status < 200:
                if self._abandoned:
                    self._cancel()
                elif status > 100 and on_ringing is not None:
                    on_ringing()
                return
            if status < 300:
                self._acknowledge(request, response)
            if not answered.done():
                answered.set_result(response)

        self._transaction = self._dialog.endpoint.send(request, self._dialog.flow, on_response)
        try:
            return await answered
        finally:
            if not self._transaction.pending:
                self._transaction = None

    def _acknowledge(self, invite: SipRequest, response: SipResponse) -> None:
        number = syntax.cseq_of(response)[0]
        if number != self._acked:
            self._acked = number
            self._on_answer(response)
            self._ack = self._dialog.ack(invite, number)
        if self._ack is not None:
            self._dialog.flow.send(self._ack)
        if self._abandoned:
            self._abandoned = False
            self._dialog.bye()  # answered although given up

    def give_up(self) -> None:
        """Cancel what is pending, now or once it may be (RFC 3261 9.1: not before a provisional answer came).

        A 2xx that comes all the same is acknowledged and ended by BYE.
        """
        self._abandoned = True
        self._cancel()

    def _cancel(self) -> None:
        transaction = self._transaction
        if transaction is not None and transaction.proceeding and not self._cancelled:
            self._cancelled = True
            self._dialog.cancel(transaction)
