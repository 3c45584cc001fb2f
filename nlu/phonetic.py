"""The sound of a text, and repair of misrecognised words by it.

A recogniser that errs writes another word of the same sound (推货 for 退货, 头诉 for 投诉). `Repairer` knows the words
of the domain and puts them back where the text has something that sounds the same and is no common word itself.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from functools import lru_cache

_FUZZY = (("zh", "z"), ("ch", "c"), ("sh", "s"), ("ang", "an"), ("eng", "en"), ("ing", "in"), ("ong", "on"))
_COMMON = 300  # a dictionary word at least this frequent is taken as meant
_LONGEST = 4


def syllables(text: str) -> list[str]:
    """Toneless pinyin, one item a character; other characters stand for themselves."""
    return list(_syllables(text))


@lru_cache(4096)
def _syllables(text: str) -> tuple[str, ...]:
    from pypinyin import lazy_pinyin

    if len(text) > 1 and _mixed(text):
        return tuple(s for char in text for s in _syllables(char))
    return tuple(lazy_pinyin(text))


@lru_cache(1024)
def fuzzy(syllable: str) -> str:
    """The syllable with the distinctions dropped that are often confused: zh/z, ch/c, sh/s, -ng/-n, l/n."""
    for long, short in _FUZZY:
        syllable = syllable.replace(long, short)
    return "n" + syllable[1:] if syllable.startswith("l") else syllable


def _mixed(text: str) -> bool:
    return any(not "\u3400" <= char <= "\u9fff" for char in text)


class Repairer:
    """Puts domain words back. `vocabulary` holds words with their weight; `frequency` tells how common any word is."""

    def __init__(self, vocabulary: Counter[str], frequency: Callable[[str], int]) -> None:
        self._known = frozenset(vocabulary)
        self._frequency = frequency
        by_sound: dict[tuple[str, ...], Counter[str]] = defaultdict(Counter)
        for word, weight in vocabulary.items():
            if 2 <= len(word) <= _LONGEST:
                by_sound[tuple(syllables(word))][word] += weight
        self._best = {sound: words.most_common(1)[0][0] for sound, words in by_sound.items()}

    def repair(self, text: str) -> str:
        """`text` with misheard domain words replaced; the same length."""
        sound = syllables(text)
        if len(sound) != len(text):
            return text
        out, settled = list(text), self._settled(text)
        for size in range(_LONGEST, 1, -1):
            for i in range(len(text) - size + 1):
                if all(settled[i : i + size]):
                    continue
                word = self._best.get(tuple(sound[i : i + size]))
                if word and self._frequency(text[i : i + size]) < _COMMON:
                    out[i : i + size] = word
                    settled[i : i + size] = [True] * size
        return "".join(out)

    def _settled(self, text: str) -> list[bool]:
        settled = [False] * len(text)
        for size in range(_LONGEST, 1, -1):
            for i in range(len(text) - size + 1):
                if text[i : i + size] in self._known:
                    settled[i : i + size] = [True] * size
        return settled


def domain_vocabulary(texts: Iterable[str], words: Callable[[str], Iterable[str]]) -> Counter[str]:
    """Words of two characters and more in `texts` (cut by `words`), and pairs of characters seen three times."""
    pairs: Counter[str] = Counter()
    found: Counter[str] = Counter()
    for text in texts:
        found.update(word for word in words(text) if len(word) >= 2 and not _mixed(word))
        pairs.update(pair for i in range(len(text) - 1) if not _mixed(pair := text[i : i + 2]))
    return found + Counter({pair: n for pair, n in pairs.items() if n >= 3})
