"""Chinese text for searching: normalising, words, syllables, sentences. Pure functions.

Words come from jieba's search mode. Numbers are written in digits first, so that 七天 and 7天 are the same word.
Syllables are toneless pinyin in pairs, with the distinctions folded that southern speakers and recognisers lose (zh/z,
ch/c, sh/s, -ng/-n): 腿货 is found as 退货.
"""

from __future__ import annotations

import re
import unicodedata
import warnings
from collections.abc import Iterator, Mapping
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, cast

VERSION = "1"
"""Changes with anything here that changes words or syllables: an index made by another version is made anew."""

_NOT_TEXT = re.compile(r"(?:(?!(?<=\d)\.(?=\d))[^\w%℃])+")
_SPLIT_NUMBER = re.compile(r"(?<=\d)(?=[一-鿿])|(?<=[一-鿿])(?=\d)")
_HAN = re.compile(r"[一-鿿]+")
_CHARACTER = re.compile(r"[一-鿿]|(?:(?![一-鿿])\w)+(?:\.\d+)*")
_NUMERAL = re.compile(r"[零〇幺一二两三四五六七八九十百千万亿]")
_SENTENCE = re.compile(r"[^。！？!?；;\n]+[。！？!?；;]*[”’）」』)]*")
_FILLER = re.compile(
    r"^(?:(?:喂|嗯+|呃+|啊|哦|那个|这个|就是|就是说|请问|你好|您好|麻烦|帮我|问)(?:一下)?)+|[啊呀呢吧哦嘛哈]+$"
)

_EMPTY = frozenset(
    "的了吗呢啊吧呀我你您们他她它请问一下这那哪什么怎样如何为是有没在要想会能可以不行就都也还又再给把被让对个去来说"
)


def normalise(text: str) -> str:
    """Full width to half width, lower case, one space for any white space."""
    return " ".join(unicodedata.normalize("NFKC", text).lower().split())


def cache_key(question: str) -> str:
    """What makes two questions the same for the answer cache: no punctuation, no politeness, no fillers."""
    text = _NOT_TEXT.sub("", normalise(question))
    return _FILLER.sub("", text) or text


@lru_cache(maxsize=4096)
def words(text: str) -> tuple[str, ...]:
    """Searchable words in order, stop words left out; all words when nothing else is left."""
    text = _digits(normalise(text))
    found = [
        part
        for word in _jieba().cut_for_search(text)
        for part in _SPLIT_NUMBER.split(_NOT_TEXT.sub("", word).replace(".", "点"))
        if part
    ]
    return tuple(word for word in found if word not in _stop()) or tuple(found)


@lru_cache(maxsize=16384)
def characters(text: str) -> frozenset[str]:
    """Chinese characters, and other words and numbers whole (e2, 1.5), less what says little."""
    return frozenset(_CHARACTER.findall(normalise(text))) - _EMPTY


@lru_cache(maxsize=4096)
def syllables(text: str) -> tuple[str, ...]:
    """Pairs of neighbouring toneless syllables ("tui_huo"), with confusable initials and finals folded."""
    found = [one for run in _HAN.findall(_FILLER.sub("", normalise(text))) for one in sound(run)]
    return tuple(f"{a}_{b}" for a, b in zip(found, found[1:], strict=False)) or tuple(found)


def sound(han: str) -> tuple[str, ...]:
    """Folded toneless syllables of Chinese characters."""
    return tuple(_fold(one) for one in _pinyin(han))


def is_han(text: str) -> bool:
    """Whether it is Chinese characters only."""
    return _HAN.fullmatch(text) is not None


def loose_characters(text: str) -> frozenset[int]:
    """Places of the Chinese characters that the segmenter takes for words of their own: where misheard words are."""
    return frozenset(
        start for word, start, end in _jieba().tokenize(text, HMM=False) if end - start == 1 and is_han(word)
    )


def sentences(text: str) -> list[str]:
    """Sentences in order, their punctuation kept, white space trimmed."""
    return [found for match in _SENTENCE.finditer(text) if (found := match[0].strip())]


def pieces(text: str, size: int) -> Iterator[str]:
    """Runs of whole sentences of at most `size` characters (one sentence may be longer)."""
    run = ""
    for sentence in sentences(text):
        if run and len(run) + len(sentence) > size:
            yield run
            run = ""
        run += sentence
    if run:
        yield run


def dictionary() -> Mapping[str, int]:
    """Words that the segmenter knows, and how frequent they are."""
    return cast(Mapping[str, int], _jieba().dt.FREQ)


def _fold(syllable: str) -> str:
    syllable = re.sub(r"^([zcs])h", r"\1", syllable)
    return re.sub(r"([aei]n)g$", r"\1", syllable)


def _digits(text: str) -> str:
    if _NUMERAL.search(text) is None:
        return text
    try:
        return str(_cn2an().transform(text, "cn2an"))
    except (ValueError, KeyError, TypeError, UserWarning):  # a run that only looks like a number (百百)
        return text


@cache
def _stop() -> frozenset[str]:
    return frozenset(Path(__file__).with_name("stop_words.txt").read_text(encoding="utf-8").split())


@cache
def _jieba() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its regular expressions warn when they are compiled
        import jieba

    jieba.setLogLevel(60)
    jieba.initialize()
    return jieba


@cache
def _cn2an() -> Any:
    import cn2an

    warnings.filterwarnings("ignore", category=UserWarning, module="cn2an")  # it reports such runs so, too
    return cn2an


def _pinyin(han: str) -> list[str]:
    from pypinyin import lazy_pinyin

    return list(lazy_pinyin(han))
