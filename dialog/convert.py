"""Dataclasses of `dialog.api` <-> pb."""

from __future__ import annotations

from common.errors import Internal
from common.pb import dialog_pb2 as pb
from dialog.api import (
    Channel,
    Choice,
    Expect,
    Expectation,
    Handoff,
    HandoffSummary,
    HangUp,
    HistoryItem,
    ReplyChunk,
    ReplyEnd,
    ReplyEvent,
    ReplyStart,
    SessionStart,
    Source,
    TurnKind,
    TurnReport,
    UserTurn,
)
from emotion.convert import acoustic_from_pb, acoustic_to_pb, reading_from_pb, reading_to_pb

_CHANNELS = {
    Channel.PHONE: pb.CHANNEL_PHONE,
    Channel.WEBRTC: pb.CHANNEL_WEBRTC,
    Channel.WEB: pb.CHANNEL_WEB,
    Channel.APP: pb.CHANNEL_APP,
    Channel.WECHAT: pb.CHANNEL_WECHAT,
}
_KINDS = {
    TurnKind.SPEECH: pb.TURN_KIND_SPEECH,
    TurnKind.TEXT: pb.TURN_KIND_TEXT,
    TurnKind.DTMF: pb.TURN_KIND_DTMF,
    TurnKind.SILENCE: pb.TURN_KIND_SILENCE,
    TurnKind.NOISE: pb.TURN_KIND_NOISE,
    TurnKind.BUTTON: pb.TURN_KIND_BUTTON,
}
_EXPECTS = {
    Expect.FREE: pb.EXPECT_FREE,
    Expect.DIGITS: pb.EXPECT_DIGITS,
    Expect.ADDRESS: pb.EXPECT_ADDRESS,
    Expect.YES_NO: pb.EXPECT_YES_NO,
    Expect.NOTHING: pb.EXPECT_NOTHING,
}
_FROM_CHANNEL = {number: channel for channel, number in _CHANNELS.items()}
_FROM_KIND = {number: kind for kind, number in _KINDS.items()}
_FROM_EXPECT = {number: expect for expect, number in _EXPECTS.items()}


def channel_to_pb(value: Channel) -> pb.Channel.ValueType:
    """To pb."""
    return _CHANNELS[value]


def channel_from_pb(number: pb.Channel.ValueType) -> Channel:
    """From pb; unset is the web."""
    return _FROM_CHANNEL.get(number, Channel.WEB)


def kind_to_pb(value: TurnKind) -> pb.TurnKind.ValueType:
    """To pb."""
    return _KINDS[value]


def kind_from_pb(number: pb.TurnKind.ValueType) -> TurnKind:
    """From pb; unset is text."""
    return _FROM_KIND.get(number, TurnKind.TEXT)


def start_to_pb(value: SessionStart) -> pb.SessionStart:
    """To pb."""
    return pb.SessionStart(
        session=value.session,
        channel=_CHANNELS[value.channel],
        caller=value.caller,
        called=value.called,
        language=value.language,
        outbound_purpose=value.outbound_purpose,
    )


def start_from_pb(message: pb.SessionStart) -> SessionStart:
    """From pb; an unset language is Chinese."""
    return SessionStart(
        message.session,
        channel_from_pb(message.channel),
        message.caller,
        message.called,
        message.language or "zh",
        message.outbound_purpose,
    )


def turn_to_pb(value: UserTurn) -> pb.UserTurn:
    """To pb."""
    return pb.UserTurn(
        session=value.session,
        turn=value.turn,
        kind=_KINDS[value.kind],
        text=value.text,
        acoustic=acoustic_to_pb(value.acoustic) if value.acoustic is not None else None,
        asr_confidence=value.asr_confidence,
    )


def turn_from_pb(message: pb.UserTurn) -> UserTurn:
    """From pb."""
    acoustic = acoustic_from_pb(message.acoustic) if message.HasField("acoustic") else None
    kind = kind_from_pb(message.kind)
    return UserTurn(message.session, message.turn, kind, message.text, acoustic, message.asr_confidence)


def report_to_pb(value: TurnReport) -> pb.TurnReport:
    """To pb."""
    return pb.TurnReport(
        intent=value.intent,
        intent_confidence=value.intent_confidence,
        slots=value.slots,
        emotion=reading_to_pb(value.emotion) if value.emotion is not None else None,
        action=value.action,
        flow=value.flow,
    )


