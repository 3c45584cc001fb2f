"""The acoustic model: the lower half of a Whisper encoder made streaming, with a CTC output.

Two convolutions and pre-norm transformer blocks as in Whisper (Radford et al., "Robust speech recognition via
large-scale weak supervision", 2022), so that its weights are a start (:mod:`whisper`). Three things differ. Attention
sees its own chunk of 320 ms and a bounded past (chunk-wise masking, as in Zhang et al., "Unified streaming and
non-streaming two-pass end-to-end model", 2020).
Frames are averaged in pairs after ``pool_after`` blocks. The inner layers are narrower.

A whole utterance and its chunks take the same path: keys and values of the past are a state, and a mask says which of
them a frame may see, so offline and streaming outputs are the same numbers.

Shapes: features float32 [B, T, n_mels] at 10 ms with T a multiple of 4; outputs float32 [B, T / 4, units] at 40 ms.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

SUBSAMPLING = 4
CHUNKS = (32, 128)
"""Feature frames a step: 320 ms for partial results, 1.28 s for the final one."""
FLOOR = -0.75
"""Normalised log-mel energies are raised to this floor: digital silence is no different from a quiet line."""
SCALE = 1.0 / (4.0 * math.log(10.0))
MEAN = math.log(10.0) * (2.0 * math.log10(32768.0) - math.log10(4.0) - 4.0)
"""Whisper's (log10(power) + 4) / 4 of a 16 kHz wave in [-1, 1], for the natural log of the power of an 8 kHz wave in
int16 scale: half the samples make a quarter of the power."""
POSITIONS = 1500


@dataclass(frozen=True, slots=True)
class ModelOptions:
    """Sizes. ``past`` is in frames of a block: 20 ms before the pooling, 40 ms after it."""

    n_mels: int = 61
    units: int = 170
    width: int = 512
    heads: int = 8
    hidden: int = 1536
    blocks: int = 4
    pool_after: int = 2
    past: int = 128
    dropout: float = 0.08

    @property
    def delay_frames(self) -> int:
        """Output frames (40 ms) of quiet after the last sound, for units that come late."""
        return 4

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def positions(first: Tensor, frames: int, width: int) -> Tensor:
    """Return Whisper's sinusoids [B, frames, width] of the positions from ``first`` [B, 1] on, modulo 30 s."""
    half = width // 2
    rates = torch.exp(torch.arange(half, device=first.device) * (-math.log(10_000.0) / (half - 1)))
    place = torch.remainder(first + torch.arange(frames, device=first.device), float(POSITIONS))
    angle = place[:, :, None] * rates
    return torch.cat([angle.sin(), angle.cos()], dim=-1)


def visible(seen: Tensor, frames: int, chunk: int | None, past: int, cached: int) -> Tensor:
    """Return the mask float32 [B, 1, frames, cached + frames] that is added to attention scores: 0 or -10000.

    ``seen`` [B, 1] frames came before; the keys are ``cached`` ones, then the new ones. A frame sees its chunk and
    ``past`` frames before it; without ``chunk`` the new frames are one.
    """
    key = torch.arange(cached + frames, device=seen.device) - cached
    allowed = (key[None, :] >= -seen)[:, None, :].expand(-1, frames, -1)
    if chunk is not None:
        start = torch.arange(frames, device=seen.device) // chunk * chunk
        window = (key[None, :] >= (start - past)[:, None]) & (key[None, :] < (start + chunk)[:, None])
        allowed = allowed & window
    return torch.where(allowed, 0.0, -1e4)[:, None]


class Dropout(nn.Module):
    """Drop whole channels of an utterance (Gal and Ghahramani, 2016): one random number a channel, not one a frame."""

    def __init__(self, share: float) -> None:
        super().__init__()
        self.share = share

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or self.share == 0.0:
            return x
        kept = torch.rand((x.shape[0], 1, x.shape[2]), device=x.device) >= self.share
        return x * (kept / (1.0 - self.share)).to(x.dtype)


class Front(nn.Module):
    """Normalise; two convolutions over three frames, the second every other frame: 10 ms to 20 ms."""

    def __init__(self, options: ModelOptions) -> None:
        super().__init__()
        self.options = options
        self.local = nn.Linear(3 * options.n_mels, options.width)
        self.down = nn.Linear(3 * options.width, options.width)

    def state_shapes(self) -> list[tuple[int, ...]]:
        return [(2, self.options.n_mels), (1, self.options.width)]

    def forward(self, features: Tensor, states: list[Tensor]) -> tuple[Tensor, list[Tensor]]:
        frames = features.shape[1]
        normal = ((features - MEAN) * SCALE).clamp(min=FLOOR)
        padded = torch.cat([states[0], normal], dim=1)
        local = functional.gelu(self.local(torch.cat([padded[:, i : i + frames] for i in range(3)], dim=-1)))
        both = torch.cat([states[1].to(local.dtype), local], dim=1)
        down = torch.cat([both[:, i : frames - 1 + i : 2] for i in range(3)], dim=-1)
        return functional.gelu(self.down(down)), [padded[:, frames:], both[:, frames:].float()]


