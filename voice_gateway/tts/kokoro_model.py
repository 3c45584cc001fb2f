"""Kokoro's two halves in onnxruntime: tokens to frames, ranges of frames to audio. Blocking; no text, no asyncio.

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
from voice_gateway.tts.split import BETWEEN

Floats = npt.NDArray[np.float32]

SAMPLE_RATE = 24_000
FRAME = 600  # samples
MAX_TOKENS = 500
SILENT_ENERGY = -8.0
_MARGIN_BEFORE, _MARGIN_AFTER = 4, 6  # frames of silence that the vocoder gets around speech
CONTEXT = 6  # frames on either side of a window that are computed and thrown away


@dataclass(frozen=True, slots=True)
class Frames:
    """One unit, ready for the vocoder: features [1, 512, T], pitch and energy [1, 2T], style [1, 256].

    ends: for each token the frame where it ends. first, last: the range with speech in it, margins included.
    """

    features: Floats
    pitch: Floats
    energy: Floats
    style: Floats
    ends: npt.NDArray[np.int64]
    first: int
    last: int

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
        self._text = self._session(str(files.text), threads)
        self._vocoder = self._session(str(files.vocoder), threads)
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
        """The first half. `ids` without padding, 1 … MAX_TOKENS of them."""
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
        return Frames(
            features,
            pitch,
            energy,
            style,
            np.cumsum(counts.reshape(-1)[1:-1].astype(np.int64)) + int(counts.reshape(-1)[0]),
            max(0, first - _MARGIN_BEFORE),
            min(total, last + _MARGIN_AFTER),
        )

    def audio(self, frames: Frames, start: int, end: int, tail: int = 0, run: Any = None) -> Floats:
        """The second half: float32 audio of frames [start, end), and `tail` samples of what follows, if anything does.

        Computes CONTEXT frames more on either side, so that windows fit together.
        """
        low, high = max(frames.first, start - CONTEXT), min(frames.last, end + CONTEXT)
        feed = dict(
            zip(
                BETWEEN,
                (
                    frames.features[:, :, low:high],
                    frames.pitch[:, 2 * low : 2 * high],
                    frames.energy[:, 2 * low : 2 * high],
                ),
                strict=True,
            )
        )
        audio = self._vocoder.run(None, {**feed, "style": frames.style}, run)[0].reshape(-1)
        return np.asarray(audio[(start - low) * FRAME : (end - low) * FRAME + tail], np.float32)
