"""Conversations: turns in, replies out. Owns the order of things; what is decided and said is data and pure functions.

A turn: read the events and fold them; understand and feel side by side; decide; run the flow, saying lead-ins before
anything slow; write the events with a version check (read again and work the turn out anew when somebody was faster);
then say the rest. Turns of one session follow one another in this process by a lock, across processes by the check.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import date, datetime
from weakref import WeakValueDictionary

from prometheus_client import Counter, Histogram

from common.aio import TaskSet
from common.errors import BadInput, Conflict, HotlineError, Internal, NotFound
from common.privacy import mask, mask_number
from common.telemetry import get_logger
from dialog import actions, ledger
from dialog import events as ev
from dialog.api import (
    Handoff,
    HistoryItem,
    ReplyChunk,
    ReplyEnd,
    ReplyEvent,
    ReplyStart,
    SessionStart,
    TurnKind,
    TurnReport,
    UserTurn,
)
from dialog.heard import Heard
from dialog.helpers import Helpers
from dialog.ledger import Entry, Ledger
from dialog.outbox import Outbox
from dialog.settings import DialogSettings
from dialog.talk import Books, Talk
from dialog.vault import Vault
from dialog.worker import Understood, Worker
from emotion.api import EmotionReading

log = get_logger(__name__)
_turns = Counter("hotline_dialog_turns_total", "Turns answered", ["channel", "action"])
_handoffs = Counter("hotline_dialog_handoffs_total", "Hand-overs to humans", ["reason"])
_rated = Counter("hotline_dialog_rated_total", "Answers to: did this solve your problem?", ["solved"])
_conflicts = Counter("hotline_dialog_conflicts_total", "Turns worked out anew because the session had moved on")
_errors = Counter("hotline_dialog_errors_total", "Turns that ended in an apology for a fault of ours")
_seconds = Histogram("hotline_dialog_turn_seconds", "Time to work a turn out")
TRIES = 5
MAX_TEXT = 2000
MAX_SESSION = 200
DRAIN_S = 5.0


class Dialog:
    """`DialogService`. `now`: a clock of epoch seconds."""

    def __init__(
        self,
        settings: DialogSettings,
        books: Books,
        store: Ledger,
        helpers: Helpers,
        *,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._settings = settings
        self._books = books
        self._ledger = store
        self._helpers = helpers
        self._worker = Worker(settings, books, helpers)
        self._now = now
        self._tasks = TaskSet()
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._closed = False

    # -- the service ----------------------------------------------------------------------------------------------

    async def open(self, start: SessionStart) -> AsyncIterator[ReplyEvent]:
        """See `DialogService`."""
        if not start.session or len(start.session) > MAX_SESSION or not start.session.isprintable():
            raise BadInput(f"a session id has 1 to {MAX_SESSION} printable characters")
        async for event in self._stream(start.session, lambda out: self._open(start, out)):
            yield event

    async def respond(self, turn: UserTurn) -> AsyncIterator[ReplyEvent]:
        """See `DialogService`."""
        if turn.turn < 1:
            raise BadInput("turns count from 1")
        if len(turn.text) > MAX_TEXT:
            raise BadInput(f"a turn has at most {MAX_TEXT} characters")
        async for event in self._stream(turn.session, lambda out: self._respond(turn, out)):
            yield event

    async def interrupted(self, session: str, reply_id: str, heard: str) -> None:
        """See `DialogService`."""
        await self._note(
            session, lambda entry: [ev.Interrupted(reply_id, ledger.heard_part(entry, reply_id, heard[:MAX_TEXT]))]
        )

    async def transfer_failed(self, session: str, reason: str) -> None:
        """See `DialogService`."""
        await self._note(session, lambda entry: [ev.TransferFailed(mask(reason))] if entry.state.handed else [])

    async def feedback(self, session: str, solved: bool, comment: str = "") -> None:
        """See `DialogService`."""
        await self._note(session, lambda entry: [ev.Rated(solved, mask(comment[:MAX_TEXT]))])
        _rated.labels(str(solved).lower()).inc()

    async def close(self, session: str, reason: str) -> None:
        """See `DialogService`. The vault is deleted; an unknown session is closed already."""
        try:
            await self._note(session, lambda e: [] if e.state.closed else [ev.Closed(mask(reason))], forget=True)
        except NotFound:
            return

    async def history(self, session: str, after: int = 0) -> tuple[HistoryItem, ...]:
        """See `DialogService`."""
        return ledger.history((await self._ledger.read(session)).recorded, after)

    async def fixed_prompts(self) -> tuple[str, ...]:
        """See `DialogService`."""
        return self._books.replies.fixed()

    async def aclose(self) -> None:
        """See `DialogService`."""
        if self._closed:
            return
        self._closed = True
        try:
            async with asyncio.timeout(DRAIN_S):
                await self._tasks.join()
        except TimeoutError:
            log.warning("dialog_drain_timed_out", running=len(self._tasks))
        await self._tasks.aclose()
        await self._ledger.aclose()
        await self._helpers.business.aclose()

    # -- order ----------------------------------------------------------------------------------------------------

    def _lock(self, session: str) -> asyncio.Lock:
        lock = self._locks.get(session)
        if lock is None:
            lock = self._locks[session] = asyncio.Lock()
        return lock

    async def _stream(self, session: str, work: Callable[[Outbox], Awaitable[None]]) -> AsyncIterator[ReplyEvent]:
        if self._closed:
            raise Internal("the dialog is closed")
        out = Outbox()
        self._tasks.spawn(self._owned(session, work, out), name="dialog-turn")
        async for event in out.read():
            yield event

    async def _owned(self, session: str, work: Callable[[Outbox], Awaitable[None]], out: Outbox) -> None:
        """One turn from beginning to end, whether or not anybody reads it."""
        lock = self._lock(session)
        try:
            async with lock:
                with _seconds.time():
                    await work(out)
        except asyncio.CancelledError as error:
            out.close(Internal("the dialog was closed during the turn"))
            raise error
        except Exception as error:
            out.close(error)
        else:
            out.close()

    async def _note(self, session: str, events: Callable[[Entry], list[ev.Event]], *, forget: bool = False) -> None:
        async with self._lock(session):
            for _ in range(TRIES):
                entry = await self._ledger.read(session)
                found = events(entry)
                if not found:
                    return
                try:
                    await self._ledger.write(entry, found, None if forget else entry.vault)
                    return
                except Conflict:
                    _conflicts.inc()
        raise Conflict(f"session {session} is written by others all the time; try again")

    # -- opening --------------------------------------------------------------------------------------------------

    async def _open(self, start: SessionStart, out: Outbox) -> None:
        for _ in range(TRIES):
            entry = await self._ledger.read(start.session, must_exist=False)
            known = next((r.event for r in reversed(entry.recorded) if isinstance(r.event, ev.Replied)), None)
            if known is not None and not entry.state.closed:
                for event in ledger.replay(entry, known, ends=False):
                    out.put(event)
                return
            number = entry.state.opened
            vault = Vault(caller=actions.plain_phone(start.caller))
            talk = self._talk(entry, vault, 0, f"{start.session}:0" if not number else f"{start.session}:0.{number}")
            caller = mask(start.caller)
            talk.emit(
                ev.Opened(
                    start.channel,
                    caller if caller != start.caller else mask_number(start.caller),
                    start.called,
                    start.language,
                    mask(start.outbound_purpose),
                )
            )
            if number:
                talk.say("welcome_back")
            elif start.outbound_purpose:
                talk.say("greeting_outbound", purpose=start.outbound_purpose)
            else:
                talk.say("greeting")
            talk.acted("greet")
            talk.offer(("查订单", "flow:order_status"), ("退款进度", "flow:refund_status"), ("转人工", "human"))
            if await self._finish(entry, talk, Heard(TurnKind.SILENCE), None, out):
                return
        raise Conflict(f"session {start.session} is written by others all the time; try again")

    # -- answering ------------------------------------------------------------------------------------------------

    async def _respond(self, turn: UserTurn, out: Outbox) -> None:
        understood: Understood | None = None
        for _ in range(TRIES):
            entry = await self._ledger.read(turn.session)
            if reply := entry.reply(turn.turn):
                self._again(entry, reply, out)
                return
            if entry.state.closed:
                raise NotFound(f"conversation {turn.session} is over; open it again")
            if turn.turn <= entry.state.last_turn:
                raise BadInput(f"turn {turn.turn} is past; the next is {entry.state.last_turn + 1}")
            if understood is None:
                understood = await self._worker.understand(turn, entry.state, self._today())
            talk = self._talk(entry, entry.vault, turn.turn, f"{turn.session}:{turn.turn}")
            try:
                heard = await self._worker.work(turn, talk, understood, out)
            except HotlineError:
                raise
            except Exception:
                log.exception("turn_crashed", session=turn.session)
                _errors.inc()
                talk, heard = self._apologise(entry, turn)
            if await self._finish(entry, talk, heard, understood[1], out):
                return
        raise Conflict(f"session {turn.session} is written by others all the time; try again")

    def _again(self, entry: Entry, reply: ev.Replied, out: Outbox) -> None:
        """The reply that this turn got before; what of it was sent just now is not sent again."""
        chunks: list[tuple[str, bool]] = []
        for event in ledger.replay(entry, reply):
            match event:
                case ReplyStart(reply_id):
                    out.start(reply_id)
                case ReplyChunk(reply_id, text, fixed):
                    chunks.append((text, fixed))
                    out.chunks(reply_id, chunks)
                case _:
                    out.put(event)

    def _talk(self, entry: Entry, vault: Vault, turn: int, reply_id: str) -> Talk:
        return Talk(entry.state, vault, self._books, turn=turn, reply_id=reply_id, today=self._today())

    def _today(self) -> date:
        return datetime.fromtimestamp(self._now()).date()

    def _apologise(self, entry: Entry, turn: UserTurn) -> tuple[Talk, Heard]:
        """A fault of ours: say so and bring in a human."""
        talk = self._talk(entry, entry.vault, turn.turn, f"{turn.session}:{turn.turn}")
        return talk, self._worker.apologise(turn, talk)

    async def _finish(
        self, entry: Entry, talk: Talk, heard: Heard, reading: EmotionReading | None, out: Outbox
    ) -> bool:
        """Record the turn, then say the rest. False when the session had moved on: nothing is recorded."""
        report = TurnReport(
            intent=heard.intent,
            intent_confidence=heard.confidence,
            slots=dict(talk.state.slots),
            emotion=reading,
            action=talk.action,
            flow=talk.state.stack[-1].flow if talk.state.stack else "",
        )
        parts = tuple(ev.Part(line.logged, line.fixed) for line in talk.lines)
        replied = ev.Replied(
            talk.turn, talk.reply_id, parts, talk.expect, talk.choices, talk.sources, report, tuple(talk.prompts)
        )
        vault = talk.vault.with_reply(talk.turn, tuple(line.text for line in talk.lines))
        try:
            await self._ledger.write(entry, [*talk.events, replied], vault)
        except Conflict:
            _conflicts.inc()
            return False
        out.start(talk.reply_id)
        out.chunks(talk.reply_id, [(line.text, line.fixed) for line in talk.lines])
        out.put(ReplyEnd(talk.reply_id, talk.expect, talk.choices, talk.sources, report))
        if talk.end is not None:
            out.put(talk.end)
            if isinstance(talk.end, Handoff):
                _handoffs.labels(talk.end.summary.reason).inc()
        for event in talk.events:
            if isinstance(event, ev.Rated):
                _rated.labels(str(event.solved).lower()).inc()
        _turns.labels(talk.state.channel.value, talk.action.partition(":")[0] or "none").inc()
        return True
