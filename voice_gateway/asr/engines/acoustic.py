"""The acoustic half of the bundled engine: int16 samples to log probabilities of units, chunk by chunk.

Features by kaldi-native-fbank, the network by onnxruntime on one thread. The network runs twice over an utterance: in
short chunks for partial results, and in longer ones, in which each frame sees more of what follows, for the final one;
the second is never more than a chunk behind, so that the final result comes at once. The model file says what it needs
in its metadata (key `hotline`, JSON): features, chunks, states, and the digest of the unit inventory it was trained on.
`AcousticModel` is shared and thread-safe (onnxruntime's run is); `AcousticStream` owns the states of one utterance.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from voice_gateway.asr.api import AsrModelError, Samples

Floats = npt.NDArray[np.float32]
METADATA_KEY = "hotline"


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """What the model's metadata says. Frames are feature frames; an output frame is `subsampling` of them.

    `chunk_frames` make a chunk for partial results, `final_chunk_frames` one for the final result. `flush_ms` is the
    quiet that brings the last unit out, `delay_ms` by how much outputs come after their sound.
    """

    version: str
    sample_rate: int
    features: Mapping[str, Any]
    subsampling: int
    chunk_frames: int
    final_chunk_frames: int
    flush_ms: int
    delay_ms: int
    states: tuple[tuple[str, tuple[int, ...], str], ...]
    units_sha: str

    @property
    def frame_s(self) -> float:
        """Seconds of an output frame."""
        return self.subsampling * float(self.features.get("frame_shift_ms", 10.0)) / 1000.0


class AcousticModel:
    """A loaded model. Raises AsrModelError when the file is no such model."""

    def __init__(self, path: Path) -> None:
        import onnxruntime

        if not path.is_file():
            raise AsrModelError(f"{path} is missing: reinstall Hotline or train a model with `hotline asr train`")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.log_severity_level = 3
        try:
            self._session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        except Exception as error:  # onnxruntime raises many kinds, all of them mean a bad file
            raise AsrModelError(
                f"{path} is no ONNX model or is truncated ({_first_line(error)}): fetch or export it again"
            ) from None
        described = self._session.get_modelmeta().custom_metadata_map.get(METADATA_KEY)
        if described is None:
            raise AsrModelError(
                f"{path} is an ONNX model, but not a Hotline recogniser (no `{METADATA_KEY}` metadata); "
                "for models of other makers set the engine to vosk or sherpa"
            )
        self.info = _parse(path, described)
        ranks = {node.name: len(node.shape) for node in self._session.get_inputs()}
        wanted = {f"state_{name}": len(shape) for name, shape, _ in self.info.states}
        missing = {"feats", *wanted} - set(ranks)
        if missing:
            raise AsrModelError(f"{path}: the model has no input {', '.join(sorted(missing))}: export it again")
        self._batched = {name for name, rank in wanted.items() if ranks[name] == rank}
        self._state_names = [f"state_{name}" for name, _, _ in self.info.states]
        self._outputs = ["log_probs", *(f"next_state_{name}" for name, _, _ in self.info.states)]
        self.units = int(self._session.get_outputs()[0].shape[-1])

    def initial_states(self) -> list[npt.NDArray[Any]]:
        """Zeros, batch of one."""
        return [
            np.zeros(shape if f"state_{name}" in self._batched else (1, *shape), dtype=dtype)
            for name, shape, dtype in self.info.states
        ]

    def step(self, feats: Floats, states: list[npt.NDArray[Any]]) -> tuple[Floats, list[npt.NDArray[Any]]]:
        """Float32 [1, up to a chunk, mels], states -> log probabilities [frames / subsampling, units], next states."""
        feed = {"feats": feats, **dict(zip(self._state_names, states, strict=True))}
        log_probs, *following = self._session.run(self._outputs, feed)
        return log_probs[0], following

    def fbank(self) -> Any:
        """A fresh kaldi_native_fbank.OnlineFbank with the model's options."""
        import kaldi_native_fbank

        wanted = self.info.features
        options = kaldi_native_fbank.FbankOptions()
        frame, mel = options.frame_opts, options.mel_opts
        frame.samp_freq = float(self.info.sample_rate)
        frame.frame_shift_ms = float(wanted.get("frame_shift_ms", 10.0))
        frame.frame_length_ms = float(wanted.get("frame_length_ms", 25.0))
        frame.dither = float(wanted.get("dither", 0.0))
        frame.preemph_coeff = float(wanted.get("preemphasis", 0.97))
        frame.remove_dc_offset = bool(wanted.get("remove_dc", True))
        frame.window_type = str(wanted.get("window", "povey"))
        frame.snip_edges = bool(wanted.get("snip_edges", True))
        frame.round_to_power_of_two = bool(wanted.get("round_to_power_of_two", True))
        mel.is_librosa = mel.use_slaney_mel_scale = wanted.get("mel_scale", "htk") == "slaney"
        mel.num_bins = int(wanted.get("n_mels", wanted.get("num_bins", 40)))
        mel.low_freq = float(wanted.get("low_freq", 20.0))
        mel.high_freq = float(wanted.get("high_freq", 0.0))
        options.energy_floor = float(wanted.get("energy_floor", 0.0))
        return kaldi_native_fbank.OnlineFbank(options)


