"""Builds the mouth from its settings.

Fallback ── Cached ── Resampled ── Kokoro
    └───────────────── Resampled ── espeak-ng by pyttsx3
"""

from __future__ import annotations

from common.errors import Misconfigured
from common.paths import cache_dir
from common.telemetry import get_logger
from voice_gateway.tts.api import TtsEngine
from voice_gateway.tts.cache import CachedTts, PromptStore
from voice_gateway.tts.fallback import FallbackTts
from voice_gateway.tts.resample import ResampledTts
from voice_gateway.tts.settings import EngineChoice, TtsSettings

log = get_logger(__name__)


def build(settings: TtsSettings) -> TtsEngine:
    """A loaded engine. Blocks for some seconds (models, dictionaries): call it on a thread.

    Misconfigured when the chosen engine cannot be used; `auto` without Kokoro's model speaks with espeak-ng.
    """
    espeak = ResampledTts(build_espeak(settings), settings.sample_rate)
    if settings.engine is EngineChoice.ESPEAK:
        return _cached(settings, espeak, settings.espeak_voice)
    try:
        kokoro = build_kokoro(settings)
    except Misconfigured as error:
        if settings.engine is EngineChoice.KOKORO:
            raise
        log.warning("kokoro_absent", reason=error.message)
        return _cached(settings, espeak, settings.espeak_voice)
    first = _cached(settings, ResampledTts(kokoro, settings.sample_rate), settings.voice)
    return FallbackTts(first, espeak, patience_s=settings.patience_s)


def build_kokoro(settings: TtsSettings) -> TtsEngine:
    """Kokoro alone, at its own rate, warmed up."""
    from voice_gateway.tts.engines.kokoro import KokoroEngine
    from voice_gateway.tts.kokoro_model import KokoroModel
    from voice_gateway.tts.models import locate

    engine = KokoroEngine(
        KokoroModel(locate(settings.model_dir), threads=settings.threads),
        voice=settings.voice,
        level_dbfs=settings.level_dbfs,
        workers=settings.workers,
        max_streams=settings.max_streams,
        max_waiting=settings.max_waiting,
    )
    engine.warm_up()
    return engine


def build_espeak(settings: TtsSettings) -> TtsEngine:
    """espeak-ng alone, at its own rate; its process starts with the first text."""
    from voice_gateway.tts.engines.espeak import EspeakEngine

    return EspeakEngine(voice=settings.espeak_voice, level_dbfs=settings.level_dbfs)


def _cached(settings: TtsSettings, engine: TtsEngine, voice: str) -> TtsEngine:
    store = None
    if settings.cache_mb:
        store = PromptStore(settings.cache_dir or cache_dir() / "prompts", settings.cache_mb << 20)
    return CachedTts(engine, store, voice=voice, memory_bytes=settings.memory_mb << 20)
