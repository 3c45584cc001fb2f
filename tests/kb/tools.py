"""A small encoder, and builders, for tests of the knowledge base."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from zlib import crc32

import numpy as np
import numpy.typing as npt

from kb.api import Entry, EntryKind
from kb.ranking import calibration
from kb.service import HybridKb
from kb.stores.embedded import EmbeddedStore


class CharacterEncoder:
    """Unit vectors in which texts with the same characters are near; instant, always the same."""

    dim = 128

    def __init__(self, name: str = "characters/1") -> None:
        self.name = name
        self.texts = 0

    def encode(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """float32 [n, 128]."""
        self.texts += len(texts)
        found = np.full((len(texts), self.dim), 1e-3, np.float32)
        for row, text in zip(found, texts, strict=True):
            for character in text:
                row[crc32(character.encode()) % self.dim] += 1.0
        return found / np.linalg.norm(found, axis=1, keepdims=True)


def make(path: Path, encoder: CharacterEncoder | None = None, *, cached_answers: int = 100) -> HybridKb:
    """A knowledge base on the index at `path`."""
    encoder = encoder or CharacterEncoder()
    return HybridKb(EmbeddedStore(path, encoder.dim), encoder, calibration(), cached_answers=cached_answers)


def faq(id_: str, question: str, answer: str = "请按页面提示操作。", *variants: str, tags: Sequence[str] = ()) -> Entry:
    """A FAQ entry."""
    return Entry(id_, EntryKind.FAQ, question, answer, tuple(variants), tuple(tags), "test")


def passage(id_: str, title: str, content: str) -> Entry:
    """A passage of a document."""
    return Entry(id_, EntryKind.PASSAGE, title, content, source="test")
