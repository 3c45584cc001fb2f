"""The callers' voices: the neural engine that the bot uses, with other speakers, at telephone rate."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np

from common.audio import read_wav, resample, write_wav
from common.paths import cache_dir
from hotline.callers.caller import RATE
from voice_gateway.api import Pcm
from voice_gateway.tts.api import Speech, TtsEngine


class Voices:
    """Renders lines; each is kept on disk, so that the second demo does not wait for it."""

    def __init__(self, engine: TtsEngine) -> None:
        self._engine = engine

    async def render(self, text: str, voice: str, speed: float) -> Pcm:
        """`text` as int16 at 8 kHz. Raises what the engine raises."""
        version = self._engine.capabilities.version
        key = hashlib.sha256(f"{version}|{voice}|{speed}|{text}".encode()).hexdigest()[:32]
        kept: Path = cache_dir() / "callers" / f"{key}.wav"
        if kept.exists():
            return read_wav(kept, RATE)
        parts = [
            resample(chunk.pcm, chunk.sample_rate, RATE)
            async for chunk in self._engine.stream(Speech(text, voice, speed))
        ]
        pcm: Pcm = np.concatenate(parts)
        kept.parent.mkdir(parents=True, exist_ok=True)
        write_wav(kept, pcm, RATE)
        return pcm
