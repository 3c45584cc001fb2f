"""How many new conversations one address may open: a sliding window of one minute."""

from __future__ import annotations

from collections import OrderedDict, deque

WINDOW_S = 60.0
ADDRESSES = 10_000


class OpenLimit:
    """Time is an argument; memory is bounded (the least recently seen address is forgotten first)."""

    def __init__(self, per_minute: int) -> None:
        self._per_minute = per_minute
        self._seen: OrderedDict[str, deque[float]] = OrderedDict()

    def admit(self, address: str, now: float) -> float:
        """0.0 and counted when one more is allowed, else the seconds to wait."""
        times = self._seen.pop(address, None) or deque()
        while times and times[0] <= now - WINDOW_S:
            times.popleft()
        self._seen[address] = times
        while len(self._seen) > ADDRESSES:
            self._seen.popitem(last=False)
        if len(times) >= self._per_minute:
            return times[0] + WINDOW_S - now
        times.append(now)
        return 0.0
