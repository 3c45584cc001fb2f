"""Whole short utterances with a fixed meaning: 转人工, 没错, 再说一遍, 不用了谢谢.

An utterance counts when it consists of such phrases and fillers only. Several phrases give the most consequential
meaning ("好的谢谢再见" is goodbye, "对解决了" is solved). Phrases of two syllables and more also match by sound.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from nlu.api import Intent
from nlu.phonetic import syllables

_FILLER = re.compile(
    r"[，。！？；：、,.!?;:~～…\s]+|^(?:嗯|啊|呃|额|哦|噢|哎|那个|那|这个)+(?=.)|(?:啊|呀|吧|呢|哈|啦|哦|嘛|了啊)$"
)
# When several phrases make up the utterance, the first of these that is among them is what the person wants.
_ORDER = (
    "human_agent", "correction", "not_solved", "repeat", "dont_know", "wait", "goodbye", "solved", "deny", "thanks",
    "affirm", "greeting",
)  # fmt: skip
_EXACT, _SOUND = 0.97, 0.88


class PhraseIntents:
    """Phrases by intent, as in data/phrases.yaml. Pure after construction."""

    def __init__(self, phrases: Mapping[str, Sequence[str]]) -> None:
        self._exact = {phrase: intent for intent, group in phrases.items() for phrase in group}
        self._sound = {
            tuple(syllables(phrase)): intent
            for intent, group in phrases.items()
            for phrase in group
            if len(phrase) >= 2 and not phrase.isascii()
        }
        self._longest = max(map(len, self._exact), default=0)

    def warm_up(self) -> None:
        """Nothing to load."""

    def classify(self, text: str) -> Sequence[Intent]:
        """One intent, or none when the utterance is anything but known phrases."""
        plain = text.lower()
        for candidate in dict.fromkeys((_FILLER.sub("", plain), re.sub(r"[，。！？；：、,.!?;:~～…\s]+", "", plain))):
            if candidate and (found := self._cover(candidate)):
                intents, confidence = found
                ranked = sorted(intents, key=lambda name: _ORDER.index(name) if name in _ORDER else len(_ORDER))
                return [Intent(ranked[0], confidence)]
        return []

    def _cover(self, text: str) -> tuple[set[str], float] | None:
        """The intents of phrases that together make up all of `text`: fewest phrases win, exact before sound."""
        sound = syllables(text)
        aligned = len(sound) == len(text)
        best: list[tuple[int, int, set[str]] | None] = [(0, 0, set()), *[None] * len(text)]
        for end in range(1, len(text) + 1):
            for start in range(max(0, end - self._longest), end):
                before = best[start]
                if before is None:
                    continue
                exact = self._exact.get(text[start:end])
                intent = exact or (self._sound.get(tuple(sound[start:end])) if aligned and end - start >= 2 else None)
                if intent is None:
                    continue
                option = (before[0] + 1, before[1] + (exact is None), before[2] | {intent})
                now = best[end]
                if now is None or option[:2] < now[:2]:
                    best[end] = option
        whole = best[-1]
        return (whole[2], _SOUND if whole[1] else _EXACT) if whole and whole[0] else None
