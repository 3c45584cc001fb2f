"""asyncio helpers: owned tasks and a bounded pool for blocking work."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Any, ParamSpec, TypeVar

from common.errors import Overloaded, TimedOut
from common.telemetry import get_logger

P = ParamSpec("P")
T = TypeVar("T")
log = get_logger(__name__)


class TaskSet:
    """Owns background tasks: keeps them referenced, logs what kills them, cancels and awaits them at the end."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()

    def spawn(self, work: Coroutine[Any, Any, T], *, name: str | None = None) -> asyncio.Task[T]:
        """Run `work` as a task of this set."""
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._finished)
        return task

    def _finished(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("task_failed", task=task.get_name(), exc_info=error)

    def __len__(self) -> int:
        return len(self._tasks)

    async def join(self) -> None:
        """Wait for all tasks, those started meanwhile too."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    async def aclose(self) -> None:
        """Cancel and await every task; may be called twice."""
        while pending := [t for t in self._tasks if t is not asyncio.current_task()]:
            for task in pending:
                task.cancel()
            await asyncio.wait(pending)

    async def __aenter__(self) -> TaskSet:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()


class InferencePool:
    """Threads for blocking work, with a bound on how much may wait: beyond it `Overloaded`, never a hidden queue."""

    def __init__(self, threads: int, *, waiting: int = 64, name: str = "pool") -> None:
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix=name)
        self._limit = threads + waiting
        self._inside = 0
        self._name = name

    @property
    def load(self) -> float:
        """Share of the places taken, 0 … 1."""
        return self._inside / self._limit

    async def run(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run `work(*args, **kwargs)` on a thread. Raises Overloaded when the pool is full.

        A cancelled caller leaves at once; work that has begun runs to its end on its thread and keeps its place.
        """
        if self._inside >= self._limit:
            raise Overloaded(f"{self._name}: {self._inside} jobs wait already; try again later", retry_after_s=1.0)
        self._inside += 1
        loop = asyncio.get_running_loop()
        try:
            future = self._executor.submit(work, *args, **kwargs)
        except BaseException:
            self._inside -= 1
            raise
        future.add_done_callback(lambda _: self._leave(loop))
        return await asyncio.wrap_future(future, loop=loop)

    def _leave(self, loop: asyncio.AbstractEventLoop) -> None:
        if not loop.is_closed():
            loop.call_soon_threadsafe(self._left)

    def _left(self) -> None:
        self._inside -= 1

    async def aclose(self) -> None:
        """Stop taking work, drop what waits, wait for what runs; may be called twice."""
        await asyncio.to_thread(self._executor.shutdown, wait=True, cancel_futures=True)


async def within(work: Coroutine[Any, Any, T], seconds: float, what: str) -> T:
    """Await `work` for at most `seconds`; TimedOut names `what` otherwise."""
    try:
        async with asyncio.timeout(seconds):
            return await work
    except TimeoutError:
        raise TimedOut(f"{what} did not answer within {seconds:g} s") from None
