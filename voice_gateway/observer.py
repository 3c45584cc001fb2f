"""Watching a conversation as it happens: what a console, a demo or a benchmark may hook into."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from dialog.api import TurnReport, UserTurn
from voice_gateway.api import SessionReport


@dataclass(frozen=True, slots=True)
class Latency:
    """Where the time between the caller's last speech and the bot's first audio went, milliseconds.

    endpoint: last speech -> the utterance is over. asr: -> the final text is there. dialog: -> the first words to say.
    tts: -> the first audio was given to the line. total: their sum, -1 while nothing was said. filled: the first audio
    was a filler (请稍等). Keys have endpoint = asr = 0.
    """

    endpoint: float = 0.0
    asr: float = 0.0
    dialog: float = 0.0
    tts: float = 0.0
    total: float = -1.0
    filled: bool = False


class SessionObserver(Protocol):
    """Called on the event loop; must return at once and not raise. Texts are not masked."""

    def on_partial(self, session: str, text: str) -> None:
        """What was recognised of the open utterance so far."""
        ...

    def on_heard(self, turn: UserTurn) -> None:
        """The caller did this; it goes to the dialog now."""
        ...

    def on_turn(self, turn: UserTurn, report: TurnReport | None, latency: Latency) -> None:
        """The answer to this turn is complete and begins to be heard, or never will be.

        Turn 0 is the greeting. report is None when the dialog failed.
        """
        ...

    def on_reply(self, session: str, text: str) -> None:
        """The bot says this (a clause or a few)."""
        ...

    def on_barge_in(self, session: str, heard: str) -> None:
        """The caller stopped the bot; this part of the reply was heard."""
        ...

    def on_end(self, report: SessionReport) -> None:
        """The session is over."""
        ...


class NoObserver:
    """`SessionObserver` that does nothing; also the base for observers that want only some of the calls."""

    def on_partial(self, session: str, text: str) -> None:
        """Nothing."""

    def on_heard(self, turn: UserTurn) -> None:
        """Nothing."""

    def on_turn(self, turn: UserTurn, report: TurnReport | None, latency: Latency) -> None:
        """Nothing."""

    def on_reply(self, session: str, text: str) -> None:
        """Nothing."""

    def on_barge_in(self, session: str, heard: str) -> None:
        """Nothing."""

    def on_end(self, report: SessionReport) -> None:
        """Nothing."""
