"""Settings of the ears, section `[asr]`."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, field_validator

from common.paths import data_dir
from common.settings import Section
from voice_gateway.asr.graph.numbers import check_format

EngineName = Literal["bundled", "vosk", "sherpa"]


class AsrSettings(Section):
    """Which recogniser listens, and how."""

    engine: EngineName = "bundled"
    model: Path | None = Field(
        default=None, description="model folder (vosk, sherpa) or file (bundled); bundled: what ships"
    )
    language: str = Field(default="zh", description="what callers speak; a model for another language is refused")
    fallback: EngineName | None = Field(
        default=None, description="engine that takes over when the first fails or is full"
    )
    fallback_model: Path | None = None
    graphs: Path = Field(default_factory=lambda: data_dir() / "asr" / "graphs", description="decoding graphs")
    texts: tuple[Path, ...] = Field(default=(), description="tenant texts for the first graph, when there is none yet")
    hotwords: tuple[str, ...] = Field(default=(), description="names that must be heard: products, places")
    number_formats: tuple[str, ...] = Field(
        default=(), description="the company's own numbers, d for any digit: an order number may be 2026dddddddd"
    )
    threads: int = Field(default=2, ge=1, le=64, description="threads that decode, shared by all calls")
    max_streams: int = Field(default=32, ge=1, le=1000, description="utterances at once")
    beam: float = Field(default=14.0, gt=0)
    max_active: int = Field(default=2000, ge=100)
    acoustic_scale: float = Field(default=1.5, gt=0, description="weight of the sound against the words")
    blank_penalty: float = 1.2

    @field_validator("number_formats")
    @classmethod
    def _formats(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for pattern in value:
            check_format(pattern)
        return value
