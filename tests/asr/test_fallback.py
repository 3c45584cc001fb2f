"""The second engine takes over, and hears what the first one heard."""

from __future__ import annotations

from collections.abc import AsyncIterator

import numpy as np
import pytest

from voice_gateway.asr.api import (
    FREE,
    AsrClosed,
    AsrFailed,
    AsrModelError,
    AsrOverloaded,
    Capabilities,
    DecodingHint,
    Expect,
    Transcript,
)
from voice_gateway.asr.engines.fallback import FALLBACKS, FallbackEngine


class Fake:
    """An engine whose text is how many samples it heard; fails where told to."""

    def __init__(
        self,
        name: str,
        *,
        open_error: Exception | None = None,
        fail_after: int = 10**9,
        fail_flush: Exception | None = None,
    ) -> None:
        self.name, self.open_error, self.fail_after, self.fail_flush = name, open_error, fail_after, fail_flush
        self.closed = 0

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(self.name, ("zh",), (8000,), 8000, True, False, False, False, frozenset(Expect), False)

    async def stream(self, hint: DecodingHint = FREE, *, sample_rate: int = 8000) -> FakeStream:
        if self.open_error:
            raise self.open_error
        return FakeStream(self)

    async def aclose(self) -> None:
        self.closed += 1


class FakeStream:
    def __init__(self, engine: Fake) -> None:
        self.engine, self.heard, self.final, self.closed = engine, 0, None, False

    async def push(self, frames: np.ndarray) -> None:
        if self.heard + len(frames) > self.engine.fail_after:
            raise AsrFailed("broken")
        self.heard += len(frames)

    async def flush(self) -> Transcript:
        if self.engine.fail_flush:
            raise self.engine.fail_flush
        self.final = Transcript(str(self.heard), True, engine=self.engine.name)
        return self.final

    async def __aiter__(self) -> AsyncIterator[Transcript]:
        if self.engine.fail_flush:
            raise self.engine.fail_flush
        yield Transcript("…", False, engine=self.engine.name)
        if self.final:
            yield self.final

    async def aclose(self) -> None:
        self.closed = True


async def hear(engine: FallbackEngine) -> Transcript:
    stream = await engine.stream()
    for _ in range(10):
        await stream.push(np.zeros(160, dtype=np.int16))
    final = await stream.flush()
    await stream.aclose()
    return final


def count(reason: str) -> float:
    return FALLBACKS.labels(reason)._value.get()


async def test_the_first_engine_is_used_while_it_works() -> None:
    before = count("asr_failed")
    assert await hear(FallbackEngine(Fake("first"), Fake("second"))) == Transcript("1600", True, engine="first")
    assert count("asr_failed") == before


@pytest.mark.parametrize(
    ("first", "reason"),
    [
        (Fake("first", open_error=AsrOverloaded("full")), "asr_overloaded"),
        (Fake("first", fail_after=500), "asr_failed"),
        (Fake("first", fail_flush=AsrFailed("broken")), "asr_failed"),
    ],
)
async def test_the_second_one_hears_all_of_it(first: Fake, reason: str) -> None:
    before = count(reason)
    assert await hear(FallbackEngine(first, Fake("second"))) == Transcript("1600", True, engine="second")
    assert count(reason) == before + 1


async def test_partials_go_on_after_a_take_over() -> None:
    engine = FallbackEngine(Fake("first", fail_flush=AsrFailed("broken")), Fake("second"))
    stream = await engine.stream()
    await stream.push(np.zeros(160, dtype=np.int16))
    assert [t.engine async for t in stream] == ["second"]


@pytest.mark.parametrize("error", [AsrModelError("wrong rate"), AsrClosed("closed")])
async def test_errors_that_another_engine_cannot_mend_pass(error: Exception) -> None:
    with pytest.raises(type(error)):
        await hear(FallbackEngine(Fake("first", open_error=error), Fake("second")))
    with pytest.raises(type(error)):
        await hear(FallbackEngine(Fake("first", fail_flush=error), Fake("second")))


async def test_two_failures_are_an_error_and_both_are_closed() -> None:
    first, second = Fake("first", fail_after=100), Fake("second", open_error=AsrOverloaded("full"))
    engine = FallbackEngine(first, second)
    with pytest.raises(AsrOverloaded):
        await hear(engine)
    await engine.aclose()
    assert (first.closed, second.closed) == (1, 1)
    assert engine.capabilities.name == "first"
