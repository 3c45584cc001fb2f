"""Batches of augmented features: which clips an epoch has, how they are grouped by length, and how they are made.

An epoch draws every clip about as often as its source and speaker deserve: a speaker of hundreds of clips is capped,
and so are synthetic voices, of which there are few. A batch is one item of the data set.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.utils.data import Dataset

from voice_gateway.asr.training import augment
from voice_gateway.asr.training.fbank import FbankOptions, fbank
from voice_gateway.asr.training.model import SUBSAMPLING
from voice_gateway.asr.training.waves import RATE, Waves

Indices = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Batch:
    """``features`` float32 [B, T, n_mels]; ``frames`` (of output) and ``label_sizes`` int64 [B]; ``labels`` int64."""

    features: Tensor
    frames: Tensor
    labels: Tensor
    label_sizes: Tensor

    def to(self, device: torch.device) -> Batch:
        """Return the batch with features and labels on ``device``; the sizes stay where CTC reads them."""
        return replace(self, features=self.features.to(device), labels=self.labels.to(device))


@dataclass(frozen=True, slots=True)
class Mix:
    """How often an epoch hears a clip of each source, and the cap on the clips of one human speaker."""

    weights: tuple[tuple[str, float], ...] = (
        ("common_voice", 1.0), ("aishell3", 0.6), ("synthetic", 0.6), ("callers", 0.7),
    )  # fmt: skip
    speaker_cap: int = 250


WARM_UP = Mix((("synthetic", 1.0), ("callers", 1.0)))


def draw_epoch(waves: Waves, mix: Mix, rng: np.random.Generator) -> Indices:
    """Return the clip indices of one epoch, in no order."""
    weights = dict(mix.weights)
    train = waves.of_split("train")
    clips_of = Counter(waves.speaker[i] for i in train if waves.source[i] == "common_voice")
    wanted = np.array([weights.get(str(waves.source[i]), 0.0) for i in train])
    for row, index in enumerate(train):
        if waves.source[index] == "common_voice":
            wanted[row] *= min(1.0, mix.speaker_cap / clips_of[waves.speaker[index]])
    copies = np.floor(wanted + rng.random(len(train))).astype(np.int64)
    return np.repeat(train, copies)


def group_by_length(indices: Indices, lengths: Indices, samples: int, rng: np.random.Generator) -> list[Indices]:
    """Cut ``indices`` into batches of at most ``samples`` padded samples, clips of like length together, shuffled."""
    noisy = lengths[indices] * rng.uniform(0.9, 1.1, len(indices))
    order = indices[np.argsort(noisy, kind="stable")]
    batches: list[Indices] = []
    start, longest = 0, 0
    for stop, index in enumerate(order):
        longest = max(longest, int(lengths[index]))
        if longest * (stop - start + 1) > samples and stop > start:
            batches.append(order[start:stop])
            start, longest = stop, int(lengths[index])
    if len(order) > start:
        batches.append(order[start:])
    return [batches[i] for i in rng.permutation(len(batches))]


def collate(features: Sequence[npt.NDArray[np.float32]], labels: Sequence[npt.NDArray[np.int16]], delay: int) -> Batch:
    """Pad to a common multiple of the subsampling; ``delay`` output frames of quiet are added to each utterance."""
    frames = [-(-(len(f) + 2) // SUBSAMPLING) + delay for f in features]
    padded = np.zeros((len(features), max(frames) * SUBSAMPLING, features[0].shape[1]), np.float32)
    for row, feature in enumerate(features):
        padded[row, : len(feature)] = feature
    sizes = [len(label) for label in labels]
    flat = np.concatenate([np.asarray(label, np.int64) for label in labels])
    return Batch(torch.from_numpy(padded), torch.tensor(frames), torch.from_numpy(flat), torch.tensor(sizes))


class AugmentedBatches(Dataset[Batch]):
    """Item ``i`` is batch ``i`` of an epoch, augmented with its own seed; a share ``gentle`` has a good line."""

    def __init__(
        self, waves: Waves, batches: Sequence[Indices], strength: augment.Strength, options: FbankOptions,
        delay: int, seed: int, gentle: float = 0.0,
    ) -> None:  # fmt: skip
        self.waves, self.batches, self.strength, self.options = waves, batches, strength, options
        self.delay, self.seed, self.gentle = delay, seed, gentle
        self._train = waves.of_split("train")

    def __len__(self) -> int:
        return len(self.batches)

    def __getitem__(self, item: int) -> Batch:
        rng = np.random.default_rng((self.seed, item))

        def another() -> npt.NDArray[np.int16]:
            return self.waves.wave(int(rng.choice(self._train)))

        features, labels = [], []
        for index in self.batches[item]:
            light = rng.random() < self.gentle
            strength = augment.GENTLE if light else self.strength
            wave = augment.telephone(self.waves.wave(int(index)), rng, strength, another)
            warp = float(rng.uniform(0.88, 1.12)) if rng.random() < strength.warp else 1.0
            features.append(fbank(wave, self.options, warp))
            labels.append(self.waves.label(int(index)))
        return collate(features, labels, self.delay)


def plain_batches(waves: Waves, indices: Indices, options: FbankOptions, delay: int, law: str = "pcmu") -> list[Batch]:
    """Return evaluation batches: no augmentation but the codec, half a second of quiet line at the end."""
    order = indices[np.argsort(waves.length[indices], kind="stable")]
    batches = []
    for start in range(0, len(order), 16):
        part = order[start : start + 16]
        quiet = np.zeros(int(0.3 * RATE), np.float32)
        heard = [augment.g711(np.concatenate([waves.wave(int(i)), quiet]), law) for i in part]
        batches.append(collate([fbank(h, options) for h in heard], [waves.label(int(i)) for i in part], delay))
    return batches
