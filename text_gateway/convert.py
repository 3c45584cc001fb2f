"""Chat events and messages <-> pb."""

from __future__ import annotations

from common.pb import chat_pb2 as pb
from dialog.convert import event_from_pb, event_to_pb, item_from_pb, item_to_pb, kind_from_pb, kind_to_pb
from text_gateway.api import Failure, InboundMessage, Outgoing, Said, Transcript, Welcome


def outgoing_to_pb(out: Outgoing, token: str = "") -> pb.ChatOut:
    """To pb; `token` goes with the welcome of a new conversation."""
    event = out.event
    match event:
        case Welcome():
            welcome = pb.Welcome(session=event.session, next_turn=event.next_turn, token=token)
            return pb.ChatOut(seq=out.seq, turn=out.turn, welcome=welcome)
        case Said():
            said = pb.UserMessage(turn=out.turn, kind=kind_to_pb(event.kind), text=event.text)
            return pb.ChatOut(seq=out.seq, turn=out.turn, said=said)
        case Transcript():
            transcript = pb.Transcript(items=[item_to_pb(item) for item in event.items])
            return pb.ChatOut(seq=out.seq, turn=out.turn, transcript=transcript)
        case Failure():
            error = pb.ChatError(code=event.code, message=event.message, retryable=event.retryable)
            return pb.ChatOut(seq=out.seq, turn=out.turn, error=error)
        case _:
            return pb.ChatOut(seq=out.seq, turn=out.turn, reply=event_to_pb(event))


def outgoing_from_pb(message: pb.ChatOut) -> Outgoing:
    """From pb."""
    match message.WhichOneof("message"):
        case "welcome":
            return Outgoing(message.seq, message.turn, Welcome(message.welcome.session, message.welcome.next_turn))
        case "said":
            return Outgoing(message.seq, message.turn, Said(kind_from_pb(message.said.kind), message.said.text))
        case "transcript":
            items = tuple(item_from_pb(item) for item in message.transcript.items)
            return Outgoing(message.seq, message.turn, Transcript(items))
        case "error":
            error = message.error
            return Outgoing(message.seq, message.turn, Failure(error.code, error.message, error.retryable))
        case _:
            return Outgoing(message.seq, message.turn, event_from_pb(message.reply))


def user_from_pb(session: str, message: pb.UserMessage) -> InboundMessage:
    """A person's message."""
    return InboundMessage(session, message.turn, kind_from_pb(message.kind), message.text)
