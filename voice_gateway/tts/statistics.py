"""What the generator's channels usually are in each voice: the means and variances that windows are normalised by.

Measured on whole sentences (`python -m voice_gateway.tts.statistics` writes `statistics.npz` anew; minutes), since a
window of half a second says little about its clause. One float16 vector a voice: all channels of all normalisations.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from voice_gateway.tts.kokoro_model import KokoroModel

Floats = npt.NDArray[np.float32]
FILE = "statistics.npz"
SIZES = "sizes"


@dataclass(frozen=True, slots=True)
class Statistics:
    """`sizes`: channels of each input of the generator. `voices`: float32 [sum of sizes] by name."""

    sizes: tuple[int, ...]
    voices: dict[str, Floats]

    @classmethod
    def load(cls) -> Statistics:
        """What ships; nothing, while it is being measured for the first time."""
        if not resources.files(__package__).joinpath(FILE).is_file():
            return cls((), {})
        with resources.files(__package__).joinpath(FILE).open("rb") as file, np.load(file) as stored:
            voices = {name: stored[name].astype(np.float32) for name in stored.files if name != SIZES}
            return cls(tuple(int(size) for size in stored[SIZES]), voices)

    def of(self, blend: Iterable[tuple[str, float]]) -> tuple[Floats, ...]:
        """Those of a voice or a blend, one [1, channels, 1] for each input; none when a voice was not measured."""
        parts = list(blend)
        if any(name not in self.voices for name, _ in parts):
            return ()
        flat = sum((self.voices[name] * np.float32(weight) for name, weight in parts), np.zeros(sum(self.sizes), "f4"))
        return tuple(part.reshape(1, -1, 1) for part in np.split(flat, np.cumsum(self.sizes)[:-1]))


def measure(model: KokoroModel, voice: str, texts: Sequence[str]) -> tuple[Floats, ...]:
    """The mean of each statistic over the units of `texts`, weighed by their length."""
    from voice_gateway.tts.clauses import units
    from voice_gateway.tts.phonemes import Phonemizer

    phonemizer = Phonemizer()
    total: list[Floats] = []
    weights = 0
    for text in texts:
        for unit in units(text):
            tokens = phonemizer.tokens(unit.pieces)
            if not tokens.ids:
                continue
            frames = model.frames(tokens.ids, voice, 1.0)
            weight = frames.last - frames.first
            found = [part * np.float32(weight) for part in model.measure(frames)]
            total = [a + b for a, b in zip(total, found, strict=True)] if total else found
            weights += weight
    return tuple(part / np.float32(weights) for part in total)


def main() -> None:
    """Measure every Mandarin voice on the sentences of `statistics.txt` and write the file."""
    from voice_gateway.tts.kokoro_model import KokoroModel
    from voice_gateway.tts.models import VOICE_SHA256, locate

    model = KokoroModel(locate())
    here = Path(__file__)
    texts = here.with_suffix(".txt").read_text(encoding="utf-8").split("\n")
    stored: dict[str, npt.NDArray[Any]] = {}
    for voice in VOICE_SHA256:
        parts = measure(model, voice, texts)
        stored[voice] = np.concatenate([part.ravel() for part in parts]).astype(np.float16)
        stored[SIZES] = np.array([part.size for part in parts])
        print(f"{voice}: {stored[voice].size} numbers, at most {np.abs(stored[voice]).max():.4g}", flush=True)
    np.savez_compressed(here.with_name(FILE), allow_pickle=False, **stored)


if __name__ == "__main__":
    main()