def report_from_pb(message: pb.TurnReport) -> TurnReport:
    """From pb."""
    emotion = reading_from_pb(message.emotion) if message.HasField("emotion") else None
    return TurnReport(
        message.intent, message.intent_confidence, dict(message.slots), emotion, message.action, message.flow
    )


def _end_to_pb(value: ReplyEnd) -> pb.ReplyEnd:
    expect = value.expect
    return pb.ReplyEnd(
        reply_id=value.reply_id,
        expect=pb.Expectation(kind=_EXPECTS[expect.kind], slot=expect.slot, digits=expect.digits),
        choices=[pb.Choice(label=choice.label, value=choice.value) for choice in value.choices],
        sources=[pb.Source(id=source.id, title=source.title) for source in value.sources],
        report=report_to_pb(value.report),
    )


def _end_from_pb(message: pb.ReplyEnd) -> ReplyEnd:
    kind = _FROM_EXPECT.get(message.expect.kind, Expect.FREE)
    return ReplyEnd(
        message.reply_id,
        Expectation(kind, message.expect.slot, message.expect.digits),
        tuple(Choice(choice.label, choice.value) for choice in message.choices),
        tuple(Source(source.id, source.title) for source in message.sources),
        report_from_pb(message.report),
    )


def summary_to_pb(value: HandoffSummary) -> pb.HandoffSummary:
    """To pb."""
    return pb.HandoffSummary(
        session=value.session,
        reason=value.reason,
        summary=value.summary,
        slots=value.slots,
        emotion_trend=value.emotion_trend,
        last_said=value.last_said,
    )


def summary_from_pb(message: pb.HandoffSummary) -> HandoffSummary:
    """From pb."""
    return HandoffSummary(
        message.session,
        message.reason,
        message.summary,
        dict(message.slots),
        tuple(message.emotion_trend),
        message.last_said,
    )


def event_to_pb(value: ReplyEvent) -> pb.ReplyEvent:
    """To pb."""
    match value:
        case ReplyStart():
            return pb.ReplyEvent(start=pb.ReplyStart(reply_id=value.reply_id, interruptible=value.interruptible))
        case ReplyChunk():
            return pb.ReplyEvent(chunk=pb.ReplyChunk(reply_id=value.reply_id, text=value.text, fixed=value.fixed))
        case ReplyEnd():
            return pb.ReplyEvent(end=_end_to_pb(value))
        case Handoff():
            handoff = pb.Handoff(reply_id=value.reply_id, target=value.target, summary=summary_to_pb(value.summary))
            return pb.ReplyEvent(handoff=handoff)
        case HangUp():
            return pb.ReplyEvent(hang_up=pb.HangUp(reply_id=value.reply_id, reason=value.reason))


def event_from_pb(message: pb.ReplyEvent) -> ReplyEvent:
    """From pb. Internal for an event that this version does not know."""
    match message.WhichOneof("event"):
        case "start":
            return ReplyStart(message.start.reply_id, message.start.interruptible)
        case "chunk":
            return ReplyChunk(message.chunk.reply_id, message.chunk.text, message.chunk.fixed)
        case "end":
            return _end_from_pb(message.end)
        case "handoff":
            handoff = message.handoff
            return Handoff(handoff.reply_id, handoff.target, summary_from_pb(handoff.summary))
        case "hang_up":
            return HangUp(message.hang_up.reply_id, message.hang_up.reason)
        case _:
            raise Internal("the dialog sent an event that this version does not know; update this service")


def item_to_pb(value: HistoryItem) -> pb.HistoryItem:
    """To pb."""
    return pb.HistoryItem(
        seq=value.seq,
        at=value.at,
        role=value.role,
        text=value.text,
        turn=value.turn,
        heard=value.heard,
        report=report_to_pb(value.report) if value.report is not None else None,
    )


def item_from_pb(message: pb.HistoryItem) -> HistoryItem:
    """From pb."""
    return HistoryItem(
        message.seq,
        message.at,
        message.role,
        message.text,
        message.turn,
        message.heard if message.HasField("heard") else None,
        report_from_pb(message.report) if message.HasField("report") else None,
    )
