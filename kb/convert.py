"""Dataclasses of `kb.api` <-> pb."""

from __future__ import annotations

from common.pb import kb_pb2 as pb
from kb.api import Answer, Entry, EntryKind, Hit

_KINDS = {EntryKind.FAQ: pb.ENTRY_KIND_FAQ, EntryKind.PASSAGE: pb.ENTRY_KIND_PASSAGE}
_FROM_KIND = {number: kind for kind, number in _KINDS.items()}


def entry_to_pb(value: Entry) -> pb.Entry:
    """To pb."""
    return pb.Entry(
        id=value.id,
        kind=_KINDS[value.kind],
        title=value.title,
        content=value.content,
        variants=value.variants,
        tags=value.tags,
        source=value.source,
        updated_at=value.updated_at,
    )


def entry_from_pb(message: pb.Entry) -> Entry:
    """From pb; an unknown kind is a passage."""
    return Entry(
        message.id,
        _FROM_KIND.get(message.kind, EntryKind.PASSAGE),
        message.title,
        message.content,
        tuple(message.variants),
        tuple(message.tags),
        message.source,
        message.updated_at,
    )


def hit_to_pb(value: Hit) -> pb.Hit:
    """To pb."""
    return pb.Hit(entry=entry_to_pb(value.entry), score=value.score, lexical=value.lexical, semantic=value.semantic)


def hit_from_pb(message: pb.Hit) -> Hit:
    """From pb."""
    return Hit(entry_from_pb(message.entry), message.score, message.lexical, message.semantic)


def answer_to_pb(value: Answer) -> pb.AnswerResponse:
    """To pb."""
    return pb.AnswerResponse(
        known=value.known,
        text=value.text,
        confidence=value.confidence,
        sources=value.sources,
        hits=[hit_to_pb(hit) for hit in value.hits],
        cached=value.cached,
    )


def answer_from_pb(message: pb.AnswerResponse) -> Answer:
    """From pb."""
    return Answer(
        message.known,
        message.text,
        message.confidence,
        tuple(message.sources),
        tuple(hit_from_pb(hit) for hit in message.hits),
        message.cached,
    )
