"""Whole conversations as readable scripts.

> 我的订单到哪了            said (or written, in a text channel)
[1]                         keys
(silence) (noise)           nothing, or sound without words
{yes}                       a button
!angry 0.9                  the emotion score from now on
< 订单号 … 十二位            the reply holds these pieces, in this order
< action ask:order_number   the report's action
< expect digits order_number 12
< flow which_order
< handoff requested         the last event
< hangup solved
< goes on                   neither hand-over nor hang-up
"""

from __future__ import annotations

from dataclasses import dataclass, field

from dialog.api import (
    Channel,
    DialogService,
    Handoff,
    HangUp,
    ReplyChunk,
    ReplyEnd,
    ReplyEvent,
    ReplyStart,
    SessionStart,
    TurnKind,
    UserTurn,
)
from tests.fakes.dialog_helpers import PHONE, FakeEmotion


@dataclass
class Answer:
    """One reply, read to its end."""

    events: list[ReplyEvent] = field(default_factory=list)

    @property
    def text(self) -> str:
        return "".join(e.text for e in self.events if isinstance(e, ReplyChunk))

    @property
    def chunks(self) -> list[ReplyChunk]:
        return [e for e in self.events if isinstance(e, ReplyChunk)]

    @property
    def end(self) -> ReplyEnd:
        return next(e for e in self.events if isinstance(e, ReplyEnd))

    @property
    def reply_id(self) -> str:
        first = self.events[0]
        assert isinstance(first, ReplyStart)
        return first.reply_id

    @property
    def last(self) -> ReplyEvent:
        return self.events[-1]

    @property
    def over(self) -> bool:
        return isinstance(self.last, Handoff | HangUp)

    def check_form(self) -> None:
        """ReplyStart, chunks, ReplyEnd, then at most one ending; one id throughout."""
        kinds = [type(e) for e in self.events]
        assert kinds[0] is ReplyStart, kinds
        place = kinds.index(ReplyEnd)
        assert all(kind is ReplyChunk for kind in kinds[1:place]), kinds
        assert len(kinds) - place <= 2 and all(kind in (Handoff, HangUp) for kind in kinds[place + 1 :]), kinds
        assert len({e.reply_id for e in self.events}) == 1
        assert self.text.strip()


class Caller:
    """One side of a conversation."""

    def __init__(
        self,
        dialog: DialogService,
        session: str = "s1",
        *,
        channel: Channel = Channel.PHONE,
        number: str = PHONE,
        emotion: FakeEmotion | None = None,
    ) -> None:
        self.dialog = dialog
        self.session = session
        self.channel = channel
        self.number = number
        self.turn = 0
        self.emotion = emotion
        self.answers: list[Answer] = []

    async def open(self) -> Answer:
        answer = Answer([e async for e in self.dialog.open(SessionStart(self.session, self.channel, self.number))])
        answer.check_form()
        self.answers.append(answer)
        return answer

    async def send(self, kind: TurnKind, text: str = "") -> Answer:
        self.turn += 1
        return await self.again(self.turn, kind, text)

    async def again(self, turn: int, kind: TurnKind, text: str = "") -> Answer:
        answer = Answer([e async for e in self.dialog.respond(UserTurn(self.session, turn, kind, text))])
        answer.check_form()
        self.answers.append(answer)
        return answer

    async def say(self, text: str) -> Answer:
        voice = self.channel in (Channel.PHONE, Channel.WEBRTC)
        return await self.send(TurnKind.SPEECH if voice else TurnKind.TEXT, text)

    async def play(self, script: str) -> Answer:
        """Play a script to its end; the last answer."""
        if not self.answers:
            await self.open()
        answer = self.answers[-1]
        for number, raw in enumerate(script.strip().splitlines(), 1):
            line = raw.strip()
            where = f"line {number}: {line}\nthe bot said: {answer.text}\nreport: {answer.end.report}"
            if not line or line.startswith("#"):
                continue
            if line.startswith("<"):
                self._expect(answer, line[1:].strip(), where)
            elif line.startswith("!angry"):
                assert self.emotion
                score = float(line.removeprefix("!angry"))
                self.emotion.score = lambda request, score=score: score
            else:
                answer = await self._act(line)
        return answer

    async def _act(self, line: str) -> Answer:
        if line.startswith(">"):
            return await self.say(line[1:].strip())
        if line.startswith("["):
            return await self.send(TurnKind.DTMF, line.strip("[]"))
        if line.startswith("{"):
            return await self.send(TurnKind.BUTTON, line.strip("{}"))
        return await self.send({"(silence)": TurnKind.SILENCE, "(noise)": TurnKind.NOISE}[line])

    def _expect(self, answer: Answer, what: str, where: str) -> None:
        word, _, rest = what.partition(" ")
        end = answer.end
        match word:
            case "action":
                assert end.report.action == rest, where
            case "flow":
                assert end.report.flow == rest, where
            case "expect":
                kind, slot, digits = (*rest.split(), "", "")[:3]
                assert end.expect.kind.value == kind, f"{where}\n{end.expect}"
                assert end.expect.slot == slot, f"{where}\n{end.expect}"
                assert not digits or end.expect.digits == int(digits), f"{where}\n{end.expect}"
            case "handoff":
                assert isinstance(answer.last, Handoff) and answer.last.summary.reason == rest, where
            case "hangup":
                assert isinstance(answer.last, HangUp) and answer.last.reason == rest, where
            case "goes":
                assert not answer.over, where
            case "no":
                assert rest not in answer.text, where
            case _:
                place = 0
                for piece in what.split("…"):
                    found = answer.text.find(piece.strip(), place)
                    assert found >= 0, f"{where}\nmissing: {piece.strip()}"
                    place = found + len(piece.strip())
