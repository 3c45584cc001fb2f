"""Owned tasks and the bounded pool."""

import asyncio
import threading

import pytest

from common.aio import InferencePool, TaskSet, within
from common.errors import Overloaded, TimedOut


async def test_closing_a_task_set_cancels_and_awaits() -> None:
    ended = []

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(True)

    tasks = TaskSet()
    task = tasks.spawn(work())
    await asyncio.sleep(0)
    await tasks.aclose()
    await tasks.aclose()
    assert ended == [True] and task.cancelled() and len(tasks) == 0


async def test_a_full_pool_says_so_at_once() -> None:
    gate = threading.Event()
    pool = InferencePool(1, waiting=1)
    running = [asyncio.ensure_future(pool.run(gate.wait)) for _ in range(2)]
    await asyncio.sleep(0)
    with pytest.raises(Overloaded):
        await pool.run(gate.wait)
    gate.set()
    assert await asyncio.gather(*running) == [True, True]
    assert await pool.run(lambda: 3) == 3
    assert pool.load == 0
    await pool.aclose()


async def test_a_cancelled_caller_does_not_free_a_running_place() -> None:
    gate = threading.Event()
    pool = InferencePool(1, waiting=0)
    running = asyncio.ensure_future(pool.run(gate.wait))
    await asyncio.sleep(0)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    with pytest.raises(Overloaded):
        await pool.run(gate.wait)
    gate.set()
    await pool.aclose()


async def test_within_names_what_was_slow() -> None:
    with pytest.raises(TimedOut, match="the oracle"):
        await within(asyncio.Event().wait(), 0.01, "the oracle")
