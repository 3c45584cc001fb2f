"""Synthetic callers: the sentences of :mod:`callers` spoken by Kokoro-82M with blended voices.

Kokoro (Apache-2.0) is the one that the mouth uses (:mod:`voice_gateway.tts.models`); misaki writes its phonemes. A
blend mixes the style vectors of a Mandarin voice and one other voice; more voices in the model's folder (npm kokoro-js
has 54) make more callers. Held-out voices never enter a blend. Output: 16-bit mono WAV at 8 kHz and a tab-separated
list with the columns path, voices, speed, text, seconds. A second run goes on where the first stopped.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from voice_gateway.asr.training.callers import Sentence
from voice_gateway.tts.kokoro_model import MAX_TOKENS, SAMPLE_RATE, KokoroModel

HELD_OUT_VOICES = ("zf_xiaoni", "zm_yunxia")
MANDARIN_VOICES = ("zf_xiaobei", "zf_xiaoxiao", "zf_xiaoyi", "zm_yunjian", "zm_yunxi", "zm_yunyang")
LIST_HEADER = "path\tvoices\tspeed\ttext\tseconds\n"
_OUT_RATE = 8_000


@dataclass(frozen=True, slots=True)
class Voice:
    """A blend: ``parts`` are (voice name, weight), the weights sum to one; ``speed`` 1.0 is the normal pace."""

    parts: tuple[tuple[str, float], ...]
    speed: float

    @property
    def label(self) -> str:
        """The blend as the speech lists write it."""
        return "+".join(f"{name}*{weight:g}" for name, weight in self.parts)

    @property
    def blend(self) -> str:
        """The blend as the synthesiser reads it."""
        return "+".join(f"{name}:{weight:g}" for name, weight in self.parts)


def draw_voice(rng: random.Random, foreign: Sequence[str]) -> Voice:
    """Draw a training voice: a Mandarin one alone (40 %), two Mandarin ones, or one with a dash of a foreign voice."""
    speed = round(rng.uniform(0.8, 1.3), 2)
    first = rng.choice(MANDARIN_VOICES)
    how = rng.random()
    if how < 0.4:
        return Voice(((first, 1.0),), speed)
    if how < 0.65 or not foreign:
        second, weight = rng.choice([v for v in MANDARIN_VOICES if v != first]), round(rng.uniform(0.3, 0.7), 2)
    else:
        second, weight = rng.choice(list(foreign)), round(rng.uniform(0.5, 0.85), 2)
    return Voice(((first, weight), (second, round(1 - weight, 2))), speed)


class Kokoro:
    """The synthesiser, decoding whole sentences."""

    def __init__(self, model: KokoroModel) -> None:
        from kokoro_onnx.config import DEFAULT_VOCAB
        from misaki import zh

        self._model = model
        self._vocabulary: dict[str, int] = dict(DEFAULT_VOCAB)
        self._phonemes: Any = zh.ZHG2P()

    @property
    def foreign_voices(self) -> list[str]:
        return [name for name in self._model.voices if not name.startswith(("zf_", "zm_"))]

    def speak(self, text: str, voice: Voice) -> npt.NDArray[np.int16]:
        """Return 8 kHz int16 samples of ``text``; raises ValueError when nothing of it can be spoken."""
        from scipy.signal import resample_poly

        phonemes, _ = self._phonemes(text)
        tokens = tuple(self._vocabulary[p] for p in phonemes if p in self._vocabulary)[:MAX_TOKENS]
        if not tokens:
            raise ValueError(f"nothing to speak in {text!r}")
        frames = self._model.frames(tokens, voice.blend, voice.speed)
        low = resample_poly(self._model.audio(frames, frames.first, frames.last), _OUT_RATE, SAMPLE_RATE)
        samples: npt.NDArray[np.int16] = np.clip(low * 32767.0, -32768, 32767).astype(np.int16)
        return samples


def synthesize(engine: Kokoro, plan: Iterator[tuple[Sentence, Voice]], out: Path, prefix: str = "") -> float:
    """Speak every planned sentence into ``out``/LIST.tsv; return the seconds written. Existing lines are kept."""
    import soundfile

    out.mkdir(parents=True, exist_ok=True)
    listing = out / "LIST.tsv"
    done = set()
    if listing.exists():
        done = {line.split("\t")[0] for line in listing.read_text(encoding="utf-8").splitlines()[1:]}
    else:
        listing.write_text(LIST_HEADER, encoding="utf-8")
    total = 0.0
    with listing.open("a", encoding="utf-8") as lines:
        for index, (sentence, voice) in enumerate(plan):
            name = f"{prefix}{sentence.kind}_{index:05d}.wav"
            if name in done:
                continue
            audio = engine.speak(sentence.text, voice)
            soundfile.write(str(out / name), audio, _OUT_RATE, subtype="PCM_16")
            seconds = len(audio) / _OUT_RATE
            lines.write(f"{name}\t{voice.label}\t{voice.speed}\t{sentence.text}\t{seconds:.2f}\n")
            lines.flush()
            total += seconds
    return total


def training_plan(count: int, seed: int, foreign: Sequence[str]) -> Iterator[tuple[Sentence, Voice]]:
    """Sentences for training with drawn voices, none of them held out."""
    from voice_gateway.asr.training.callers import sentences

    rng = random.Random(seed + 1)
    for sentence in sentences(count, seed):
        yield sentence, draw_voice(rng, foreign)


def heldout_plan(seed: int) -> Iterator[tuple[Sentence, Voice]]:
    """The in-domain test: 70 phone numbers and 90 other sentences by the two held-out voices, speeds 0.9 to 1.15."""
    from voice_gateway.asr.training.callers import sentences

    rng = random.Random(seed + 1)
    mix = {"order": 0.2, "code": 0.1, "amount": 0.15, "date": 0.15, "address": 0.1, "talk": 0.2, "short": 0.1}
    for index, sentence in enumerate([*sentences(70, seed, {"phone": 1.0}), *sentences(90, seed, mix)]):
        yield sentence, Voice(((HELD_OUT_VOICES[index % 2], 1.0),), round(rng.uniform(0.9, 1.15), 2))
