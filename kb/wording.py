"""What of an entry is said. Speech must be short: nobody listens to a page. Pure.

The first paragraph of a FAQ answer is its spoken form; what follows is detail for those who read. Of a passage, the
sentences that meet the question best are said, in their order.
"""

from __future__ import annotations

from collections.abc import Sequence

from kb.text import words

_NEIGHBOUR = 0.75  # a neighbouring sentence is said, too, when it is worth this share of the best one
_ENDS = "。！？!?；;"


def spoken_part(content: str) -> str:
    """The first paragraph."""
    return next((line.strip() for line in content.splitlines() if line.strip()), "")


def best_sentences(question: Sequence[str], sentences: Sequence[str], near: Sequence[float], longest: int) -> str:
    """The sentence that answers best and its worthwhile neighbours, at most `longest` characters if possible.

    question: its words. near: cosine of each sentence to the question.
    """
    if not sentences:
        return ""
    asked = set(question)
    shares = [len(asked & set(words(sentence))) / max(1, len(asked)) for sentence in sentences]
    worth = [cosine + share for cosine, share in zip(near, shares, strict=True)]
    best = max(range(len(worth)), key=worth.__getitem__)
    first = last = best
    length = len(sentences[best])
    while True:
        sides = [i for i in (first - 1, last + 1) if 0 <= i < len(worth) and worth[i] >= _NEIGHBOUR * worth[best]]
        fits = [i for i in sides if length + len(sentences[i]) <= longest]
        if not fits:
            break
        taken = max(fits, key=worth.__getitem__)
        length += len(sentences[taken])
        first, last = min(first, taken), max(last, taken)
    return _ended(_clipped("".join(sentences[first : last + 1]), longest))


def _clipped(said: str, longest: int) -> str:
    """At most about `longest` characters, cut after a clause; whole when it has no clause that fits."""
    if len(said) <= longest:
        return said
    cut = max(said.rfind(mark, 0, longest) for mark in "，,、：:；;")
    return said[:cut] if cut > longest // 3 else said


def _ended(said: str) -> str:
    said = said.rstrip("；;，,、：: ")
    return said if said.endswith(tuple("。！？!?”’）」』)")) else said + "。"
