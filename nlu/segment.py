"""Words, part-of-speech tags and stop words, by jieba with the tenant's own words."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Iterable
from functools import cache
from importlib import resources
from typing import Any

from nlu.api import Token

_USER_FREQUENCY = 20_000  # high enough that jieba keeps a tenant's word whole


@cache
def stop_words() -> frozenset[str]:
    """Function words and fillers that carry no meaning for search and classification."""
    text = resources.files("nlu").joinpath("data/stopwords.txt").read_text(encoding="utf-8")
    return frozenset(word for line in text.splitlines() if not line.startswith("#") for word in line.split())


class Segmenter:
    """A jieba dictionary of its own, so that one tenant's words do not leak into another's. Loads at first use."""

    def __init__(self, words: Iterable[str] = ()) -> None:
        self._words = tuple(dict.fromkeys(word for word in words if len(word) >= 2))
        self._lock = threading.Lock()
        self._tagger: Any = None

    def segment(self, text: str) -> tuple[Token, ...]:
        """The words of normalised `text`, in order; white space is left out."""
        stop = stop_words()
        return tuple(
            Token(word.word, word.flag, word.word in stop) for word in self._loaded().cut(text) if word.word.strip()
        )

    def frequency(self, word: str) -> int:
        """How common a word is in the dictionary; 0 = not a word."""
        return int(self._loaded().tokenizer.FREQ.get(word, 0) or 0)

    def _loaded(self) -> Any:
        with self._lock:
            if self._tagger is None:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")  # jieba's sources have escapes that newer Pythons warn about
                    import jieba
                    from jieba import posseg
                jieba.setLogLevel(60)
                tokenizer = jieba.Tokenizer()
                tokenizer.initialize()
                for word in self._words:
                    tokenizer.add_word(word, _USER_FREQUENCY, "nz")
                self._tagger = posseg.POSTokenizer(tokenizer)
            return self._tagger
