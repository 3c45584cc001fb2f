"""pyttsx3 over espeak-ng as a `TtsEngine`: robotic, but a sentence takes 15 ms and a few megabytes.

The fallback when Kokoro is absent or overloaded. pyttsx3 runs in a process of its own (`espeak_worker`), started when
first needed and again after a crash or a time-out. Texts get the same readings of numbers as Kokoro (`text`).
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import numpy as np

from common.audio import Pcm, dbfs, gain, read_wav
from common.errors import BadInput, Overloaded, Unavailable
from common.telemetry import get_logger
from voice_gateway.tts import metrics
from voice_gateway.tts.api import AudioChunk, Speech, TtsCapabilities
from voice_gateway.tts.clauses import units

log = get_logger(__name__)

SAMPLE_RATE = 22_050
REVISION = "2"
_WORDS_A_MINUTE = 240  # about four syllables a second in Mandarin
_START_S, _SPEAK_S = 15.0, 10.0
_QUIET = 200
_KEEP = 441  # samples of quiet that stay before speech
_PAUSE_S = {"，": 0.12, "、": 0.08, "": 0.03}
_SENTENCE_PAUSE_S = 0.25


class EspeakEngine:
    """See `TtsEngine`. `voice` is an espeak-ng voice, e.g. cmn (Mandarin); Kokoro's names are taken for it too."""

    def __init__(self, *, voice: str = "cmn", level_dbfs: float = -21.0, max_waiting: int = 32) -> None:
        self._voice, self._level, self._limit = voice, level_dbfs, max_waiting
        self._process: asyncio.subprocess.Process | None = None
        self._turn = asyncio.Lock()
        self._waiting = 0
        self._closed = False
        self._folder = tempfile.TemporaryDirectory(prefix="hotline-espeak-")
        self._capabilities = TtsCapabilities(
            name="espeak",
            version=f"pyttsx3.{REVISION}.{voice}.{level_dbfs:g}",
            voices=(voice,),
            languages=("zh", "en"),
            sample_rate=SAMPLE_RATE,
        )

    @property
    def capabilities(self) -> TtsCapabilities:
        """One voice."""
        return self._capabilities

    async def stream(self, speech: Speech) -> AsyncIterator[AudioChunk]:
        """See `TtsEngine`. Any voice name is accepted: this engine has one voice and is others' stand-in."""
        if not 0.5 <= speech.speed <= 2.0:
            raise BadInput(f"speed {speech.speed:g} is out of range; 0.5 to 2.0 is possible")
        metrics.STREAMS.labels("espeak").inc()
        try:
            for unit in units(speech.text):
                pcm = np.zeros(0, np.int16)
                if unit.sayable:
                    pcm = self._finished(await self._say(unit.spoken, speech.speed), unit.mark)
                metrics.AUDIO.labels("espeak").inc(len(pcm) / SAMPLE_RATE)
                yield AudioChunk(pcm, SAMPLE_RATE, unit.written)
        finally:
            metrics.STREAMS.labels("espeak").dec()

    def _finished(self, pcm: Pcm, mark: str) -> Pcm:
        """Without the silence around it, at the common level, with the pause of its mark."""
        loud = np.flatnonzero(np.abs(pcm.astype(np.int32)) > _QUIET)
        if not len(loud):
            return pcm[:0]
        pcm = pcm[max(0, int(loud[0]) - _KEEP) : int(loud[-1]) + _KEEP]
        pcm = gain(pcm, self._level - dbfs(pcm))
        pause = _PAUSE_S.get(mark, _SENTENCE_PAUSE_S)
        return np.concatenate([pcm, np.zeros(round(pause * SAMPLE_RATE), np.int16)])

    async def _say(self, text: str, speed: float) -> Pcm:
        if self._waiting >= self._limit:
            raise Overloaded(f"{self._waiting} texts wait for espeak-ng; try again later", retry_after_s=1)
        self._waiting += 1
        try:
            async with self._turn:
                return await self._ask(text, speed)
        finally:
            self._waiting -= 1

    async def _ask(self, text: str, speed: float) -> Pcm:
        if self._closed:
            raise Unavailable("speech synthesis was closed")
        path = Path(self._folder.name) / "speech.wav"
        request = {"text": text, "voice": self._voice, "rate": round(_WORDS_A_MINUTE * speed), "path": str(path)}
        process = await self._started()
        assert process.stdin is not None
        try:
            process.stdin.write(json.dumps(request).encode() + b"\n")
            async with asyncio.timeout(_SPEAK_S):
                await process.stdin.drain()
                await self._answer(process)
            return await asyncio.to_thread(_taken, path)
        except (TimeoutError, OSError, ValueError) as error:
            await self._kill()
            raise Unavailable(f"espeak-ng did not speak: {error or 'time-out'}") from error
        except BaseException:  # cancelled: an answer is still to come and would be taken for the next one's
            await asyncio.shield(self._kill())
            raise

    async def _started(self) -> asyncio.subprocess.Process:
        if self._process is not None and self._process.returncode is None:
            return self._process
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "voice_gateway.tts.engines.espeak_worker",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        )
        try:
            async with asyncio.timeout(_START_S):
                await self._answer(self._process)
        except (TimeoutError, OSError, ValueError) as error:
            await self._kill()
            raise Unavailable(
                f"espeak-ng cannot be used ({error or 'time-out'}); run: apt-get install espeak-ng"
            ) from error
        except BaseException:
            await asyncio.shield(self._kill())
            raise
        return self._process

    @staticmethod
    async def _answer(process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None
        line = await process.stdout.readline()
        if not line:
            raise OSError("its process ended")
        error = json.loads(line)["error"]
        if error is not None:
            raise OSError(error)

    async def _kill(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()
        log.info("espeak_process_ended")

    async def aclose(self) -> None:
        """See `TtsEngine`."""
        self._closed = True
        async with self._turn:
            await self._kill()
        self._folder.cleanup()


def _taken(path: Path) -> Pcm:
    pcm = read_wav(path, SAMPLE_RATE)
    path.unlink()
    return pcm
