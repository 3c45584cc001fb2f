"""Settings of understanding: section [nlu]."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from common.embedding import DEFAULT_MODEL
from common.settings import Section


class NluSettings(Section):
    """What understanding is built from.

    threshold: confidence below which a text is out of scope. examples, phrases: YAML files of the tenant (None = those
    that ship). words: words that segmentation must keep whole. products: names to find as `product` entities.
    """

    threshold: float = Field(default=0.3, ge=0.0, le=1.0)
    encoder: str = DEFAULT_MODEL
    examples: Path | None = None
    phrases: Path | None = None
    words: tuple[str, ...] = ()
    products: tuple[str, ...] = ()
    threads: int = Field(default=2, ge=1, le=64)
    waiting: int = Field(default=64, ge=0, le=10_000)
