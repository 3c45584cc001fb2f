"""Phonemes of what is said, as Kokoro's tokens, each tied to the piece of text that it says.

Mandarin as misaki's first Mandarin frontend writes it, which is what Kokoro-82M 1.0 was trained on: jieba's words,
pypinyin's syllables with dictionary tones, IPA with tone arrows, a space between words. Latin words through espeak-ng
(kokoro-onnx's tokenizer); letters from a table. A character nobody can read gives no token and is counted.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import Any

from voice_gateway.tts import metrics
from voice_gateway.tts.text import Piece, is_hanzi

_MARKS = MappingProxyType(
    {
        "，": ", ",
        "、": ", ",
        ",": ", ",
        "。": ". ",
        ".": ". ",
        "！": "! ",
        "!": "! ",
        "？": "? ",
        "?": "? ",
        "：": ": ",
        ":": ": ",
        "；": "; ",
        ";": "; ",
        "…": "… ",
        "“": " “",
        "”": "” ",
        "(": " (",
        ")": ") ",
        " ": " ",
    }
)

LETTERS = MappingProxyType(
    dict(
        A="ˈA", B="bˈi", C="sˈi", D="dˈi", E="ˈi", F="ˈɛf", G="ʤˈi", H="ˈAʧ", I="ˈI", J="ʤˈA", K="kˈA", L="ˈɛl",
        M="ˈɛm", N="ˈɛn", O="ˈO", P="pˈi", Q="kjˈu", R="ˈɑɹ", S="ˈɛs", T="tˈi", U="jˈu", V="vˈi", W="dˈʌbᵊlju",
        X="ˈɛks", Y="wˈI", Z="zˈi",
    )
)  # fmt: skip
"""English letter names in Kokoro's own notation (A = eɪ, I = aɪ, O = oʊ)."""

PHRASES = MappingProxyType(
    {
        "还款": "huan2 kuan3",
        "还清": "huan2 qing1",
        "还钱": "huan2 qian2",
        "归还": "gui1 huan2",
        "退还": "tui4 huan2",
        "返还": "fan3 huan2",
        "调换": "diao4 huan4",
        "调货": "diao4 huo4",
        "重发": "chong2 fa1",
        "重寄": "chong2 ji4",
        "重置": "chong2 zhi4",
        "重拨": "chong2 bo1",
        "补差": "bu3 cha1",
        "差额": "cha1 e2",
        "行号": "hang2 hao4",
        "开户行": "kai1 hu4 hang2",
        "朝阳区": "chao2 yang2 qu1",
        "长安": "chang2 an1",
        "处长": "chu4 zhang3",
        "不重": "bu2 zhong4",
        "嗯": "en4",
        "着呢": "zhe5 ne5",
        "为您": "wei4 nin2",
        "为你": "wei4 ni3",
    }
)
"""Readings that matter here and that pypinyin's dictionaries give otherwise."""


_NASAL = MappingProxyType({"n2": "en2", "n4": "en4", "m2": "en2", "hm5": "heng5", "ng4": "en4", "ê1": "ei1"})


@dataclass(frozen=True, slots=True)
class Tokens:
    """Phonemes of one unit: `ids` for the model (without its padding) and, for each, the index of its piece."""

    ids: tuple[int, ...]
    piece: tuple[int, ...]


