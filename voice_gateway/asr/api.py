"""The ears' port: a shared engine, and one stream for each utterance.

An `AsrEngine` is loaded once, is thread-safe and serves every call of the process. An `AsrStream` lives as long as one
utterance and owns all state of that utterance; closing it frees that state. The rules that every engine keeps:

- audio is mono int16, any number of samples a push, at the rate given to `AsrEngine.stream` (8 or 16 kHz);
- partial transcripts are optional hints of what was heard so far and may be dropped when the reader is slow (only the
  newest waits); exactly one final transcript ends the stream, and a final text may be empty (nothing was said);
- texts are Simplified Chinese as the engine writes it, without punctuation: digits may be Chinese or Arabic, and
  `nlu` normalises them;
- nothing here blocks the event loop: inference runs in the engine's bounded pool of threads;
- an engine that fails raises `AsrError` from `push`, `flush` or the iteration, each with a code and `retryable`.

    AsrError
      AsrModelError      the folder is no model, or a broken or unsuitable one (not retryable; says what to do)
      AsrOverloaded      no room for another stream, or the queue of one is full (retryable)
      AsrFailed          the engine raised while decoding (retryable on another engine)
      AsrClosed          used after `aclose`
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from enum import Enum
from types import TracebackType
from typing import Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from common.errors import Fault, HotlineError, Misconfigured, Overloaded, Unavailable

Samples = npt.NDArray[np.int16]


class AsrError(HotlineError):
    """An engine could not do its work. `code` is stable and fit for a metric label; `retryable` is for wrappers."""

    code = "asr_error"


class AsrModelError(AsrError, Misconfigured):
    """A model cannot be used; the message is one line that says what is wrong and what to do."""

    code = "asr_model"
    retryable = False
    fault = Fault.OPERATOR


class AsrOverloaded(AsrError, Overloaded):
    """No room for another stream, or more audio came than can be queued."""

    code = "asr_overloaded"
    retryable = True
    fault = Fault.LOAD


class AsrFailed(AsrError, Unavailable):
    """The engine raised while it was decoding."""

    code = "asr_failed"
    retryable = True
    fault = Fault.DEPENDENCY


class AsrClosed(AsrError):
    """A stream or engine was used after it was closed."""

    code = "asr_closed"
    retryable = False
    fault = Fault.OURS


class Expect(Enum):
    """What kind of answer the dialog waits for; it biases decoding of one utterance."""

    FREE = "free"
    DIGITS = "digits"
    YES_NO = "yes_no"


@dataclass(frozen=True, slots=True)
class DecodingHint:
    """What the dialog knows about the next utterance.

    phrases: up to a few hundred words or short phrases that are likelier than usual (names, products); engines whose
    capabilities lack `hotwords` ignore them.
    """

    expect: Expect = Expect.FREE
    phrases: tuple[str, ...] = ()


FREE = DecodingHint()
DIGITS = DecodingHint(Expect.DIGITS)
YES_NO = DecodingHint(Expect.YES_NO)


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What an engine can do. `sample_rates` are the rates accepted by `stream` (engines resample inside)."""

    name: str
    languages: tuple[str, ...]
    sample_rates: tuple[int, ...]
    native_rate: int
    partials: bool
    word_times: bool
    char_times: bool
    confidence: bool
    hints: frozenset[Expect]
    hotwords: bool
    reloads_graph: bool = False
    max_streams: int = 0  # 0: no limit of its own
    licence: str = ""
    version: str = ""


@dataclass(frozen=True, slots=True)
class Timed:
    """One character (or word, where an engine only knows words): seconds from the start of the utterance."""

    text: str
    start: float
    end: float
    confidence: float  # 0..1


@dataclass(frozen=True, slots=True)
class Transcript:
    """What was heard so far (`final` False) or in the whole utterance (`final` True).

    confidence: 0..1, 0.0 for an empty text. chars: one entry a Chinese character or Latin word, empty in partials of
    engines that cannot tell. audio_s: seconds of audio that the text covers. decode_ms: for finals, time from `flush`
    to the text. engine: the name of the engine that heard it (wrappers keep the inner one).
    """

    text: str
    final: bool
    confidence: float = 0.0
    chars: tuple[Timed, ...] = ()
    audio_s: float = 0.0
    decode_ms: float = 0.0
    engine: str = ""
    alternatives: tuple[str, ...] = ()


@runtime_checkable
class AsrStream(Protocol):
    """One utterance. Not to be shared between tasks, save that one task may push while another one iterates."""

    async def push(self, frames: Samples) -> None:
        """Queue audio: int16 [n]. Waits while the bounded queue is full; raises AsrOverloaded after its time-out."""

    async def flush(self) -> Transcript:
        """No more audio comes: decode what is queued, return the final transcript (and again on a second call)."""

    def __aiter__(self) -> AsyncIterator[Transcript]:
        """Partials as they come, then the final; ends after the final, or when the stream is closed."""

    async def aclose(self) -> None:
        """Drop all state at once, without a final. May be called twice, and after `flush`."""


@runtime_checkable
class AsrEngine(Protocol):
    """A loaded recogniser, shared by all calls."""

    @property
    def capabilities(self) -> Capabilities: ...

    async def stream(self, hint: DecodingHint = FREE, *, sample_rate: int = 8000) -> AsrStream:
        """Open an utterance. Raises AsrOverloaded when there is no room, AsrModelError for a rate it cannot take."""

    async def aclose(self) -> None:
        """Close all streams and free the model. May be called twice."""


class StreamScope:
    """`async with StreamScope(engine, hint) as stream:` closes the stream however the block ends."""

    def __init__(self, engine: AsrEngine, hint: DecodingHint = FREE, *, sample_rate: int = 8000) -> None:
        self._engine, self._hint, self._rate = engine, hint, sample_rate
        self._stream: AsrStream | None = None

    async def __aenter__(self) -> AsrStream:
        self._stream = await self._engine.stream(self._hint, sample_rate=self._rate)
        return self._stream

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._stream is not None:
            await self._stream.aclose()
