"""How a unit's frames are cut into windows for streaming: the first small, each later one larger, cut where quiet.

A window must be computed while the one before it plays. Sizes grow, so that the share of the context that is computed
on either side of each falls. A unit of about a second stays whole.
"""

from __future__ import annotations

from collections.abc import Callable

FIRST = 24  # frames, 0.6 s
LARGEST = 64
WHOLE = 44  # a unit this short is one window
_GROWTH = 1.5
_SEARCH = 7  # frames around the wanted end in which the quietest is taken
_REST = 12  # a remainder shorter than this joins the window before it


def windows(
    first: int, last: int, loudness: Callable[[int], float], size: float = FIRST
) -> tuple[tuple[int, int], ...]:
    """Ranges that cover [first, last) without gap or overlap. `size` is the first window's."""
    if last - first <= WHOLE:
        return ((first, last),) if last > first else ()
    cut: list[tuple[int, int]] = []
    at = first
    while at < last:
        wanted = at + round(size)
        if last - wanted < _REST:
            cut.append((at, last))
            break
        low, high = max(at + _REST, wanted - _SEARCH), min(last - _REST, wanted + _SEARCH) + 1
        end = min(range(low, max(high, low + 1)), key=lambda frame: (loudness(frame), abs(frame - wanted)))
        cut.append((at, end))
        at, size = end, min(LARGEST, size * _GROWTH)
    return tuple(cut)
