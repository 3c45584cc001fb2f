"""Any sherpa-onnx streaming model folder as an engine; what kind of model it is shows in its files.

    encoder, decoder, joiner    transducer (Zipformer, LSTM, Conformer)
    encoder, decoder            paraformer
    one model                   CTC: Zipformer2, NeMo, T-one or WeNet, told apart by the model's metadata

sherpa-onnx ends the process on a bad file, so every file is opened with onnxruntime first.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from common.aio import InferencePool
from voice_gateway.asr.api import (
    FREE,
    AsrModelError,
    AsrStream,
    Capabilities,
    DecodingHint,
    Expect,
    Samples,
    Timed,
    Transcript,
)
from voice_gateway.asr.engines.languages import language_of
from voice_gateway.asr.engines.threaded import StreamSet, ThreadedStream

NAME = "sherpa"
RATES = (8000, 16000)
TAIL_S = 0.6
KINDS = ("transducer", "paraformer", "zipformer2_ctc", "nemo_ctc", "t_one_ctc", "wenet_ctc")


@dataclass(frozen=True, slots=True)
class ModelFolder:
    """A recognised folder. `files` are the arguments of sherpa-onnx's constructor for this kind."""

    folder: Path
    kind: str
    files: dict[str, str]
    sample_rate: int


def detect(folder: Path) -> ModelFolder:
    """Recognise a model by its files. Raises AsrModelError."""
    if not folder.is_dir():
        raise AsrModelError(
            f"{folder} does not exist: give the folder of a sherpa-onnx model, or `hotline models pull NAME`"
        )
    inner = [path for path in sorted(folder.iterdir()) if path.is_dir() and (path / "tokens.txt").exists()]
    if not (folder / "tokens.txt").exists() and inner:
        folder = inner[0]
    tokens = folder / "tokens.txt"
    if not tokens.exists():
        raise AsrModelError(f"{folder} is no sherpa-onnx model (no tokens.txt in it): give the unpacked folder")
    encoder, decoder, joiner = (_pick(folder, part) for part in ("encoder", "decoder", "joiner"))
    if encoder and decoder and joiner:
        paths = {"encoder": encoder, "decoder": decoder, "joiner": joiner}
        kind = "transducer"
    elif encoder and decoder:
        paths, kind = {"encoder": encoder, "decoder": decoder}, "paraformer"
    else:
        single = _pick(folder, "model") or _pick(folder, "")
        if encoder or decoder or joiner or single is None:
            have = ", ".join(path.name for path in (encoder, decoder, joiner) if path) or "no .onnx file"
            raise AsrModelError(f"{folder}: the model is incomplete ({have}): fetch it again")
        paths, kind = {"model": single}, ""
    metadata: dict[str, str] = {}
    for path in paths.values():
        metadata |= _metadata(path)
    kind = kind or _ctc_kind(paths["model"], metadata)
    rate = int(metadata.get("sample_rate", 8000 if kind == "t_one_ctc" else 16000))
    return ModelFolder(folder, kind, {**{name: str(path) for name, path in paths.items()}, "tokens": str(tokens)}, rate)


def _pick(folder: Path, part: str) -> Path | None:
    """The int8 file of a part if there is one, else the first."""
    found = sorted(path for path in folder.glob("*.onnx") if part in path.name)
    return next((path for path in found if "int8" in path.name), found[0] if found else None)


def _metadata(path: Path) -> dict[str, str]:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 4
    try:
        session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception:  # onnxruntime raises many kinds, all of them mean a bad file
        raise AsrModelError(f"{path} is no ONNX model or is truncated: fetch the model again") from None
    return dict(session.get_modelmeta().custom_metadata_map)


def _ctc_kind(path: Path, metadata: dict[str, str]) -> str:
    named = metadata.get("model_type", "").lower()
    if "frame_length_ms" in metadata and "state_dim" in metadata:
        return "t_one_ctc"
    if "zipformer2" in named:
        return "zipformer2_ctc"
    if "encdec" in named or "nemo" in named or "window_size" in metadata:
        return "nemo_ctc"
    if "wenet" in named or "num_blocks" in metadata:
        return "wenet_ctc"
    raise AsrModelError(
        f"{path}: not a streaming model that sherpa-onnx knows (its metadata names no kind): "
        f"choose one of {', '.join(KINDS)}"
    )


