"""Between the service and the store: recording with a version check, reply replay, history. Pure but for the store."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from common.errors import NotFound
from common.privacy import mask
from dialog import digits
from dialog import events as ev
from dialog.api import Handoff, HandoffSummary, HangUp, HistoryItem, ReplyChunk, ReplyEnd, ReplyEvent, ReplyStart
from dialog.flows import language as lang
from dialog.flows.book import FlowBook
from dialog.replies.book import mask_slot
from dialog.state import State, fold
from dialog.store import Store
from dialog.vault import Sealer, Vault


@dataclass(frozen=True, slots=True)
class Entry:
    """A conversation as it was read."""

    session: str
    recorded: tuple[ev.Recorded, ...]
    state: State
    vault: Vault

    def reply(self, turn: int) -> ev.Replied | None:
        """The last reply to a turn."""
        return next(
            (r.event for r in reversed(self.recorded) if isinstance(r.event, ev.Replied) and r.event.turn == turn), None
        )


class Ledger:
    """Reads and writes conversations. `now` gives epoch seconds."""

    def __init__(self, store: Store, sealer: Sealer, now: Callable[[], float]) -> None:
        self._store = store
        self._sealer = sealer
        self._now = now

    async def read(self, session: str, *, must_exist: bool = True) -> Entry:
        """The conversation; NotFound when it is unknown and must exist."""
        stored = await self._store.load(session)
        if must_exist and not stored.events:
            raise NotFound(f"no conversation is called {session}; open one first")
        return Entry(session, stored.events, fold(session, stored.events), self._sealer.open(stored.sealed))

    async def write(self, entry: Entry, events: Sequence[ev.Event], vault: Vault | None) -> None:
        """Append events after `entry`, and put `vault` in the old one's place (None deletes it). Conflict when late."""
        version, at = len(entry.recorded), self._now()
        recorded = [ev.Recorded(version + place, at, event) for place, event in enumerate(events, 1)]
        sealed = b"" if vault is None else self._sealer.seal(vault) if vault != entry.vault else None
        await self._store.append(entry.session, version, recorded, sealed)

    async def aclose(self) -> None:
        """Close the store."""
        await self._store.aclose()


def replay(entry: Entry, reply: ev.Replied, *, ends: bool = True) -> list[ReplyEvent]:
    """A reply again, word for word while the vault remembers it. ends: with its hand-over or hang-up."""
    words = entry.vault.replies.get(reply.turn, ())
    texts = words if len(words) == len(reply.parts) else tuple(part.text for part in reply.parts)
    replayed: list[ReplyEvent] = [ReplyStart(reply.reply_id)]
    for text, part in zip(texts, reply.parts, strict=True):
        replayed.append(ReplyChunk(reply.reply_id, text, part.fixed))
    replayed.append(ReplyEnd(reply.reply_id, reply.expect, reply.choices, reply.sources, reply.report))
    for item in entry.recorded if ends else ():
        match item.event:
            case ev.HandedOver(turn=turn, target=target, reason=reason, summary=summary) if turn == reply.turn:
                told = HandoffSummary(
                    session=entry.session,
                    reason=reason,
                    summary=summary,
                    slots=real_slots(entry.state, entry.vault),
                    emotion_trend=tuple(round(reading.score, 3) for reading in entry.state.emotions),
                    last_said=entry.state.last_text,
                )
                replayed.append(Handoff(reply.reply_id, target, told))
            case ev.HungUp(turn=turn, reason=reason) if turn == reply.turn:
                replayed.append(HangUp(reply.reply_id, reason))
    return replayed


def real_slots(state: State, vault: Vault) -> dict[str, str]:
    """Slots with their real values, as far as they are known."""
    values = {
        name: vault.slots.get(name, "") if name in state.personal else shown for name, shown in state.slots.items()
    }
    return {name: value for name, value in values.items() if value}


def loggable(text: str, state: State, book: FlowBook) -> str:
    """What a person said, as it may be kept. A personal number that is dictated in pieces has every digit starred."""
    top = state.top
    step = book.flow(top.flow).step(top.step) if top and top.waiting else None
    slot = step.collect if isinstance(step, lang.Collect) else step.confirm if isinstance(step, lang.Confirm) else ""
    spec = book.slots.get(slot)
    masked = mask(text)
    secret = spec is not None and spec.personal and (spec.type in ("digits", "address", "email") or spec.pattern != "")
    return digits.star(masked) if secret else masked


def heard_part(entry: Entry, reply_id: str, heard: str) -> str:
    """What was heard of a reply, as it may be kept: chunk by chunk, the masked form of each."""
    reply = next(
        (r.event for r in reversed(entry.recorded) if isinstance(r.event, ev.Replied) and r.event.reply_id == reply_id),
        None,
    )
    words = entry.vault.replies.get(reply.turn, ()) if reply else ()
    if reply is None or len(words) != len(reply.parts):
        return digits.star(mask(heard))
    kept, left = "", heard
    for text, part in zip(words, reply.parts, strict=True):
        if not left:
            break
        if left.startswith(text):
            kept, left = kept + part.text, left[len(text) :]
        else:
            kept, left = kept + (left if part.text == text else mask_slot(left)), ""
    return kept if not left else kept + digits.star(mask(left))


_SYSTEM = {
    "handed_over": lambda e: f"转人工（{e.reason}）：{e.summary}",
    "transfer_failed": lambda e: f"转人工失败：{e.reason}",
    "hung_up": lambda e: f"机器人结束对话：{e.reason}",
    "rated": lambda e: f"客户评价：{'已解决' if e.solved else '未解决'}{'，' + e.comment if e.comment else ''}",
    "closed": lambda e: f"会话关闭：{e.reason}",
}


def history(recorded: Sequence[ev.Recorded], after: int) -> tuple[HistoryItem, ...]:
    """The masked lines of a conversation, those with seq > after."""
    heard = {r.event.reply_id: r.event.heard for r in recorded if isinstance(r.event, ev.Interrupted)}
    items: list[HistoryItem] = []
    for item in recorded:
        event = item.event
        match event:
            case ev.Heard():
                text = event.text or {"silence": "（没有说话）", "noise": "（有声音，没有听清）"}.get(
                    event.how.value, ""
                )
                items.append(HistoryItem(item.seq, item.at, "user", text, event.turn))
            case ev.Replied():
                items.append(
                    HistoryItem(
                        item.seq, item.at, "bot", event.text, event.turn, heard.get(event.reply_id), event.report
                    )
                )
            case ev.HandedOver() | ev.TransferFailed() | ev.HungUp() | ev.Rated() | ev.Closed():
                items.append(HistoryItem(item.seq, item.at, "system", _SYSTEM[event.kind](event)))
    return tuple(item for item in items if item.seq > after)
