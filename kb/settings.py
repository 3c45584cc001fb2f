"""Settings of the knowledge base."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from common.embedding import DEFAULT_MODEL
from common.paths import data_dir
from common.settings import Section


class KbSettings(Section):
    """The embedded index and how sure an answer must be."""

    index: Path | None = Field(default=None, description="the index file; default: kb.sqlite in the data folder")
    encoder: str = Field(
        default=DEFAULT_MODEL, description="sentence encoder; another one makes the index anew at start"
    )
    threads: int = Field(default=2, ge=1, le=64, description="searches at once")
    threshold: float | None = Field(
        default=None, ge=0, le=1, description="score from which an answer is given; default: the calibrated one"
    )
    spoken_characters: int = Field(default=90, ge=20, le=500, description="length that an answer should not pass")
    cached_answers: int = Field(default=4096, ge=0, description="answers kept for questions that come again; 0 = none")

    def index_file(self) -> Path:
        """Where the index is."""
        return self.index or data_dir() / "kb.sqlite"
