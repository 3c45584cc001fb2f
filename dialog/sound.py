"""How Chinese text sounds, for comparing what a recogniser wrote with what was meant."""

from __future__ import annotations


def syllables(text: str) -> tuple[str, ...]:
    """The toneless pinyin of each character of `text`, in the reading that its phrase has.

    pypinyin is imported here: its dictionaries take 55 MB and half a second, which commands that hold no dialog save.
    """
    from pypinyin import lazy_pinyin

    return tuple(lazy_pinyin(text))
