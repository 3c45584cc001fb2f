"""Dataclasses of `nlu.api` <-> pb."""

from __future__ import annotations

from common.pb import nlu_pb2 as pb
from nlu.api import Entity, Intent, NluRequest, NluResult, Token


def request_to_pb(value: NluRequest) -> pb.ParseRequest:
    """To pb."""
    return pb.ParseRequest(
        text=value.text, expected_slot=value.expected_slot, language=value.language, today=value.today
    )


def request_from_pb(message: pb.ParseRequest) -> NluRequest:
    """From pb; an unset language is Chinese."""
    return NluRequest(message.text, message.expected_slot, message.language or "zh", message.today)


def _intent_to_pb(value: Intent) -> pb.Intent:
    return pb.Intent(name=value.name, confidence=value.confidence)


def _intent_from_pb(message: pb.Intent) -> Intent:
    return Intent(message.name, message.confidence)


def _entity_to_pb(value: Entity) -> pb.Entity:
    return pb.Entity(
        type=value.type,
        value=value.value,
        raw=value.raw,
        start=value.start,
        end=value.end,
        confidence=value.confidence,
    )


def _entity_from_pb(message: pb.Entity) -> Entity:
    return Entity(message.type, message.value, message.raw, message.start, message.end, message.confidence)


def result_to_pb(value: NluResult) -> pb.ParseResponse:
    """To pb."""
    return pb.ParseResponse(
        text=value.text,
        intent=_intent_to_pb(value.intent),
        alternatives=[_intent_to_pb(intent) for intent in value.alternatives],
        entities=[_entity_to_pb(entity) for entity in value.entities],
        tokens=[pb.NluToken(text=token.text, pos=token.pos, stop=token.stop) for token in value.tokens],
    )


def result_from_pb(message: pb.ParseResponse) -> NluResult:
    """From pb."""
    return NluResult(
        message.text,
        _intent_from_pb(message.intent),
        tuple(_intent_from_pb(intent) for intent in message.alternatives),
        tuple(_entity_from_pb(entity) for entity in message.entities),
        tuple(Token(token.text, token.pos, token.stop) for token in message.tokens),
    )
