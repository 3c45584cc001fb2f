"""Text conversations over the dialog: ordered turns, repeated sends answered once, nothing lost on reconnect."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable

from prometheus_client import Counter, Gauge, Histogram

from common.aio import TaskSet
from common.errors import BadInput, HotlineError, NotFound, Overloaded, Unavailable
from common.telemetry import get_logger
from dialog.api import (
    Channel,
    DialogService,
    Handoff,
    HangUp,
    HistoryItem,
    ReplyEvent,
    SessionStart,
    TurnKind,
    UserTurn,
)
from text_gateway.api import MAX_TEXT, Failure, HandoffDesk, InboundMessage, Outgoing, Said, Transcript, Welcome
from text_gateway.conversation import Conversation

log = get_logger(__name__)

WAITING_TURNS = 8
KINDS = frozenset({TurnKind.TEXT, TurnKind.BUTTON})
SORRY = "抱歉，系统刚才开小差了，请您再发一次。"
NO_AGENT = "抱歉，人工客服暂时都在忙。您可以继续在这里说，我来帮您，或者让同事给您回电。"
SLOW = "抱歉，这个问题处理得有点久，请您稍后再发一次。"

_open = Gauge("hotline_text_sessions", "Text conversations held")
_turns = Counter("hotline_text_turns_total", "Text turns answered", ["outcome"])
_seconds = Histogram("hotline_text_turn_seconds", "From a text message to the end of its answer")


class TextChat:
    """`ChatService` over a dialog. `clock` gives epoch seconds, `monotonic` seconds for idleness."""

    def __init__(
        self,
        dialog: DialogService,
        desk: HandoffDesk,
        *,
        sessions: int = 10_000,
        idle_s: float = 1800.0,
        turn_timeout_s: float = 20.0,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._dialog = dialog
        self._desk = desk
        self._limit = sessions
        self._idle_s = idle_s
        self._turn_timeout_s = turn_timeout_s
        self._clock = clock
        self._monotonic = monotonic
        self._conversations: OrderedDict[str, Conversation] = OrderedDict()
        self._tasks = TaskSet()

    async def open(self, channel: Channel, user: str) -> str:
        """Begin a conversation with its greeting."""
        self.expire()
        if len(self._conversations) >= self._limit:
            raise Overloaded(f"{self._limit} conversations are open already; try again later", retry_after_s=30)
        session = f"{channel.value}-{secrets.token_hex(12)}"
        conversation = self._hold(session, whole=True, next_turn=1)
        start = SessionStart(session, channel, user)
        greeting = self._tasks.spawn(self._answer(conversation, 0, lambda: self._dialog.open(start)))
        await asyncio.shield(greeting)
        failed = [out.event for out in conversation.after(0) if isinstance(out.event, Failure)]
        if failed:
            self._conversations.pop(session, None)
            raise Unavailable(f"the conversation could not be opened ({failed[0].code}); try again")
        return session

    async def send(self, message: InboundMessage) -> int:
        """Answer one message; see `ChatService.send`."""
        if message.kind not in KINDS:
            raise BadInput(f"a text channel sends {' or '.join(sorted(KINDS))}, not {message.kind}")
        text = message.text.strip()
        if not text or len(text) > MAX_TEXT:
            raise BadInput(f"a message has 1 to {MAX_TEXT} characters, this one {len(text)}")
        conversation = await self._find(message.session)
        if conversation.closed:
            raise BadInput("this conversation has ended; open a new one")
        turn = message.turn or conversation.next_turn
        if turn < 0 or turn > conversation.next_turn:
            raise BadInput(f"turn {turn} is ahead; the next is {conversation.next_turn}")
        known = conversation.answers.get(turn)
        if known is None:
            if sum(not task.done() for task in conversation.answers.values()) >= WAITING_TURNS:
                raise Overloaded("too many messages wait for an answer; wait for it", retry_after_s=2)
            said = UserTurn(message.session, turn, message.kind, text)
            echo = Said(message.kind, text)
            known = self._tasks.spawn(self._answer(conversation, turn, lambda: self._dialog.respond(said), echo))
            conversation.remember(turn, known)
        return await asyncio.shield(known)

    async def _answer(
        self, to: Conversation, turn: int, ask: Callable[[], AsyncIterator[ReplyEvent]], echo: Said | None = None
    ) -> int:
        """Put one reply stream into the outbox; never raises for what the dialog does."""
        to.touched = self._monotonic()
        started = time.perf_counter()
        outcome = "ok"
        async with to.lock:
            if echo is not None:
                to.put(echo, turn)
            try:
                async with asyncio.timeout(self._turn_timeout_s):
                    async for event in ask():
                        to.put(event, turn)
                        await self._act(to, event, turn)
            except TimeoutError:
                outcome = "timed_out"
                to.put(Failure(outcome, SLOW, True), turn)
                log.error("text_turn_timed_out", session=to.session)
            except HotlineError as error:
                outcome = error.code
                to.put(Failure(error.code, SORRY, error.retryable), turn)
                log.warning("text_turn_failed", session=to.session, code=error.code, reason=error.message)
            except Exception:
                outcome = "internal"
                to.put(Failure(outcome, SORRY, True), turn)
                log.exception("text_turn_crashed", session=to.session)
            finally:
                _turns.labels(outcome).inc()
                _seconds.observe(time.perf_counter() - started)
            if outcome != "ok":
                to.answers.pop(turn, None)
            return to.seq

    async def _act(self, conversation: Conversation, event: ReplyEvent, turn: int) -> None:
        if isinstance(event, Handoff):
            try:
                await self._desk.bring_in(event.summary)
            except HotlineError as error:
                log.warning("handoff_failed", session=conversation.session, code=error.code, reason=error.message)
                await self._dialog.transfer_failed(conversation.session, error.code)
                conversation.put(Failure("no_agent", NO_AGENT, False), turn)
        elif isinstance(event, HangUp):
            await self._dialog.close(conversation.session, event.reason)
            conversation.close()

    async def subscribe(self, session: str, seen: int) -> AsyncIterator[Outgoing]:
        """Follow a conversation; see `ChatService.subscribe`."""
        conversation = await self._find(session)
        yield Outgoing(0, 0, Welcome(session, conversation.next_turn))
        while True:
            news = conversation.news
            for out in await self.since(session, seen):
                seen = out.seq
                yield out
            if conversation.closed and conversation.seq <= seen:
                return
            if conversation.news is news:
                await news.wait()

    async def since(self, session: str, seen: int) -> tuple[Outgoing, ...]:
        """What is there after `seen`, or the transcript."""
        conversation = await self._find(session)
        if conversation.holds(seen):
            return conversation.after(seen)
        seq = conversation.seq
        return (Outgoing(seq, 0, Transcript(await self._dialog.history(session))),)

    async def feedback(self, session: str, solved: bool, comment: str) -> None:
        """Pass it to the dialog."""
        if len(comment) > MAX_TEXT:
            raise BadInput(f"a comment has at most {MAX_TEXT} characters")
        await self._find(session)
        await self._dialog.feedback(session, solved, comment)

    async def history(self, session: str) -> tuple[HistoryItem, ...]:
        """The dialog's masked history."""
        return await self._dialog.history(session)

    async def close(self, session: str, reason: str) -> None:
        """End and forget a conversation."""
        conversation = self._conversations.pop(session, None)
        if conversation is not None:
            conversation.close()
            _open.set(len(self._conversations))
        await self._dialog.close(session, reason)

    def expire(self) -> None:
        """Close conversations that have been idle too long."""
        before = self._monotonic() - self._idle_s
        for session, conversation in list(self._conversations.items()):
            if conversation.touched < before and not conversation.lock.locked():
                self._conversations.pop(session)
                conversation.close()
                self._tasks.spawn(self._dialog.close(session, "idle"))
        _open.set(len(self._conversations))

    async def run(self) -> None:
        """Expire idle conversations until cancelled."""
        while True:
            await asyncio.sleep(min(60.0, self._idle_s))
            self.expire()

    async def aclose(self) -> None:
        """Let answers under way end (bounded by the turn's time-out), then release readers; may be called twice."""
        await self._tasks.join()
        for conversation in self._conversations.values():
            conversation.close()
        self._conversations.clear()
        await self._desk.aclose()

    async def _find(self, session: str) -> Conversation:
        """The conversation, taken up from the dialog's history when this process does not hold it."""
        known = self._conversations.get(session)
        if known is None:
            history = await self._dialog.history(session)
            known = self._conversations.get(session)
            if known is None:
                if not history:
                    raise NotFound("no such conversation; open a new one")
                known = self._hold(session, whole=False, next_turn=1 + max(item.turn for item in history))
        known.touched = self._monotonic()
        return known

    def _hold(self, session: str, *, whole: bool, next_turn: int) -> Conversation:
        base = int(self._clock() * 1000)
        made = Conversation(session, base=base, whole=whole, next_turn=next_turn, now=self._monotonic())
        self._conversations[session] = made
        _open.set(len(self._conversations))
        return made