class SherpaEngine:
    """`AsrEngine` over sherpa_onnx.OnlineRecognizer. Raises AsrModelError when the folder is no usable model."""

    def __init__(self, folder: Path, pool: InferencePool, *, language: str = "zh", max_streams: int = 32) -> None:
        try:
            import sherpa_onnx
        except ImportError:
            raise AsrModelError("the sherpa engine needs the sherpa-onnx package: pip install sherpa-onnx") from None
        found = detect(folder)
        spoken = language_of(Path(found.files["tokens"]))
        if spoken is not None and spoken != language:
            raise AsrModelError(
                f"{found.folder} is a model for {spoken}, but {language} is wanted: choose another model, "
                f"or set the language of the recogniser to {spoken}"
            )
        make = getattr(sherpa_onnx.OnlineRecognizer, f"from_{found.kind}")
        try:
            self._recogniser: Any = make(**found.files, num_threads=1, sample_rate=found.sample_rate)
        except (RuntimeError, ValueError, AssertionError) as error:
            raise AsrModelError(
                f"{found.folder}: sherpa-onnx cannot load this {found.kind} model ({error}): fetch it again"
            ) from None
        self.name = f"{NAME}:{found.folder.name}"
        self.kind = found.kind
        self._rate, self._language = found.sample_rate, language
        self._pool, self._streams = pool, StreamSet(max_streams)

    @property
    def capabilities(self) -> Capabilities:
        """What it can do."""
        return Capabilities(
            name=self.name,
            languages=(self._language,),
            sample_rates=RATES,
            native_rate=self._rate,
            partials=True,
            word_times=True,
            char_times=True,
            confidence=False,
            hints=frozenset({Expect.FREE}),
            hotwords=False,
            max_streams=self._streams.limit,
        )

    async def stream(self, hint: DecodingHint = FREE, *, sample_rate: int = 8000) -> AsrStream:
        """See `AsrEngine.stream`; hints have no effect."""
        self._streams.check(self.name)
        if sample_rate not in RATES:
            raise AsrModelError(f"{self.name}: {sample_rate} Hz is not supported; give 8000 or 16000 Hz")
        return self._streams.add(
            ThreadedStream(
                lambda: SherpaRecogniser(self._recogniser, self._rate),
                self._pool,
                engine=self.name,
                rate=sample_rate,
                native_rate=self._rate,
                owner=self._streams,
            )
        )

    async def aclose(self) -> None:
        """See `AsrEngine.aclose`."""
        await self._streams.aclose()


class SherpaRecogniser:
    """One utterance, blocking."""

    def __init__(self, recogniser: Any, rate: int) -> None:
        self._recogniser, self._rate = recogniser, rate
        self._stream: Any = recogniser.create_stream()
        self._text = ""

    def accept(self, audio: Samples) -> str | None:
        """See `Recogniser.accept`."""
        self._feed(audio)
        text = self._tidy(self._recogniser.get_result(self._stream))
        changed, self._text = text != self._text, text
        return text if changed else None

    def finish(self) -> Transcript:
        """See `Recogniser.finish`."""
        self._feed(np.zeros(int(TAIL_S * self._rate), dtype=np.int16))
        self._stream.input_finished()
        self._decode()
        result = self._recogniser.get_result_all(self._stream)
        times = list(result.timestamps)
        probabilities = list(getattr(result, "ys_probs", ()))
        sure = [float(np.exp(min(0.0, p))) for p in probabilities]
        if len(sure) != len(times):
            sure = [1.0] * len(times)
        ends = [*times[1:], times[-1] + 0.2] if times else []
        chars = tuple(
            Timed(token, start, end, confidence)
            for token, start, end, confidence in zip(result.tokens, times, ends, sure, strict=False)
        )
        text = self._tidy(result.text)
        return Transcript(text, final=True, confidence=sum(sure) / len(sure) if sure and text else 0.0, chars=chars)

    def close(self) -> None:
        """See `Recogniser.close`."""
        self._stream = None

    def _feed(self, audio: Samples) -> None:
        self._stream.accept_waveform(self._rate, audio.astype(np.float32) / 32768.0)
        self._decode()

    def _decode(self) -> None:
        while self._recogniser.is_ready(self._stream):
            self._recogniser.decode_stream(self._stream)

    @staticmethod
    def _tidy(text: str) -> str:
        return text.strip().upper()
