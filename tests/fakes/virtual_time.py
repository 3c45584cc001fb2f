"""An event loop whose clock jumps to the next timer instead of waiting: minutes of a call in milliseconds.

    @virtual_time
    async def test_silence() -> None: ...

Only for code without threads and sockets: when nothing is scheduled and nothing can wake the loop, it fails at once.
"""

from __future__ import annotations

import asyncio
import functools
import selectors
from collections.abc import Callable, Coroutine
from typing import Any


class _JumpingSelector(selectors.SelectSelector):
    """Never waits; tells the loop how long it would have waited."""

    loop: VirtualLoop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if not ready and timeout is None:
            raise RuntimeError("deadlock: nothing is scheduled and nobody can wake the loop")
        if not ready and timeout:
            self.loop.advance(timeout)
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    """See the module."""

    def __init__(self) -> None:
        selector = _JumpingSelector()
        selector.loop = self
        self._now = 1000.0
        super().__init__(selector)

    def time(self) -> float:
        return self._now

    def advance(self, seconds: float) -> None:
        """Let the clock jump."""
        self._now += seconds


def run(main: Coroutine[Any, Any, Any]) -> Any:
    """Run `main` in virtual time; tasks left behind are an error."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        result = runner.run(_alone(main))
    return result


async def _alone(main: Coroutine[Any, Any, Any]) -> Any:
    result = await main
    left = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    assert not left, f"tasks left behind: {left}"
    return result


def virtual_time(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Decorator: a coroutine test becomes an ordinary one that runs in virtual time."""

    @functools.wraps(test)
    def wrapper(*args: Any, **kwargs: Any) -> None:
        run(test(*args, **kwargs))

    return wrapper