class Block(nn.Module):
    """Self-attention over the visible frames, then a perceptron, each with a norm before and a residual around it."""

    def __init__(self, options: ModelOptions) -> None:
        super().__init__()
        self.heads, self.width, self.past = options.heads, options.width, options.past
        self.attention_norm = nn.LayerNorm(options.width)
        self.projections = nn.Linear(options.width, 3 * options.width)
        self.attended = nn.Linear(options.width, options.width)
        self.norm = nn.LayerNorm(options.width)
        self.inner = nn.Linear(options.width, options.hidden)
        self.outer = nn.Linear(options.hidden, options.width)
        self.dropout = Dropout(options.dropout)

    def state_shapes(self) -> list[tuple[int, ...]]:
        return [(self.past, self.width), (self.past, self.width)]

    def forward(self, x: Tensor, mask: Tensor, states: list[Tensor]) -> tuple[Tensor, list[Tensor]]:
        query, key, value = self.projections(self.attention_norm(x)).chunk(3, dim=-1)
        key = torch.cat([states[0].to(key.dtype), key], dim=1)
        value = torch.cat([states[1].to(value.dtype), value], dim=1)
        heard = functional.scaled_dot_product_attention(
            self._split(query), self._split(key), self._split(value), attn_mask=mask.to(query.dtype)
        )
        x = x + self.dropout(self.attended(heard.transpose(1, 2).flatten(2)))
        x = x + self.dropout(self.outer(functional.gelu(self.inner(self.norm(x)))))
        kept = key.shape[1] - states[0].shape[1]
        return x, [key[:, kept:].float(), value[:, kept:].float()]

    def _split(self, x: Tensor) -> Tensor:
        return x.reshape(x.shape[0], x.shape[1], self.heads, -1).transpose(1, 2)


class Recogniser(nn.Module):
    """Features and states in, log probabilities of units and next states out."""

    def __init__(self, options: ModelOptions) -> None:
        super().__init__()
        self.options = options
        self.front = Front(options)
        self.blocks = nn.ModuleList([Block(options) for _ in range(options.blocks)])
        self.norm = nn.LayerNorm(options.width)
        self.output = nn.Linear(options.width, options.units)
        self.halfway = nn.Linear(options.width, options.units)

    def state_shapes(self) -> list[tuple[int, ...]]:
        """Shapes of the states without the batch dimension: frames seen, the convolutions', keys and values."""
        layers: list[Any] = [self.front, *self.blocks]
        return [(1,), *(shape for layer in layers for shape in layer.state_shapes())]

    def initial_states(self, batch: int) -> list[Tensor]:
        device = self.output.weight.device
        return [torch.zeros((batch, *shape), device=device) for shape in self.state_shapes()]

    def forward(self, features: Tensor, states: list[Tensor], chunk: int | None = None) -> tuple[Tensor, list[Tensor]]:
        """Return log probabilities float32 [B, T / 4, units] and the next states.

        ``chunk`` feature frames make a chunk; without it the features are one.
        """
        x, _, after = self.encode(features, states, chunk)
        return self.output(self.norm(x)).float().log_softmax(dim=-1), after

    def encode(self, features: Tensor, states: list[Tensor], chunk: int | None) -> tuple[Tensor, Tensor, list[Tensor]]:
        """Return the top layer [B, T / 4, width], the layer of the auxiliary loss, and the next states.

        In training the cached keys are all empty and may be cut: states of no frames are allowed.
        """
        seen, past, cached = states[0], self.options.past, states[3].shape[1]
        x, front = self.front(features, states[1:3])
        frames = x.shape[1]
        x = x + positions(seen, frames, self.options.width)
        after = [seen + frames, *front]
        mask = visible(seen, frames, chunk and chunk // 2, past, cached)
        middle = x
        for index, block in enumerate(self.blocks):
            if index == self.options.pool_after:
                middle = x = x.reshape(x.shape[0], -1, 2, x.shape[2]).mean(dim=2)
                mask = visible(seen / 2, frames // 2, chunk and chunk // 4, past, cached)
            x, new = block(x, mask, states[3 + 2 * index : 5 + 2 * index])
            after += new
        return x, middle, after

    def training_outputs(self, features: Tensor, chunk: int) -> tuple[Tensor, Tensor]:
        """Return float32 log probabilities of the top and of the half-way output, from the beginning."""
        batch, past = features.shape[0], self.options.past
        states = [s[:, :0] if s.shape[1:] == (past, self.options.width) else s for s in self.initial_states(batch)]
        x, middle, _ = self.encode(features, states, chunk)
        top = self.output(self.norm(x)).float().log_softmax(dim=-1)
        return top, self.halfway(middle).float().log_softmax(dim=-1)
