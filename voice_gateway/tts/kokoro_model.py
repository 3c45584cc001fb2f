"""Kokoro's parts in onnxruntime: tokens to frames, ranges of frames to audio. Blocking; no text, no asyncio.

Kokoro-82M (StyleTTS 2 with an iSTFTNet vocoder, https://arxiv.org/abs/2306.07691), int8, Apache-2.0. A frame is 25 ms.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from common.errors import BadInput, Misconfigured
from voice_gateway.tts.models import KokoroFiles
from voice_gateway.tts.split import BETWEEN, GIVEN, HIDDEN, HIDDEN_A_FRAME, OWN, SOURCE, SOURCE_A_FRAME
from voice_gateway.tts.statistics import Statistics

Floats = npt.NDArray[np.float32]

SAMPLE_RATE = 24_000
FRAME = 600  # samples
MAX_TOKENS = 500
SILENT_ENERGY = -8.0
_MARGIN_BEFORE, _MARGIN_AFTER = 4, 6  # frames of silence that the vocoder gets around speech
CONTEXT = 6  # frames on either side of a window that are computed and thrown away


TRUST = 0.75
"""How far a window is normalised by the statistics of its voice, not its own: wholly so, short clauses are whispers."""


@dataclass(frozen=True, slots=True)
class Frames:
    """One unit, ready for the generator: hidden and source of the frames first to last, energy [1, 2T], style [1, 256].

    ends: for each token the frame where it ends. first, last: the range with speech in it, margins included.
    statistics: what the generator's channels usually are in this voice, one [1, channels, 1] for each of its inputs of
    that kind; none for a voice that was not measured.
    """

    hidden: Floats
    source: Floats
    energy: Floats
    style: Floats
    ends: npt.NDArray[np.int64]
    first: int
    last: int
    statistics: tuple[Floats, ...] = ()

    def loudness(self, frame: int) -> float:
        """Predicted energy of a frame: below SILENT_ENERGY nothing is heard."""
        return float(self.energy[0, 2 * frame : 2 * frame + 2].max())


def parse_blend(voice: str) -> tuple[tuple[str, float], ...]:
    """A voice or blend (zf_xiaoni:0.7+zm_yunxi:0.3) as (name, weight), the weights summing to one. Raises BadInput."""
    parts = []
    for part in voice.split("+"):
        name, _, weight = part.strip().partition(":")
        try:
            parts.append((name.strip(), float(weight) if weight else 1.0))
        except ValueError:
            raise BadInput(f"voice {voice!r}: {weight!r} is no weight; write NAME:0.6+NAME:0.4") from None
    total = sum(weight for _, weight in parts)
    if total <= 0 or any(weight < 0 for _, weight in parts):
        raise BadInput(f"voice {voice!r}: weights must be positive")
    return tuple((name, weight / total) for name, weight in parts)


class KokoroModel:
    """The loaded model. Thread-safe: sessions of onnxruntime may run concurrently."""

    def __init__(self, files: KokoroFiles, *, threads: int = 1) -> None:
        try:
            import onnxruntime
        except ImportError:
            raise Misconfigured(
                "the Kokoro voice needs the package onnxruntime; run: pip install onnxruntime"
            ) from None

        self._runtime: Any = onnxruntime
        self._files = files
        self._text, self._decoder, self._generator = (self._session(str(path), threads) for path in files.graphs)
        self._inputs = [i.name for i in self._generator.get_inputs() if i.name not in (HIDDEN, SOURCE, "style", GIVEN)]
        self._statistics = Statistics.load()
        self._styles: dict[str, Floats] = {}
        self._lock = threading.Lock()
        self.voices = files.voices

    def _session(self, path: str, threads: int) -> Any:
        options = self._runtime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        # spinning helper threads would take the cores from the other calls
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        try:
            return self._runtime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        except Exception as error:
            raise Misconfigured(
                f"{path} is no usable model ({error}); delete its folder and run: "
                "python -m voice_gateway.tts.models install"
            ) from None

    def new_run(self) -> Any:
        """Options of one run; setting `terminate` ends it early."""
        return self._runtime.RunOptions()

    def styles(self, voice: str) -> Floats:
        """Style vectors [510, 256] of a voice or blend. BadInput for an unknown one."""
        with self._lock:
            if voice not in self._styles:
                self._styles[voice] = sum(
                    (self._load(name) * np.float32(weight) for name, weight in parse_blend(voice)),
                    start=np.zeros((510, 256), np.float32),
                )
                if len(self._styles) > 64:
                    self._styles.pop(next(iter(self._styles)))
            return self._styles[voice]

    def _load(self, name: str) -> Floats:
        if name not in self.voices:
            raise BadInput(f"there is no voice {name!r}; voices: {', '.join(self.voices)}")
        return np.fromfile(self._files.voice(name), np.float32).reshape(-1, 256)

    def frames(self, ids: tuple[int, ...], voice: str, speed: float, run: Any = None) -> Frames:
        """All but the generator. `ids` without padding, 1 … MAX_TOKENS of them."""
        styles = self.styles(voice)
        style = styles[min(len(ids), len(styles) - 1)][None]
        feed = {
            "tokens": np.array([[0, *ids, 0]], np.int64),
            "style": style,
            "speed": np.array([speed], np.float32),
        }
        features, pitch, energy, counts = self._text.run(None, feed, run)
        loud = np.flatnonzero(energy.reshape(-1, 2).max(axis=1) > SILENT_ENERGY)
        total = features.shape[2]
        first, last = (int(loud[0]), int(loud[-1]) + 1) if len(loud) else (0, 0)
        first, last = max(0, first - _MARGIN_BEFORE), min(total, last + _MARGIN_AFTER)
        spoken = (
            features[:, :, first:last],
            pitch[:, 2 * first : 2 * last],
            energy[:, 2 * first : 2 * last],
        )
        run = run or self.new_run()
        run.add_run_config_entry("memory.enable_memory_arena_shrinkage", "cpu:0")  # a whole clause at 24 kHz is large
        hidden, source = self._decoder.run(
            [HIDDEN, SOURCE], {**dict(zip(BETWEEN, spoken, strict=True)), "style": style}, run
        )
        ends = np.cumsum(counts.reshape(-1)[1:-1].astype(np.int64)) + int(counts.reshape(-1)[0])
        statistics = self._statistics.of(parse_blend(voice))
        return Frames(hidden, source, energy, style, ends, first, last, statistics)

    def audio(self, frames: Frames, start: int, end: int, tail: int = 0, run: Any = None) -> Floats:
        """The generator: float32 audio of frames [start, end), and `tail` samples of what follows, if anything does.

        Computes CONTEXT frames more on either side, so that windows fit together. The whole is normalised by itself, a
        part mostly by the voice's statistics, where they are known.
        """
        low, high = max(frames.first, start - CONTEXT), min(frames.last, end + CONTEXT)
        outside = bool(frames.statistics) and (low, high) != (frames.first, frames.last)
        feed = self._feed(frames, low, high, frames.statistics if outside else ())
        audio = self._generator.run(["audio"], feed, run)[0].reshape(-1)
        return np.asarray(audio[(start - low) * FRAME : (end - low) * FRAME + tail], np.float32)

    def measure(self, frames: Frames) -> tuple[Floats, ...]:
        """The statistics of the whole unit, in the order of `Frames.statistics`."""
        names = [name + OWN for name in self._inputs]
        return tuple(self._generator.run(names, self._feed(frames, frames.first, frames.last, ())))

    def _feed(self, frames: Frames, low: int, high: int, statistics: tuple[Floats, ...]) -> dict[str, Floats]:
        low, high = low - frames.first, high - frames.first
        given = statistics or (np.zeros((1, 1, 1), np.float32),) * len(self._inputs)
        return {
            HIDDEN: frames.hidden[:, :, HIDDEN_A_FRAME * low : HIDDEN_A_FRAME * high],
            SOURCE: frames.source[:, :, SOURCE_A_FRAME * low : SOURCE_A_FRAME * high + 1],
            "style": frames.style,
            GIVEN: np.array([TRUST if statistics else 0.0], np.float32),
            **dict(zip(self._inputs, given, strict=True)),
        }
