"""What a simulated caller says next, given what the bot just said. Pure: texts in, lines out.

A caller follows beats in order. A beat is spoken when the bot's reply fits its pattern; beats that never fit are
skipped once a later one does. Asked to repeat, the caller repeats; asked something unforeseen, agrees or says that the
question stands.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

AGAIN = re.compile(
    "没(有|太)?听(清|懂|到|明白)|没(太)?明白|再(说|讲|报)一|(?<!我)重复一|换个说法|慢慢说|从头|还在吗|听得到"
)
YES_NO = re.compile("对吗|对不对|是吗|是不是|可以吗|要不要|需要吗|确认吗")
MAX_REPEATS = 3


@dataclass(frozen=True, slots=True)
class Line:
    """One thing that a caller says or does.

    pieces are spoken with `pause_s` between them. over_s: start this long after the bot begins to speak (talking over
    it) instead of waiting until it is silent. backchannel: said over the bot without wanting to stop it. keys: DTMF.
    """

    pieces: tuple[str, ...] = ()
    pause_s: float = 0.0
    speed: float = 1.0
    gain_db: float = 0.0
    over_s: float | None = None
    backchannel: bool = False
    keys: str = ""

    @property
    def text(self) -> str:
        """All of it."""
        return "".join(self.pieces) or f"[{self.keys}]"


@dataclass(frozen=True, slots=True)
class Beat:
    """Say `line` when the bot's reply fits `on`."""

    on: str
    line: Line


@dataclass(frozen=True, slots=True)
class Persona:
    """Who phones: number, voice, and the beats of the story."""

    name: str
    title: str
    number: str
    voice: str
    beats: tuple[Beat, ...]
    noise_dbfs: float = -55.0
    expects_human: bool = False
    order_number: str = ""  # what the bot must have understood by the end


@dataclass(slots=True)
class Memory:
    """Where in the story a caller is."""

    persona: Persona
    position: int = 0
    repeats: int = 0
    last: Line | None = None
    said: list[str] = field(default_factory=list)

    def next(self, reply: str) -> Line | None:
        """The line that answers `reply`; None when there is nothing more to say."""
        beats = self.persona.beats
        if AGAIN.search(reply) and self.last is not None and self.repeats < MAX_REPEATS:
            self.repeats += 1
            return self._say(Line(self.last.pieces, self.last.pause_s, self.last.speed, self.last.gain_db))
        for index in range(self.position, len(beats)):
            if re.search(beats[index].on, reply):
                self.position, self.repeats = index + 1, 0
                return self._say(beats[index].line)
        if self.repeats >= MAX_REPEATS:
            return None
        self.repeats += 1
        if YES_NO.search(reply):
            return self._say(Line(("对",)))
        return self._say(self.last) if self.last is not None else None

    @property
    def done(self) -> bool:
        """Whether the story was told to its end."""
        return self.position >= len(self.persona.beats)

    def upcoming(self) -> Line | None:
        """The next line if it is to be said over the bot."""
        beats = self.persona.beats
        line = beats[self.position].line if self.position < len(beats) else None
        return line if line is not None and line.over_s is not None else None

    def _say(self, line: Line) -> Line:
        self.last = line
        self.said.append(line.text)
        return line
