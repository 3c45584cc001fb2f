"""What callers may know of speech synthesis: a shared `TtsEngine` that gives a stream per text."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

Pcm = npt.NDArray[np.int16]


@dataclass(frozen=True, slots=True)
class TtsCapabilities:
    """What an engine can do. `version` changes whenever the sound does (it is part of the cache key)."""

    name: str
    version: str
    voices: tuple[str, ...]
    languages: tuple[str, ...]
    sample_rate: int


@dataclass(frozen=True, slots=True)
class Speech:
    """A text to say. voice "" = the engine's default; speed 0.5 … 2.0; `fixed` = worth keeping in the prompt cache."""

    text: str
    voice: str = ""
    speed: float = 1.0
    fixed: bool = False


@dataclass(frozen=True, slots=True)
class AudioChunk:
    """Audio of one clause: mono int16 [n] at `sample_rate` Hz, and the characters of the text it says."""

    pcm: Pcm
    sample_rate: int
    text: str


class TtsEngine(Protocol):
    """Loaded once, used by many calls at once."""

    @property
    def capabilities(self) -> TtsCapabilities: ...

    def stream(self, speech: Speech) -> AsyncIterator[AudioChunk]:
        """Clause by clause, the first as early as possible; the chunks' texts joined are the text.

        Closing the iterator stops the work. BadInput for an unknown voice, Overloaded when the queue is full.
        """
        ...

    async def aclose(self) -> None:
        """Release models and workers; may be called twice."""
        ...
