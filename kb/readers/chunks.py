"""Long text cut into passages that can be found and said. Pure."""

from __future__ import annotations

import math

from kb.text import sentences

SHORTEST, LONGEST = 150, 400


def chunks(text: str) -> list[str]:
    """`text` in passages of at most 400 characters, even in length (so none is much below 150), cut between sentences.

    A paragraph that is not cut keeps its line. One sentence of more than 400 characters stays whole.
    """
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    total = sum(map(len, lines))
    if total <= LONGEST:
        return ["\n".join(lines)] if lines else []
    size = total / math.ceil(total / LONGEST)
    found: list[str] = []
    current = ""
    for line in lines:
        for i, sentence in enumerate(sentences(line)):
            joint = "\n" if current and i == 0 else ""
            full = len(current) + len(sentence) > LONGEST
            if current and (full or len(current) + len(sentence) / 2 > max(size, SHORTEST)):
                found.append(current)
                current, joint = "", ""
            current += joint + sentence
    if found and len(current) < SHORTEST and len(found[-1]) + len(current) < LONGEST:
        current = f"{found.pop()}\n{current}"
    return [*found, current]
