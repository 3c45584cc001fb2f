"""Which of the values found at the same place to keep. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from nlu.api import Entity

# Strongest first: a kind gives way where it overlaps one of an earlier group. Kinds of one group may share a place
# (a day and a time of day, the digits of a correction), but not two of the same kind.
_GROUPS = (
    ("email", "id_card"),
    ("phone", "order_number", "bank_card"),
    ("address",),
    ("product",),
    ("money",),
    ("date", "time"),
    ("person",),
    ("digits", "wrong_digits", "position"),
    ("number",),
)
_RANK = {kind: rank for rank, group in enumerate(_GROUPS) for kind in group}
_COMPANIONS = frozenset({"digits", "wrong_digits", "position"})
_TYPED_NUMBERS = frozenset({"phone", "order_number", "bank_card", "id_card"})


def resolve(entities: Iterable[Entity]) -> tuple[Entity, ...]:
    """`entities` without those that a stronger one covers, in the order of the text, the more confident first."""
    kept: list[Entity] = []
    for entity in sorted(entities, key=lambda e: (_RANK.get(e.type, 0), -e.confidence, e.start - e.end)):
        if not any(_gives_way(entity, other) for other in kept):
            kept.append(entity)
    return tuple(sorted(kept, key=lambda e: (e.start, -e.confidence, e.end)))


def _gives_way(entity: Entity, other: Entity) -> bool:
    if entity.start >= other.end or other.start >= entity.end:
        return False
    if entity.type == other.type:
        return True
    if entity.type in _COMPANIONS and other.type in (_TYPED_NUMBERS | _COMPANIONS):
        return False  # what was dictated stays beside what it turned out to be
    return _RANK.get(other.type, 0) < _RANK.get(entity.type, 0)
