"""The callers' voices: the neural engine that the bot uses, with other speakers, at telephone rate."""

from __future__ import annotations

import asyncio
import hashlib
from pathlib import Path

from common.audio import read_wav, write_wav
from common.paths import cache_dir
from hotline.callers.caller import RATE
from voice_gateway.api import Pcm
from voice_gateway.tts.api import Speech, TtsEngine
from voice_gateway.tts.render import render


class Voices:
    """Renders lines; each is kept on disk, so that the second demo does not wait for it."""

    def __init__(self, engine: TtsEngine) -> None:
        self._engine = engine

    async def render(self, text: str, voice: str, speed: float) -> Pcm:
        """`text` as int16 at 8 kHz. Raises what the engine raises."""
        kept = self._place(text, voice, speed)
        known = await asyncio.to_thread(_read, kept)
        if known is not None:
            return known
        pcm = await render(self._engine, Speech(text, voice, speed), RATE, trim=False)
        await asyncio.to_thread(_write, kept, pcm)
        return pcm

    def _place(self, text: str, voice: str, speed: float) -> Path:
        key = f"{self._engine.capabilities.version}|{voice}|{speed}|{text}"
        return cache_dir() / "callers" / f"{hashlib.sha256(key.encode()).hexdigest()[:32]}.wav"


def _read(path: Path) -> Pcm | None:
    return read_wav(path, RATE) if path.exists() else None


def _write(path: Path, pcm: Pcm) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_wav(path, pcm, RATE)
