"""Builds the knowledge base from settings."""

from __future__ import annotations

from dataclasses import replace

from common.embedding import sentence_encoder
from kb.ranking import calibration
from kb.service import HybridKb
from kb.settings import KbSettings


def build(settings: KbSettings) -> HybridKb:
    """The embedded knowledge base. Blocks while it reads the index; Misconfigured when it cannot."""
    from kb.stores.embedded import EmbeddedStore

    encoder = sentence_encoder(settings.encoder)
    fit = calibration()
    if settings.threshold is not None:
        fit = replace(fit, threshold=settings.threshold)
    return HybridKb(
        EmbeddedStore(settings.index_file(), encoder.dim, threads=settings.threads),
        encoder,
        fit,
        threads=settings.threads,
        spoken_characters=settings.spoken_characters,
        cached_answers=settings.cached_answers,
    )