class Encoder:
    """One run of the network over an utterance, in chunks of one size. Not thread-safe."""

    def __init__(self, model: AcousticModel, chunk: int) -> None:
        self._model, self._chunk = model, chunk
        self._states = model.initial_states()
        self.next = 0

    def run(self, fbank: Any, until: int, *, last: bool = False) -> list[Floats]:
        """Log probabilities [frames, units] of the whole chunks up to frame `until`; when `last`, of the rest too."""
        out: list[Floats] = []
        while (size := min(self._chunk, until - self.next)) == self._chunk or (last and size > 0):
            rows = [fbank.get_frame(i) for i in range(self.next, self.next + size)]
            log_probs, self._states = self._model.step(np.stack(rows)[None].astype(np.float32), self._states)
            out.append(log_probs)
            self.next += size
        return out


class AcousticStream:
    """Features of one utterance and the two runs over them. Not thread-safe."""

    def __init__(self, model: AcousticModel) -> None:
        self._info = info = model.info
        self._fbank = model.fbank()
        self._early, self._late = Encoder(model, info.chunk_frames), Encoder(model, info.final_chunk_frames)
        self._scale = np.float32(1.0 if info.features.get("input_scale", "int16") == "int16" else 1.0 / 32768.0)
        self._popped = 0

    def push(self, audio: Samples) -> tuple[list[Floats], list[Floats]]:
        """Log probabilities [frames, units] of every chunk that became whole: for partial results, for the final."""
        self._accept(audio)
        ready = int(self._fbank.num_frames_ready)
        early, late = self._early.run(self._fbank, ready), self._late.run(self._fbank, ready)
        done = min(self._early.next, self._late.next)
        if done > self._popped:
            self._fbank.pop(done - self._popped)
            self._popped = done
        return early, late

    def finish(self) -> list[Floats]:
        """The rest for the final result, brought out by quiet."""
        info = self._info
        shift_ms = float(info.features.get("frame_shift_ms", 10.0))
        ready = int(self._fbank.num_frames_ready)
        until = -(-(ready + round(info.flush_ms / shift_ms)) // info.subsampling) * info.subsampling
        quiet_ms = (until - ready) * shift_ms + float(info.features.get("frame_length_ms", 25.0))
        self._accept(np.zeros(int(quiet_ms * info.sample_rate / 1000), dtype=np.int16))
        return self._late.run(self._fbank, until, last=True)

    def _accept(self, audio: Samples) -> None:
        if len(audio):
            self._fbank.accept_waveform(self._info.sample_rate, audio * self._scale)


def _parse(path: Path, described: str) -> ModelInfo:
    try:
        raw = json.loads(described)
        states = tuple(
            (s["name"].removeprefix("state_"), tuple(int(n) for n in s["shape"]), str(s["dtype"]))
            for s in raw["states"]
        )
        return ModelInfo(
            str(raw["version"]),
            int(raw["sample_rate"]),
            dict(raw["features"]),
            int(raw["subsampling"]),
            int(raw["chunk_frames"]),
            int(raw["final_chunk_frames"]),
            int(raw["flush_ms"]),
            int(raw["delay_ms"]),
            states,
            str(raw["units_sha"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise AsrModelError(f"{path}: its `{METADATA_KEY}` metadata is wrong ({error!r}): export it again") from None


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0][:120] if str(error).strip() else type(error).__name__
