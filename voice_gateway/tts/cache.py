"""A `TtsEngine` that remembers what it said: rendered prompts in memory and on disk.

Only texts marked `fixed` are kept: others may hold personal data and rarely come again. An entry is one FLAC file
named by the hash of engine, version, voice, speed, rate and text, with the texts of its chunks in a comment; written to
the side and renamed, so readers never see half of one. The oldest used go first when the folder grows over its bound.
It wraps one engine, inside the fallback: what another voice said in an emergency is not kept.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
from collections import OrderedDict
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from io import BytesIO
from pathlib import Path

import numpy as np

from common.audio import Pcm
from common.paths import atomic_write
from common.telemetry import get_logger
from voice_gateway.tts import metrics
from voice_gateway.tts.api import AudioChunk, Speech, TtsCapabilities, TtsEngine

log = get_logger(__name__)

_SUFFIX = ".flac"


class PromptStore:
    """The folder. Blocking; safe to use from several threads and processes."""

    def __init__(self, folder: Path, max_bytes: int) -> None:
        self._folder, self._max = folder, max_bytes

    def _path(self, key: str) -> Path:
        return self._folder / key[:2] / (key + _SUFFIX)

    def read(self, key: str) -> tuple[AudioChunk, ...] | None:
        """The chunks of an entry, None when there is none. A broken entry is removed."""
        import soundfile

        path = self._path(key)
        try:
            with soundfile.SoundFile(path) as file:
                pcm, rate = file.read(dtype="int16"), file.samplerate
                marks = json.loads(file.comment)
            os.utime(path)
        except (FileNotFoundError, soundfile.LibsndfileError, ValueError, OSError) as error:
            if path.exists():
                log.warning("prompt_cache_entry_broken", reason=str(error))
                path.unlink(missing_ok=True)
            return None
        chunks, at = [], 0
        for length, text in marks:
            chunks.append(AudioChunk(pcm[at : at + length], rate, text))
            at += length
        return tuple(chunks)

    def write(self, key: str, chunks: Sequence[AudioChunk]) -> None:
        """Put an entry in place, then keep the folder within its bound. Chunks are of one rate."""
        import soundfile

        pcm: Pcm = np.concatenate([chunk.pcm for chunk in chunks])
        memory = BytesIO()
        with soundfile.SoundFile(memory, "w", chunks[0].sample_rate, 1, "PCM_16", format="FLAC") as file:
            file.comment = json.dumps([[len(chunk.pcm), chunk.text] for chunk in chunks])
            file.write(pcm)
        with atomic_write(self._path(key)) as out:
            out.write(memory.getvalue())
        self.trim()

    def trim(self) -> int:
        """Remove the entries not used for longest until the rest fits; returns the bytes that are left."""
        found = []
        for path in self._folder.glob(f"*/*{_SUFFIX}"):
            try:
                status = path.stat()
            except FileNotFoundError:  # another process removed it
                continue
            found.append((status.st_mtime, status.st_size, path))
        total = sum(size for _, size, _ in found)
        for _, size, path in sorted(found):
            if total <= self._max:
                break
            path.unlink(missing_ok=True)
            total -= size
        metrics.CACHE_BYTES.set(total)
        return total


class CachedTts:
    """See `TtsEngine`. `store` None keeps prompts in memory only."""

    def __init__(
        self, inner: TtsEngine, store: PromptStore | None, *, voice: str, memory_bytes: int = 64 << 20
    ) -> None:
        self._inner, self._store, self._voice = inner, store, voice
        self._memory: OrderedDict[str, tuple[AudioChunk, ...]] = OrderedDict()
        self._size, self._limit = 0, memory_bytes

    @property
    def capabilities(self) -> TtsCapabilities:
        """The inner engine's."""
        return self._inner.capabilities

    def key(self, speech: Speech) -> str:
        """Name of the entry: changes with anything that changes the sound."""
        caps = self._inner.capabilities
        parts = (caps.name, caps.version, str(caps.sample_rate), speech.voice or self._voice, f"{speech.speed:.3f}")
        return hashlib.sha256("\0".join((*parts, speech.text)).encode()).hexdigest()

    async def stream(self, speech: Speech) -> AsyncIterator[AudioChunk]:
        """See `TtsEngine`."""
        if not speech.fixed:
            async with aclosing(self._inner.stream(speech)) as chunks:  # type: ignore[type-var]
                async for chunk in chunks:
                    yield chunk
            return
        key = self.key(speech)
        found = await self._find(key)
        metrics.CACHE.labels("miss" if found is None else "hit").inc()
        if found is not None:
            for chunk in found:
                yield chunk
            return
        made: list[AudioChunk] = []
        async with aclosing(self._inner.stream(speech)) as chunks:  # type: ignore[type-var]
            async for chunk in chunks:
                made.append(chunk)
                yield chunk
        await self._keep(key, speech, made)

    async def _find(self, key: str) -> tuple[AudioChunk, ...] | None:
        if key in self._memory:
            self._memory.move_to_end(key)
            return self._memory[key]
        if self._store is None:
            return None
        found = await asyncio.to_thread(self._store.read, key)
        if found is not None:
            self._remember(key, found)
        return found

    async def _keep(self, key: str, speech: Speech, made: list[AudioChunk]) -> None:
        rate = self._inner.capabilities.sample_rate
        whole = "".join(chunk.text for chunk in made) == speech.text
        if not whole or any(chunk.sample_rate != rate for chunk in made) or not sum(len(c.pcm) for c in made):
            return
        self._remember(key, tuple(made))
        if self._store is not None:
            try:
                await asyncio.to_thread(self._store.write, key, made)
            except OSError as error:
                log.warning("prompt_cache_not_written", reason=str(error))

    def _remember(self, key: str, chunks: tuple[AudioChunk, ...]) -> None:
        if key in self._memory:
            return
        self._memory[key] = chunks
        self._size += sum(chunk.pcm.nbytes for chunk in chunks)
        while self._size > self._limit and self._memory:
            _, old = self._memory.popitem(last=False)
            self._size -= sum(chunk.pcm.nbytes for chunk in old)

    async def aclose(self) -> None:
        """See `TtsEngine`."""
        self._memory.clear()
        await self._inner.aclose()
