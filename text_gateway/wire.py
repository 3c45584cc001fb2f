"""The JSON form of events and requests (REST and WebSocket)."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from dialog.api import Channel, Handoff, HangUp, HistoryItem, ReplyChunk, ReplyEnd, ReplyStart, TurnKind
from text_gateway.api import MAX_TEXT, Failure, Outgoing, Said, Transcript, Welcome

_NAMES = {
    Welcome: "welcome",
    Said: "said",
    Transcript: "transcript",
    Failure: "error",
    ReplyStart: "reply_start",
    ReplyChunk: "chunk",
    ReplyEnd: "reply_end",
    Handoff: "handoff",
    HangUp: "hang_up",
}


class _Request(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class OpenRequest(_Request):
    """Open a conversation."""

    channel: Channel = Channel.WEB
    user: str = Field("", max_length=128)


class TurnRequest(_Request):
    """One message of the person."""

    turn: int = Field(0, ge=0)
    kind: TurnKind = TurnKind.TEXT
    text: str = Field(min_length=1, max_length=MAX_TEXT)


class FeedbackRequest(_Request):
    """Did this solve your problem?"""

    solved: bool
    comment: str = Field("", max_length=MAX_TEXT)


class HelloFrame(_Request):
    """First frame of a WebSocket."""

    type: Literal["hello"]
    token: str
    seen: int = Field(0, ge=0)


class UserFrame(TurnRequest):
    """A message over a WebSocket."""

    type: Literal["user"]


class FeedbackFrame(FeedbackRequest):
    """Feedback over a WebSocket."""

    type: Literal["feedback"]


Frame = Annotated[UserFrame | FeedbackFrame, Field(discriminator="type")]


def history_json(items: tuple[HistoryItem, ...]) -> list[dict[str, Any]]:
    """What a person may see of the history: no reports, which are for reviewers."""
    return [{"at": i.at, "role": i.role, "text": i.text, "turn": i.turn} for i in items if i.role in ("user", "bot")]


def outgoing_json(out: Outgoing) -> dict[str, Any]:
    """One event as JSON: seq, turn, type and the event's own fields, without what is for reviewers or agents only."""
    event = out.event
    if isinstance(event, Transcript):
        body: dict[str, Any] = {"items": history_json(event.items)}
    elif isinstance(event, Handoff):
        body = {"reply_id": event.reply_id}
    else:
        body = asdict(event)
        body.pop("report", None)
    return {"seq": out.seq, "turn": out.turn, "type": _NAMES[type(event)], **body}
