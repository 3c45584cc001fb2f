"""Works one turn out: understanding, feeling, deciding, and carrying it out with what must be fetched on the way."""

from __future__ import annotations

from datetime import date

from dialog import actions, escalation, ledger, moves, policy
from dialog import events as ev
from dialog.acts import Act
from dialog.api import UserTurn
from dialog.heard import Heard, hear
from dialog.helpers import Helpers
from dialog.machine import Machine
from dialog.outbox import Outbox
from dialog.settings import DialogSettings
from dialog.state import State
from dialog.summary import summarise
from dialog.talk import Books, Call, Talk
from emotion.api import EmotionReading
from nlu.api import NluResult

Understood = tuple[NluResult | None, EmotionReading | None, tuple[str, ...]]
_NO_FEELINGS = (moves.Simple("human"), moves.Simple("handing_over"))


class Worker:
    """Stateless: all that changes is in the `Talk`."""

    def __init__(self, settings: DialogSettings, books: Books, helpers: Helpers) -> None:
        self._settings = settings
        self._books = books
        self._helpers = helpers

    async def understand(self, turn: UserTurn, state: State, today: date) -> Understood:
        """What nlu and emotion make of the turn."""
        step = policy.waiting_step(state, self._books.flows)
        slot = getattr(step, "collect", "") or getattr(step, "confirm", "")
        return await self._helpers.understand(turn, slot, state.language, today.isoformat(), state.emotions)

    async def work(self, turn: UserTurn, talk: Talk, understood: Understood, out: Outbox) -> Heard:
        """Do the turn. What is said before something slow goes out at once."""
        nlu, reading, failed = understood
        settings = self._settings
        before = talk.state
        heard = hear(turn, nlu, earlier=before.last_text, sure=settings.policy.act)
        text = ledger.loggable(turn.text, before, self._books.flows)
        talk.emit(ev.Heard(turn.turn, turn.kind, text, heard.intent, heard.confidence, reading, failed))
        talk.emit(escalation.mood(talk.state, reading, settings.escalation))
        lost = talk.drop_lost()
        machine = self._machine(talk, heard)
        now = policy.Situation(talk.state, talk.values(), talk.vault.dictated, bool(before.ending))
        action = policy.decide(now, heard, self._books.flows, settings.policy)
        if lost and talk.state.stack and not isinstance(action, moves.Begin | moves.Simple):
            action = machine.anew()
        if self._too_upset(talk, reading, heard, action):
            machine.escalate("emotion")
            return heard
        if talk.state.hot and not talk.state.comforted and not talk.state.handed:
            talk.emit(ev.Progress("comforted"))
            talk.say("comfort")
        if talk.state.apology_due:
            action = machine.apologise_for_transfer(action)
        effect = machine.begin(action)
        while effect is not None:
            out.start(talk.reply_id)
            out.chunks(talk.reply_id, [(line.text, line.fixed) for line in talk.lines])
            if isinstance(effect, Call):
                effect = machine.resume(await self._helpers.act(effect, self._request(effect, talk)))
            else:
                effect = machine.resume(await self._helpers.consult(effect.question))
        return heard

    def _too_upset(self, talk: Talk, reading: EmotionReading | None, heard: Heard, action: moves.Action) -> bool:
        rules = self._settings.escalation
        leaving = heard.says(Act.GOODBYE, Act.SOLVED) or action in _NO_FEELINGS
        return (
            not leaving
            and escalation.may_transfer(talk.state, rules)
            and escalation.upset(talk.state, reading, heard, rules)
        )

    def _request(self, call: Call, talk: Talk) -> actions.Request:
        phone = talk.value("phone") or talk.vault.caller
        summary = summarise(talk, "requested").summary if call.action == "ask_call_back" else ""
        return actions.Request(call.parameters, talk.state.facts, talk.vault.caller, phone, summary, call.key)

    def apologise(self, turn: UserTurn, talk: Talk) -> Heard:
        """A fault of ours: say so and bring in a human."""
        heard = Heard(turn.kind, turn.text)
        talk.emit(ev.Heard(turn.turn, turn.kind, ledger.loggable(turn.text, talk.state, self._books.flows)))
        talk.emit(ev.Progress("failure"))
        talk.say("internal_error")
        self._machine(talk, heard).escalate("repeated_failure")
        return heard

    def _machine(self, talk: Talk, heard: Heard) -> Machine:
        settings = self._settings
        return Machine(talk, heard, settings.escalation, target=settings.handoff_target, breath_limit=settings.breath)
