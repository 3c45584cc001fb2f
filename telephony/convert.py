"""Dataclasses of `telephony.api` <-> pb."""

from __future__ import annotations

from common.pb import telephony_pb2 as pb
from telephony.api import CallState, CallStatus
from voice_gateway.api import Direction


def status_to_pb(value: CallStatus) -> pb.CallStatus:
    """To pb."""
    return pb.CallStatus(
        id=value.id,
        state=value.state.value,
        direction=value.direction.value,
        caller=value.caller,
        called=value.called,
        started_at=value.started_at,
        ended=value.ended,
    )


def status_from_pb(message: pb.CallStatus) -> CallStatus:
    """From pb."""
    return CallStatus(
        message.id,
        CallState(message.state),
        Direction(message.direction),
        message.caller,
        message.called,
        message.started_at,
        message.ended,
    )
