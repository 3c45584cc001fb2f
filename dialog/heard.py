"""What a turn says, made of the turn and of what understanding found: `Heard`. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from dialog.acts import Act, is_question, read, refuses_human, repeats, squeeze
from dialog.api import TurnKind, UserTurn
from nlu.api import OUT_OF_SCOPE, Intent, NluResult

SHORT = 12
"""Characters up to which an utterance may be nothing but a dialog act."""

_ACT_OF_INTENT = {
    "affirm": Act.YES,
    "deny": Act.NO,
    "repeat": Act.REPEAT,
    "wait": Act.WAIT,
    "goodbye": Act.GOODBYE,
    "thanks": Act.THANKS,
    "solved": Act.SOLVED,
    "not_solved": Act.UNSOLVED,
    "dont_know": Act.DONT_KNOW,
    "human_agent": Act.HUMAN,
}
_ACT_OF_VALUE = {
    "yes": Act.YES,
    "no": Act.NO,
    "solved": Act.SOLVED,
    "unsolved": Act.UNSOLVED,
    "human": Act.HUMAN,
    "repeat": Act.REPEAT,
}
SPOKEN = frozenset({TurnKind.SPEECH, TurnKind.TEXT})


@dataclass(frozen=True, slots=True)
class Heard:
    """One turn, understood. intent "" = none that fits; `understood` is False when nlu did not answer.

    flow: the flow that a button asks for by name.
    """

    kind: TurnKind
    text: str = ""
    acts: frozenset[Act] = frozenset()
    intent: str = ""
    confidence: float = 0.0
    entities: dict[str, str] = field(default_factory=dict)
    understood: bool = True
    repeated: bool = False
    flow: str = ""

    @property
    def short(self) -> bool:
        """Whether it is short enough to be nothing but a dialog act."""
        return len(squeeze(self.text)) <= SHORT

    @property
    def question(self) -> bool:
        """Whether it asks for information."""
        return is_question(self.text)

    @property
    def typed(self) -> bool:
        """Whether it was keyed or written, so that nothing was misheard."""
        return self.kind in (TurnKind.TEXT, TurnKind.DTMF, TurnKind.BUTTON)

    def says(self, *acts: Act) -> bool:
        """Whether it holds one of these acts."""
        return not self.acts.isdisjoint(acts)


def hear(turn: UserTurn, nlu: NluResult | None, *, earlier: str = "", sure: float = 0.6) -> Heard:
    """`turn` with what `nlu` found (None: it did not answer, or was not asked)."""
    if turn.kind is TurnKind.BUTTON:
        value, _, flow = turn.text.partition(":")
        act = _ACT_OF_VALUE.get(value)
        if act or (value == "flow" and flow):
            return Heard(turn.kind, turn.text, frozenset({act} if act else ()), flow=flow if value == "flow" else "")
    if turn.kind in (TurnKind.DTMF, TurnKind.SILENCE, TurnKind.NOISE):
        return Heard(turn.kind, turn.text)
    acts = read(turn.text)
    if nlu is not None and refuses_human(turn.text) and nlu.intent.name == "human_agent":
        others = [other for other in nlu.alternatives if other.name != "human_agent"]
        nlu = replace(nlu, intent=others[0] if others else Intent(OUT_OF_SCOPE, 0.0))
    if nlu is None:
        return Heard(turn.kind, turn.text, acts, understood=False, repeated=repeats(turn.text, earlier))
    name = "" if nlu.intent.name == OUT_OF_SCOPE else nlu.intent.name
    act = _ACT_OF_INTENT.get(name)
    if act and not acts and nlu.intent.confidence >= sure and len(squeeze(turn.text)) <= SHORT:
        acts = frozenset({act})
    return Heard(
        turn.kind,
        turn.text,
        acts,
        intent=name,
        confidence=nlu.intent.confidence,
        entities={entity.type: entity.value for entity in reversed(nlu.entities)},
        repeated=repeats(turn.text, earlier),
    )
