"""Guess the language of a model from the script of its vocabulary."""

from __future__ import annotations

import re
from pathlib import Path

_SCRIPTS = (
    ("ko", re.compile(r"[\uac00-\ud7a3]")),
    ("ja", re.compile(r"[\u3041-\u30ff]")),
    ("zh", re.compile(r"[\u4e00-\u9fff]")),
    ("ru", re.compile(r"[\u0400-\u04ff]")),
    ("en", re.compile(r"\b[a-z]{3,}\b")),
)
_SAMPLE = 2_000_000
_ENOUGH = 20
_LATIN_ENOUGH = 500


def language_of(path: Path) -> str | None:
    """The language whose script the file (text, or a binary with a symbol table in it) uses most; None if unclear.

    English counts only when no other script is there, for most Chinese models know some English.
    """
    if not path.exists():
        return None
    with path.open("rb") as file:
        raw = file.read(_SAMPLE)
        size = path.stat().st_size
        if size > _SAMPLE:
            file.seek(max(0, size - _SAMPLE))
            raw += file.read(_SAMPLE)
    text = raw.decode("utf-8", "ignore")
    counts = {language: len(pattern.findall(text)) for language, pattern in _SCRIPTS}
    if b"\x00" in raw[:4096]:
        counts = {language: _runs(text, language) for language in counts}
    english = counts.pop("en")
    best = max(counts, key=lambda language: counts[language])
    if counts[best] >= _ENOUGH:
        return best
    return "en" if english >= _LATIN_ENOUGH else None


def _runs(text: str, language: str) -> int:
    """In a binary: characters in runs of two and more, for random bytes seldom make such runs."""
    pattern = dict(_SCRIPTS)[language].pattern
    if language == "en":
        return len(re.findall(pattern, text))
    return sum(len(run) for run in re.findall(f"(?:{pattern}){{3,}}", text))
