"""Answers to questions that come again, kept until the knowledge changes. Not shared between processes."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import replace

from prometheus_client import Counter

from kb.api import Answer
from kb.text import cache_key

_asked = Counter("hotline_kb_answers_total", "Questions answered, by whether the cache had it", ["cache"])
Key = tuple[str, tuple[str, ...]]


class AnswerCache:
    """Least recently used answers, each of one generation of the index. Not thread-safe: the event loop owns it."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._kept: OrderedDict[Key, tuple[int, Answer]] = OrderedDict()

    @staticmethod
    def key(question: str, tags: tuple[str, ...]) -> Key:
        """Questions that differ by politeness, fillers or punctuation only are the same."""
        return cache_key(question), tuple(sorted(set(tags)))

    def get(self, key: Key, generation: int) -> Answer | None:
        """The answer kept for `key` since this generation; counts hits and misses."""
        kept = self._kept.get(key)
        if kept is None or kept[0] != generation:
            _asked.labels("miss").inc()
            return None
        self._kept.move_to_end(key)
        _asked.labels("hit").inc()
        return replace(kept[1], cached=True)

    def put(self, key: Key, generation: int, answer: Answer) -> None:
        """Keep `answer`, found in this generation of the index."""
        self._kept[key] = (generation, answer)
        self._kept.move_to_end(key)
        while len(self._kept) > self._size:
            self._kept.popitem(last=False)
