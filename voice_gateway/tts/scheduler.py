"""Threads that do the most urgent work first, so that all calls get their audio in time.

Every job has a deadline: the moment when the caller's line would run dry without it. A text that has not begun is due
at once, one with three seconds of audio ready is not; so a new reply never waits behind the tail of a long one, and no
call starves (earliest deadline first). Work that began is not interrupted, except by its own cancellation.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from contextvars import ContextVar
from typing import Any, TypeVar

from common.errors import Overloaded
from voice_gateway.tts import metrics

T = TypeVar("T")

BACKGROUND_S = 3600.0
background: ContextVar[bool] = ContextVar("tts_background", default=False)
"""Work of a task in which this is set yields to all other work (pre-rendering)."""


class DeadlinePool:
    """`threads` workers, started when first needed; at most `waiting` jobs queue."""

    def __init__(self, threads: int, *, waiting: int, name: str = "tts") -> None:
        self._size, self._limit, self._name = threads, waiting, name
        self._heap: list[tuple[float, int, Future[Any], Callable[[], Any]]] = []
        self._count = itertools.count()
        self._changed = threading.Condition()
        self._threads: list[threading.Thread] = []
        self._closed = False

    @property
    def waiting(self) -> int:
        """Jobs that no worker has taken yet."""
        return len(self._heap)

    async def run(self, work: Callable[[], T], *, deadline: float, stop: Callable[[], None] | None = None) -> T:
        """Run `work` on a worker. `deadline` is time.monotonic based. Raises Overloaded when the queue is full.

        Cancelling takes waiting work out of the queue; for work that runs, `stop` is called to make it end early.
        """
        if background.get():
            deadline += BACKGROUND_S
        future: Future[T] = Future()
        with self._changed:
            if self._closed:
                raise Overloaded("speech synthesis is shutting down")
            if len(self._heap) >= self._limit:
                raise Overloaded(f"{len(self._heap)} pieces of speech wait already; try again later", retry_after_s=1)
            heapq.heappush(self._heap, (deadline, next(self._count), future, work))
            metrics.WAITING.set(len(self._heap))
            self._start_threads()
            self._changed.notify()
        try:
            return await asyncio.wrap_future(future)
        except asyncio.CancelledError:
            self._withdraw(future)
            if stop is not None:
                stop()
            raise

    def _start_threads(self) -> None:
        if len(self._threads) < self._size:
            name = f"{self._name}-{len(self._threads)}"
            thread = threading.Thread(target=self._work, name=name, daemon=True)
            self._threads.append(thread)
            thread.start()

    def _withdraw(self, future: Future[Any]) -> None:
        future.cancel()
        with self._changed:
            left = [job for job in self._heap if job[2] is not future]
            if len(left) != len(self._heap):
                self._heap[:] = left
                heapq.heapify(self._heap)
                metrics.WAITING.set(len(self._heap))

    def _work(self) -> None:
        while True:
            with self._changed:
                while not self._heap and not self._closed:
                    self._changed.wait()
                if self._closed:
                    return
                _, _, future, work = heapq.heappop(self._heap)
                metrics.WAITING.set(len(self._heap))
            if not future.set_running_or_notify_cancel():
                continue
            try:
                result = work()
            except BaseException as error:
                future.set_exception(error)
            else:
                future.set_result(result)

    async def aclose(self) -> None:
        """Drop what waits, let what runs end; may be called twice."""
        with self._changed:
            self._closed = True
            dropped, self._heap = self._heap, []
            self._changed.notify_all()
        for _, _, future, _ in dropped:
            future.cancel()
        for thread in self._threads:
            await asyncio.to_thread(thread.join)


def now() -> float:
    """The clock of deadlines."""
    return time.monotonic()
