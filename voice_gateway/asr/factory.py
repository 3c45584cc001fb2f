"""Build the ears from settings. Blocking (a second or two; some seconds more when the first graph must be made)."""

from __future__ import annotations

from pathlib import Path

from common.aio import InferencePool
from common.telemetry import get_logger
from voice_gateway.asr.api import FREE, AsrEngine, AsrModelError, AsrStream, Capabilities, DecodingHint
from voice_gateway.asr.settings import AsrSettings, EngineName

log = get_logger(__name__)


class OwningEngine:
    """An engine that closes the pool of threads with itself."""

    def __init__(self, inner: AsrEngine, pool: InferencePool) -> None:
        self._inner, self._pool = inner, pool

    @property
    def capabilities(self) -> Capabilities:
        """The inner engine's."""
        return self._inner.capabilities

    async def stream(self, hint: DecodingHint = FREE, *, sample_rate: int = 8000) -> AsrStream:
        """See `AsrEngine.stream`."""
        return await self._inner.stream(hint, sample_rate=sample_rate)

    async def aclose(self) -> None:
        """Streams, engine, then threads."""
        await self._inner.aclose()
        await self._pool.aclose()


def build(settings: AsrSettings) -> AsrEngine:
    """The engine (with its fallback) that `settings` ask for. Raises AsrModelError."""
    pool = InferencePool(settings.threads, waiting=2 * settings.max_streams, name="asr")
    engine = _engine(settings.engine, settings.model, settings, pool)
    if settings.fallback is not None:
        from voice_gateway.asr.engines.fallback import FallbackEngine

        engine = FallbackEngine(engine, _engine(settings.fallback, settings.fallback_model, settings, pool))
    return OwningEngine(engine, pool)


def ensure_graph(settings: AsrSettings) -> None:
    """Make the first graph from `settings.texts` when there is none (or one for other units)."""
    from voice_gateway.asr.graph.build import read_texts, rebuild
    from voice_gateway.asr.graph.store import GraphStore
    from voice_gateway.asr.units import units_sha

    if not GraphStore(settings.graphs).usable(units_sha()):
        log.info("asr_graph_first_build")
        rebuild(
            read_texts(settings.texts),
            folder=settings.graphs,
            hotwords=settings.hotwords,
            formats=settings.number_formats,
        )


def _engine(name: EngineName, model: Path | None, settings: AsrSettings, pool: InferencePool) -> AsrEngine:
    if name == "bundled":
        if settings.language != "zh":
            raise AsrModelError(
                f"the bundled recogniser speaks zh, not {settings.language}: set engine to vosk or sherpa "
                "and give a model"
            )
        from voice_gateway.asr.engines.acoustic import AcousticModel
        from voice_gateway.asr.engines.bundled import BundledEngine, bundled_model
        from voice_gateway.asr.engines.search import SearchOptions
        from voice_gateway.asr.graph.store import GraphStore

        acoustic = AcousticModel(model or bundled_model())
        ensure_graph(settings)
        options = SearchOptions(
            beam=settings.beam,
            max_active=settings.max_active,
            acoustic_scale=settings.acoustic_scale,
            blank_penalty=settings.blank_penalty,
        )
        return BundledEngine(
            acoustic, GraphStore(settings.graphs), pool, options=options, max_streams=settings.max_streams
        )
    if model is None:
        raise AsrModelError(f"the {name} engine needs a model: set asr.model to its folder, or see `hotline models`")
    if name == "vosk":
        from voice_gateway.asr.engines.vosk import VoskEngine

        return VoskEngine(model, pool, language=settings.language, max_streams=settings.max_streams)
    from voice_gateway.asr.engines.sherpa import SherpaEngine

    return SherpaEngine(model, pool, language=settings.language, max_streams=settings.max_streams)