class Phonemizer:
    """Thread-safe. Loads jieba's and pypinyin's dictionaries when first used (about 1.5 s)."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._ready = False
        self._jieba: Any = None
        self._vocabulary: dict[str, int] = {}
        self._english: Any = None

    def load(self) -> None:
        """Load the dictionaries; may be called twice."""
        with self._lock:
            if self._ready:
                return
            import jieba
            from kokoro_onnx.config import DEFAULT_VOCAB
            from pypinyin import load_phrases_dict

            jieba.setLogLevel(logging.WARNING)
            self._jieba = jieba.Tokenizer()
            self._jieba.initialize()
            for word in PHRASES:
                self._jieba.add_word(word)
            load_phrases_dict({word: [[s] for s in said.split()] for word, said in PHRASES.items()}, style="tone2")
            self._vocabulary = dict(DEFAULT_VOCAB)
            self._ready = True

    def tokens(self, pieces: tuple[Piece, ...]) -> Tokens:
        """Tokens of one unit; empty when nothing of it can be said."""
        self.load()
        ids: list[int] = []
        owner: list[int] = []
        for phonemes, piece in _squeezed(self._phonemes(pieces)):
            token = self._vocabulary.get(phonemes)
            if token is None:
                metrics.UNSPOKEN.inc()
                continue
            ids.append(token)
            owner.append(piece)
        while ids and ids[-1] == self._vocabulary[" "]:
            ids.pop()
            owner.pop()
        return Tokens(tuple(ids), tuple(owner))

    def _phonemes(self, pieces: tuple[Piece, ...]) -> Iterator[tuple[str, int]]:
        """Single phoneme characters with the index of their piece, spaces not yet squeezed."""
        for run, owners, kind in _runs(pieces):
            if kind == "hanzi":
                yield from self._mandarin(run, owners)
            elif kind == "latin":
                yield " ", owners[0]
                for phoneme in self._latin(run):
                    yield phoneme, owners[0]
                yield " ", owners[-1]
            else:
                for phoneme in _MARKS.get(run, " "):
                    yield phoneme, owners[0]

    def _mandarin(self, run: str, owners: list[int]) -> Iterator[tuple[str, int]]:
        from pypinyin import Style, lazy_pinyin

        at = 0
        for word in self._jieba.lcut(run):
            if at:
                yield " ", owners[at]
            syllables = lazy_pinyin(word, style=Style.TONE3, neutral_tone_with_five=True, errors=_one_by_one)  # type: ignore[arg-type]
            for offset, syllable in enumerate(syllables):
                for phoneme in _ipa(syllable):
                    yield phoneme, owners[min(at + offset, len(owners) - 1)]
            at += len(word)

    def _latin(self, word: str) -> str:
        if len(word) == 1 and word.upper() in LETTERS:
            return LETTERS[word.upper()]
        with self._lock:
            try:
                if self._english is None:
                    from kokoro_onnx.tokenizer import Tokenizer

                    self._english = Tokenizer()
                return str(self._english.phonemize(word, "en-us"))
            except Exception:  # espeak-ng's data is missing or refuses the word: spell it
                return " ".join(LETTERS.get(char.upper(), "") for char in word)


def _one_by_one(unknown: str) -> list[str]:
    """What pypinyin is to give for characters that it does not know: each for itself."""
    return list(unknown)


@cache
def _ipa(syllable: str) -> str:
    """IPA of a TONE3 syllable; "" for what is none (an unreadable character)."""
    from misaki.zh import ZHG2P

    syllable = _NASAL.get(syllable, syllable)
    try:
        return str(ZHG2P.py2ipa(syllable)).replace(chr(815), "")
    except (ValueError, IndexError, AssertionError, KeyError):
        metrics.UNSPOKEN.inc()
        return ""


def _runs(pieces: tuple[Piece, ...]) -> Iterator[tuple[str, list[int], str]]:
    """Stretches of Chinese characters and Latin words, and single marks, with the piece of every character."""
    run, kind = "", ""
    owners: list[int] = []
    for index, piece in enumerate(pieces):
        for char in piece.spoken:
            of = "hanzi" if is_hanzi(char) else "latin" if char.isalpha() or char in "'’" else "mark"
            if of != kind or of == "mark":
                if run:
                    yield run, owners, kind
                run, owners, kind = "", [], of
            run += char
            owners.append(index)
    if run:
        yield run, owners, kind


def _squeezed(phonemes: Iterator[tuple[str, int]]) -> Iterator[tuple[str, int]]:
    """One space where several stand, none at the start or before a mark."""
    space: tuple[str, int] | None = None
    started = False
    for phoneme, piece in phonemes:
        if phoneme == " ":
            space = (phoneme, piece)
            continue
        if space is not None and started and phoneme not in ",.!?:;…)”":
            yield space
        space, started = None, True
        yield phoneme, piece
    if space is not None and started:
        yield space
