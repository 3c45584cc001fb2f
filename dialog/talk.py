"""One turn being worked out: what is said, which events happen, what must be fetched. No I/O.

`Talk` holds the state while it changes; `dialog.machine` drives it. Everything that happens goes through `emit`, so the
state at the end is the fold of the events, and whatever is said goes through `say`, which keeps a masked copy.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date

from dialog import events as ev
from dialog import state as st
from dialog.api import Choice, Expectation, Handoff, HangUp, Source
from dialog.flows.book import FlowBook
from dialog.replies.book import Line, ReplyBook, Values, WordingChooser, cut, mask_slot
from dialog.vault import Vault


@dataclass(frozen=True, slots=True)
class Call:
    """An action to be done: parameters are real values, `key` makes a repeated send harmless."""

    action: str
    parameters: Mapping[str, str]
    key: str


@dataclass(frozen=True, slots=True)
class Consult:
    """A question for the knowledge base."""

    question: str


Effect = Call | Consult


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an action came to. facts are kept, so nothing personal is in them; slots are set ("" clears)."""

    name: str
    facts: dict[str, str] = field(default_factory=dict)
    slots: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Books:
    """The data that every turn works with."""

    flows: FlowBook
    replies: ReplyBook
    chooser: WordingChooser


class Talk:
    """The turn under way."""

    def __init__(self, state: st.State, vault: Vault, books: Books, *, turn: int, reply_id: str, today: date) -> None:
        self.state = state
        self.vault = vault
        self.books = books
        self.turn = turn
        self.reply_id = reply_id
        self.today = today
        self.events: list[ev.Event] = []
        self.lines: list[Line] = []
        self.prompts: list[str] = []
        self.sources: tuple[Source, ...] = ()
        self.choices: tuple[Choice, ...] = ()
        self.expect = Expectation()
        self.end: Handoff | HangUp | None = None
        self.action = ""
        self.calls = 0
        self.extra: dict[str, str] = {}

    # -- what happens ---------------------------------------------------------------------------------------------

    def emit(self, event: ev.Event) -> None:
        """Something happened."""
        self.events.append(event)
        self.state = st.apply(self.state, event)

    def acted(self, what: str) -> None:
        """Name what was done, for the report: the first thing named stays."""
        self.action = self.action or what

    # -- values ---------------------------------------------------------------------------------------------------

    def value(self, slot: str) -> str:
        """The real value of a slot, "" when it has none (or when the vault was lost)."""
        if slot in self.state.personal:
            return self.vault.slots.get(slot, "")
        return self.state.slots.get(slot, "")

    def values(self) -> dict[str, str]:
        """All real slot values."""
        return {slot: value for slot in self.state.slots if (value := self.value(slot))}

    def look(self, name: str) -> str:
        """A slot, or a fact of the conversation."""
        return self.value(name) or self.state.facts.get(name, "") or self.extra.get(name, "")

    def set_slot(self, slot: str, value: str, *, typed: bool = False) -> None:
        """Fill a slot ("" clears it), and forget what held only for its old value."""
        spec = self.books.flows.slots[slot]
        old = self.value(slot)
        if spec.personal:
            self.vault = self.vault.with_slot(slot, value)
        self.set_dictated("")
        if value or slot in self.state.slots:
            shown = mask_slot(value) if spec.personal else value
            self.emit(ev.SlotSet(slot, shown, spec.personal, typed))
        if old and old != value:
            self.forget(*spec.facts)

    def drop_lost(self) -> bool:
        """Clear personal slots whose value the vault no longer has; whether there were any."""
        lost = [slot for slot in self.state.slots if slot in self.state.personal and not self.value(slot)]
        for slot in lost:
            self.set_slot(slot, "")
        return bool(lost)

    def set_dictated(self, digits: str, slot: str = "") -> None:
        """Remember the digits of a number that is half said."""
        if digits != self.vault.dictated:
            self.vault = replace(self.vault, dictated=digits)
            self.emit(ev.Dictated(slot, len(digits)))

    def forget(self, *groups: str) -> None:
        """Drop facts of these groups (`order` drops order.status, order.refund.status, …)."""
        gone = {name: "" for name in self.state.facts if name.split(".")[0] in groups}
        if gone:
            self.emit(ev.Acted("forget", "ok", gone))

    # -- what is said ---------------------------------------------------------------------------------------------

    def say(self, prompt: str, **extra: str) -> None:
        """Say a prompt; `extra` are values that only this saying knows."""
        voice = self.state.voice
        replies = self.books.replies
        used = self.state.said.get(prompt, 0) + self.prompts.count(prompt)
        index = self.books.chooser.choose(prompt, replies.count(prompt, voice=voice), used)
        personal = self.state.personal | ({"known"} if extra.pop("personal", "") else frozenset())
        known = self.state.facts | {"rest": self.state.rest} | self.values() | self.extra | extra
        self.lines += replies.render(prompt, index, Values(known, personal, self.today), voice=voice)
        self.prompts.append(prompt)

    def say_text(self, text: str) -> None:
        """Say knowledge, clause by clause."""
        self.lines += [Line(chunk, chunk, False) for chunk in cut(text)]

    def last_reply(self) -> list[Line]:
        """The chunks of the last reply, to be said again; none when its words are no longer known."""
        kept = self.state.last_parts
        real = self.vault.replies.get(max(self.vault.replies, default=-1), ())
        if len(kept) != len(real):
            return []
        return [Line(text, part.text, part.fixed) for text, part in zip(real, kept, strict=True)]

    def offer(self, *choices: tuple[str, str]) -> None:
        """Buttons for text channels: (label, value)."""
        self.choices = () if self.state.voice else tuple(Choice(label, value) for label, value in choices)
