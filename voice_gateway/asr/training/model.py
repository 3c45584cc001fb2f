"""The acoustic model: a streaming stack of dense convolutions and slow memories with a CTC output, for CPUs.

Each layer maps a stretch of frames and its state to as many frames and the next state, in training as in a call, so
offline and streaming outputs are the same numbers: a layer that looks ``right`` frames ahead returns its output
delayed by that many frames. CTC (Graves et al., 2006) does not mind the delay. Convolutions are written as one matrix
product over concatenated taps, since depthwise convolutions are slow on a CPU; they are the TDNN of Peddinti et al.
(Interspeech 2015), and the memories are those of MEGA (Ma et al., "Moving average equipped gated attention", ICLR
2023) with fixed decays.

Shapes: features float32 [B, T, n_mels] at 10 ms with T a multiple of 4; outputs float32 [B, T / 4, units] at 40 ms.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

SUBSAMPLING = 4
STATIC_FLOOR = 3.0
"""Log-mel energies are raised to this floor (int16 scale): digital silence is no different from a quiet line."""


@dataclass(frozen=True, slots=True)
class ModelOptions:
    """Sizes. ``layout`` has one letter a block: ``a`` looks one frame ahead, ``c`` is causal, ``d`` causal and dilated
    by two, ``m`` is a memory of moving averages."""

    n_mels: int = 48
    units: int = 170
    front: int = 128
    width: int = 320
    hidden: int = 512
    layout: str = "aaamcdmcc"
    dropout: float = 0.1

    @property
    def delay_frames(self) -> int:
        """Output frames (40 ms) by which the outputs lag, not counting the 20 ms of the first layer."""
        return self.layout.count("a")

    @property
    def lookahead_ms(self) -> int:
        return 20 + 40 * self.delay_frames

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def taps(padded: Tensor, count: int, dilation: int, frames: int) -> Tensor:
    """Concatenate ``count`` shifted views of [B, context + frames, D] to [B, frames, count * D]."""
    return torch.cat([padded[:, i * dilation : i * dilation + frames] for i in range(count)], dim=-1)


class ChannelDropout(nn.Module):
    """Drop whole channels of an utterance (Gal and Ghahramani, 2016): one random number a channel, not one a frame."""

    def __init__(self, share: float) -> None:
        super().__init__()
        self.share = share

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or self.share == 0.0:
            return x
        kept = torch.rand((x.shape[0], 1, x.shape[2])) >= self.share
        return x * (kept / (1.0 - self.share)).to(x.dtype)


class Front(nn.Module):
    """Normalise, look at 5 frames of features, then take 8 of those outputs every 4: 10 ms to 40 ms."""

    mean: Tensor
    scale: Tensor

    def __init__(self, options: ModelOptions) -> None:
        super().__init__()
        self.options = options
        self.register_buffer("mean", torch.full((options.n_mels,), 10.0))
        self.register_buffer("scale", torch.full((options.n_mels,), 0.3))
        self.local = nn.Linear(5 * options.n_mels, options.front)
        self.down = nn.Linear(8 * options.front, options.width)
        self.norm = nn.LayerNorm(options.width)

    def state_shapes(self) -> list[tuple[int, ...]]:
        return [(4, self.options.n_mels), (4, self.options.front)]

    def forward(self, features: Tensor, states: list[Tensor]) -> tuple[Tensor, list[Tensor]]:
        frames = features.shape[1]
        normal = (features.clamp(min=STATIC_FLOOR) - self.mean) * self.scale
        padded = torch.cat([states[0], normal], dim=1)
        local = functional.relu(self.local(taps(padded, 5, 1, frames)))
        both = torch.cat([states[1].to(local.dtype), local], dim=1)
        grouped = both.reshape(both.shape[0], -1, 4 * self.options.front)
        down = self.norm(self.down(torch.cat([grouped[:, :-1], grouped[:, 1:]], dim=-1)))
        return down, [padded[:, frames:], both[:, frames:].float()]


class ConvBlock(nn.Module):
    """A residual block over 3 taps; looks ``right`` output frames ahead (0 or ``dilation``)."""

    def __init__(self, options: ModelOptions, right: int, dilation: int) -> None:
        super().__init__()
        self.dilation, self.right, self.width = dilation, right, options.width
        self.norm = nn.LayerNorm(options.width)
        self.inner = nn.Linear(3 * options.width, options.hidden)
        self.outer = nn.Linear(options.hidden, options.width)
        self.dropout = ChannelDropout(options.dropout)

    def state_shapes(self) -> list[tuple[int, ...]]:
        return [(2 * self.dilation, self.width)]

    def forward(self, x: Tensor, states: list[Tensor]) -> tuple[Tensor, list[Tensor]]:
        frames, context = x.shape[1], 2 * self.dilation
        padded = torch.cat([states[0], x], dim=1)
        normal = self.norm(padded)
        if torch.is_autocast_enabled("cpu"):
            normal = normal.to(torch.bfloat16)
        hidden = functional.relu(self.inner(taps(normal, 3, self.dilation, frames)))
        start = context - self.right
        return padded[:, start : start + frames] + self.dropout(self.outer(hidden)), [padded[:, frames:]]


class MemoryBlock(nn.Module):
    """A gated residual memory: exponential moving averages of several time constants, as one matrix product.

    Channel group ``g`` forgets with the time constant ``CONSTANTS[g]`` (in 40 ms frames); the slow ones carry the
    speaker, the line and the tone register. A recurrence of the same size trains ten times slower on shared CPU cores.
    """

    CONSTANTS = (3.0, 8.0, 20.0, 60.0, 180.0)
    log_keep: Tensor

    def __init__(self, options: ModelOptions) -> None:
        super().__init__()
        self.groups, self.width = len(self.CONSTANTS), options.width
        self.norm = nn.LayerNorm(options.width)
        self.value = nn.Linear(options.width, options.width)
        self.gate = nn.Linear(options.width, options.width)
        self.outer = nn.Linear(options.width, options.width)
        self.dropout = ChannelDropout(options.dropout)
        keep = torch.exp(-1.0 / torch.tensor(self.CONSTANTS))
        self.register_buffer("log_keep", keep.log(), persistent=False)

    def state_shapes(self) -> list[tuple[int, ...]]:
        return [(self.width,)]

    def forward(self, x: Tensor, states: list[Tensor]) -> tuple[Tensor, list[Tensor]]:
        batch, frames, _ = x.shape
        normal = self.norm(x)
        value = functional.relu(self.value(normal))
        time = torch.arange(frames, device=x.device)
        lag = (time[:, None] - time[None, :]).clamp(min=0)
        weights = torch.exp(lag * self.log_keep[:, None, None]) * (1.0 - self.log_keep.exp())[:, None, None]
        weights = torch.tril(weights)
        grouped = value.reshape(batch, frames, self.groups, -1).permute(2, 1, 0, 3).reshape(self.groups, frames, -1)
        memory = torch.bmm(weights, grouped).float()
        past = states[0].reshape(batch, self.groups, -1).transpose(0, 1).reshape(self.groups, 1, -1)
        memory = memory + torch.exp((time + 1)[None, :, None] * self.log_keep[:, None, None]) * past
        memory = memory.reshape(self.groups, frames, batch, -1).permute(2, 1, 0, 3).reshape(batch, frames, -1)
        gated = memory * torch.sigmoid(self.gate(normal))
        return x + self.dropout(self.outer(gated)), [memory[:, -1]]


def _block(letter: str, options: ModelOptions) -> nn.Module:
    if letter == "m":
        return MemoryBlock(options)
    right, dilation = {"a": (1, 1), "c": (0, 1), "d": (0, 2)}[letter]
    return ConvBlock(options, right, dilation)


class Recogniser(nn.Module):
    """Features and states in, log probabilities of units and next states out."""

    def __init__(self, options: ModelOptions) -> None:
        super().__init__()
        self.options = options
        self.front = Front(options)
        self.blocks = nn.ModuleList([_block(letter, options) for letter in options.layout])
        self.norm = nn.LayerNorm(options.width)
        self.output = nn.Linear(options.width, options.units)
        self.halfway = nn.Linear(options.width, options.units)
        self._halfway_after = options.layout.find("m")

    def layers(self) -> list[Any]:
        return [self.front, *self.blocks]

    def state_shapes(self) -> list[tuple[int, ...]]:
        """Shapes of the states without the batch dimension, in order."""
        return [shape for layer in self.layers() for shape in layer.state_shapes()]

    def initial_states(self, batch: int) -> list[Tensor]:
        return [torch.zeros((batch, *shape)) for shape in self.state_shapes()]

    def forward(self, features: Tensor, states: list[Tensor]) -> tuple[Tensor, list[Tensor]]:
        """Return log probabilities float32 [B, T / 4, units] and the next states."""
        x, _, after = self.encode(features, states)
        return self.output(self.norm(x)).float().log_softmax(dim=-1), after

    def encode(self, features: Tensor, states: list[Tensor]) -> tuple[Tensor, Tensor | None, list[Tensor]]:
        """Return the top layer [B, T / 4, width], the layer of the auxiliary loss, and the next states."""
        x, middle, after, used = features, None, [], 0
        for index, layer in enumerate(self.layers()):
            count = len(layer.state_shapes())
            x, new = layer(x, states[used : used + count])
            after += new
            used += count
            if index - 1 == self._halfway_after:
                middle = x
        return x, middle, after

    def training_outputs(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Return float32 log probabilities of the top and of the half-way output, from zero states."""
        x, middle, _ = self.encode(features, self.initial_states(features.shape[0]))
        assert middle is not None
        top = self.output(self.norm(x)).float().log_softmax(dim=-1)
        return top, self.halfway(middle).float().log_softmax(dim=-1)
