"""Reciprocal rank fusion (Cormack, Clarke, Büttcher 2009) of what several searches found. Pure."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import TypeVar

H = TypeVar("H", bound=Hashable)
_K = 60  # as in the paper


def fuse(lists: Sequence[Sequence[H]], limit: int) -> list[H]:
    """The `limit` best of all that the ranked `lists` (best first) name; ties in the order of first mention."""
    worth: dict[H, float] = {}
    for ranked in lists:
        for rank, one in enumerate(ranked):
            worth[one] = worth.get(one, 0.0) + 1.0 / (_K + rank + 1)
    return sorted(worth, key=lambda one: -worth[one])[:limit]
