"""Stereo recordings (caller left, bot right), written while the call runs.

Each second of a call goes to one writer thread of the process through a bounded queue; the event loop never touches the
disk and no call is held in memory. The sizes in the WAV header are brought up to date with every second written, so
the file is valid whenever the process dies. When the disk is too slow, the missing seconds are silence and are counted.
"""

from __future__ import annotations

import asyncio
import os
import queue
import struct
import threading
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import numpy as np

from common.telemetry import get_logger
from telephony import metrics
from telephony.media.playout import SAMPLE_RATE
from voice_gateway.api import Pcm

CHUNK_SAMPLES = SAMPLE_RATE  # 1 s
QUEUE_CHUNKS = 256
BYTES_PER_SAMPLE = 4  # two channels of int16
MAX_DATA_BYTES = 0xFFFFFFFF - 44

log = get_logger(__name__)


def wav_header(data_bytes: int) -> bytes:
    """44 bytes: 8 kHz, stereo, 16 bit."""
    return struct.pack(
        "<4sI4s4sIHHIIHH4sI",
        *(b"RIFF", 36 + data_bytes, b"WAVE", b"fmt ", 16, 1, 2),
        *(SAMPLE_RATE, SAMPLE_RATE * BYTES_PER_SAMPLE, BYTES_PER_SAMPLE, 16, b"data", data_bytes),
    )


class Recorder:
    """The writer thread, shared by all calls; starts with the first recording."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._jobs: queue.Queue[Callable[[], None] | None] = queue.Queue(QUEUE_CHUNKS)
        self._thread: threading.Thread | None = None

    def path(self, call: str) -> Path:
        """Where the recording of `call` is."""
        return self._folder / f"{call}.wav"

    def open(self, call: str) -> Recording:
        """A new recording; its file appears with the first second."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="recorder", daemon=True)
            self._thread.start()
        return Recording(self.path(call), self)

    def submit(self, job: Callable[[], None]) -> bool:
        """Have `job` done by the thread; False when too much waits."""
        try:
            self._jobs.put_nowait(job)
        except queue.Full:
            return False
        return True

    async def finish(self, job: Callable[[], None]) -> None:
        """Have `job` done after all that was submitted; returns when it is."""
        done = threading.Event()

        def last() -> None:
            try:
                job()
            finally:
                done.set()

        if self._thread is None:
            await asyncio.to_thread(job)
            return
        await asyncio.to_thread(self._jobs.put, last)
        await asyncio.to_thread(done.wait)

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            try:
                job()
            except OSError as error:
                log.error("recording_failed", error=str(error))

    async def aclose(self) -> None:
        """Write all that waits, then end the thread; may be called twice."""
        thread, self._thread = self._thread, None
        if thread is not None:
            await asyncio.to_thread(self._jobs.put, None)
            await asyncio.to_thread(thread.join)


class Recording:
    """One call's file. `add` is cheap; everything else happens on the thread."""

    def __init__(self, path: Path, recorder: Recorder) -> None:
        self.path = path
        self._recorder = recorder
        self._chunk = np.zeros((CHUNK_SAMPLES, 2), dtype="<i2")
        self._filled = 0
        self._missed = 0  # samples that the queue had no room for
        self._file: BinaryIO | None = None
        self._written = 0

    def add(self, caller: Pcm, bot: Pcm) -> None:
        """The same 20 ms of both sides."""
        end = self._filled + len(caller)
        self._chunk[self._filled : end, 0] = caller
        self._chunk[self._filled : end, 1] = bot
        self._filled = end
        if end + len(caller) > CHUNK_SAMPLES:
            self._flush()

    def _flush(self) -> None:
        data, missed = self._chunk[: self._filled].tobytes(), self._missed
        if self._recorder.submit(lambda: self._write(bytes(missed * BYTES_PER_SAMPLE) + data)):
            self._missed = 0
        else:
            self._missed += self._filled
            metrics.recording_lost.inc(self._filled / SAMPLE_RATE)
        self._filled = 0

    async def close(self) -> None:
        """Write the rest and close the file; returns when it is on disk."""
        self._flush()
        await self._recorder.finish(self._close)

    # --- on the thread ---

    def _write(self, data: bytes) -> None:
        if self._file is None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            handle = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
            self._file = os.fdopen(handle, "r+b", buffering=0)
            self._file.write(wav_header(0))
        data = data[: MAX_DATA_BYTES - self._written]
        self._file.seek(0, os.SEEK_END)
        self._file.write(data)
        self._written += len(data)
        self._file.seek(0)
        self._file.write(wav_header(self._written))

    def _close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None
