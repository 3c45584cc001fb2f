"""Cutting clauses into the words of a language model: jieba over that model's own vocabulary, digits one by one."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterable, Mapping
from typing import Any

_DIGITS = frozenset("零一二三四五六七八九幺洞")
_LONGEST = 8


class Segmenter:
    """Words come from `frequencies` (word to count) and `extra`, which stay whole; the rest falls to characters."""

    def __init__(self, frequencies: Mapping[str, int], extra: Iterable[str] = ()) -> None:
        import jieba

        jieba.setLogLevel(logging.WARNING)
        self._tokenizer: Any = jieba.Tokenizer()
        lines = "".join(f"{word} {max(1, count)}\n" for word, count in frequencies.items() if word)
        self._tokenizer.FREQ, self._tokenizer.total = self._tokenizer.gen_pfdict(io.BytesIO(lines.encode()))
        self._tokenizer.initialized = True
        for word in extra:
            if 1 < len(word) <= _LONGEST:
                self._tokenizer.add_word(word)

    def __call__(self, clause: str) -> tuple[str, ...]:
        """Words of a clause as `text.sentences` gives it (Latin words between spaces)."""
        words: list[str] = []
        for word in self._tokenizer.cut(clause, HMM=False):
            word = word.strip()
            if not word:
                continue
            if len(word) > 1 and _DIGITS.issuperset(word):
                words.extend(word)
            else:
                words.append(word)
        return tuple(words)
