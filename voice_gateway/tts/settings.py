"""Settings of the mouth: `[tts]`."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path

from pydantic import Field

from common.settings import Section


class EngineChoice(StrEnum):
    """Which voice speaks. AUTO: Kokoro where its model is installed, espeak-ng otherwise."""

    AUTO = "auto"
    KOKORO = "kokoro"
    ESPEAK = "espeak"


class TtsSettings(Section):
    """Speech synthesis. Times say their unit."""

    engine: EngineChoice = Field(EngineChoice.AUTO, description="auto, kokoro or espeak")
    voice: str = Field("zf_xiaoxiao", description="Kokoro voice, or a blend such as zf_xiaoxiao:0.6+zf_xiaoyi:0.4")
    espeak_voice: str = Field("cmn", description="espeak-ng voice of the fallback")
    sample_rate: int = Field(16_000, description="rate of the audio given out: 8000, 16000 or 24000 Hz")
    level_dbfs: float = Field(-21.0, ge=-40, le=-10, description="level of speech, RMS without its pauses")
    model_dir: Path | None = Field(None, description="folder of the Kokoro model; default: in the cache folder")

    # Kokoro
    workers: int = Field(2, ge=1, le=32, description="windows of speech computed at once")
    threads: int = Field(1, ge=1, le=16, description="threads for one window")
    max_streams: int = Field(6, ge=1, description="texts spoken by Kokoro at once; more go to the fallback")
    max_waiting: int = Field(64, ge=1, description="windows that may wait for a worker")
    patience_s: float = Field(2.0, gt=0, description="the fallback speaks when no audio came for so long")

    # prompt cache
    cache_dir: Path | None = Field(None, description="rendered prompts; default: in the cache folder")
    cache_mb: int = Field(512, ge=0, description="size of the prompt cache on disk; 0 keeps nothing")
    memory_mb: int = Field(64, ge=0, description="rendered prompts held in memory")
