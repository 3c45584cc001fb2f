"""The engine that ships with Hotline: our own network, searched through graphs made of the tenant's words.

One network and the current graphs are shared by all utterances; each utterance has its features, and states and a
search for its partial results and for its final one. A graph published while the engine runs is used by the next
utterance.
"""

from __future__ import annotations

from importlib import resources
from pathlib import Path

from common.aio import InferencePool
from voice_gateway.asr.api import (
    FREE,
    AsrModelError,
    AsrStream,
    Capabilities,
    DecodingHint,
    Expect,
    Samples,
    Transcript,
)
from voice_gateway.asr.engines.acoustic import AcousticModel, AcousticStream
from voice_gateway.asr.engines.search import Search, SearchOptions
from voice_gateway.asr.engines.threaded import StreamSet, ThreadedStream
from voice_gateway.asr.graph.store import Graph, GraphStore

NAME = "bundled"
RATES = (8000, 16000)


def bundled_model() -> Path:
    """Where the weights that ship with Hotline are."""
    return Path(str(resources.files("voice_gateway.asr"))) / "bundled" / "model.int8.onnx"


class BundledRecogniser:
    """One utterance, blocking."""

    def __init__(self, model: AcousticModel, graph: Graph, options: SearchOptions) -> None:
        info = model.info
        self._acoustic = AcousticStream(model)
        self._early, self._late = (
            Search(graph, options, frame_s=info.frame_s, delay_s=info.delay_ms / 1000.0) for _ in range(2)
        )
        self._text = ""

    def accept(self, audio: Samples) -> str | None:
        """See `Recogniser.accept`."""
        early, late = self._acoustic.push(audio)
        for chunk in late:
            self._late.advance(chunk)
        for chunk in early:
            self._early.advance(chunk)
        if not early:
            return None
        text = self._early.text()
        changed, self._text = text != self._text, text
        return text if changed else None

    def finish(self) -> Transcript:
        """See `Recogniser.finish`."""
        for chunk in self._acoustic.finish():
            self._late.advance(chunk)
        return self._late.result()

    def close(self) -> None:
        """Everything is freed with the object."""


class BundledEngine:
    """`AsrEngine` of the bundled model."""

    def __init__(
        self,
        model: AcousticModel,
        graphs: GraphStore,
        pool: InferencePool,
        *,
        options: SearchOptions | None = None,
        max_streams: int = 32,
    ) -> None:
        self._model, self._graphs, self._pool = model, graphs, pool
        self._options = options or SearchOptions()
        self._streams = StreamSet(max_streams)
        self._current = graphs.loaded(model.info.units_sha)

    @property
    def capabilities(self) -> Capabilities:
        """What it can do."""
        return Capabilities(
            name=NAME,
            languages=("zh",),
            sample_rates=RATES,
            native_rate=self._model.info.sample_rate,
            partials=True,
            word_times=True,
            char_times=True,
            confidence=True,
            hints=frozenset(Expect),
            hotwords=False,
            reloads_graph=True,
            max_streams=self._streams.limit,
            licence="Apache-2.0",
            version=f"{self._model.info.version}+{self._current.info.version}",
        )

    async def stream(self, hint: DecodingHint = FREE, *, sample_rate: int = 8000) -> AsrStream:
        """See `AsrEngine.stream`."""
        self._streams.check(NAME)
        if sample_rate not in RATES:
            raise AsrModelError(f"{NAME}: {sample_rate} Hz is not supported; give 8000 or 16000 Hz")
        if self._graphs.changed():
            self._current = await self._pool.run(self._graphs.loaded, self._model.info.units_sha)
        graph = self._current.choose(hint.expect)
        return self._streams.add(
            ThreadedStream(
                lambda: BundledRecogniser(self._model, graph, self._options),
                self._pool,
                engine=NAME,
                rate=sample_rate,
                native_rate=self._model.info.sample_rate,
                owner=self._streams,
            )
        )

    async def aclose(self) -> None:
        """See `AsrEngine.aclose`."""
        await self._streams.aclose()
