"""SpecAugment (Park et al., Interspeech 2019) on a whole batch: bands of mels and stretches of time become ``fill``.

About a fifth of the time is masked, as consistency regularisation wants it (:mod:`objective`). The random numbers are
torch's, drawn on the device of the features.
"""

from __future__ import annotations

import torch
from torch import Tensor

BANDS, WIDEST_BAND = 2, 14
STRETCHES, WIDEST_STRETCH = 16, 40
"""At most so many stretches of at most so many feature frames (10 ms)..."""
FRAMES_A_STRETCH = 80
"""...and one for each so many frames of an utterance."""


def mask(features: Tensor, frames: Tensor, fill: float) -> Tensor:
    """Return a masked copy of ``features`` float32 [B, T, n_mels]; ``frames`` int64 [B] are the frames with speech."""
    batch, time, mels = features.shape
    device = features.device
    heard = frames.to(device)[:, None]
    wide = torch.floor(torch.rand(batch, BANDS, device=device) * (min(WIDEST_BAND, mels) + 1))
    low = torch.floor(torch.rand(batch, BANDS, device=device) * (mels - wide + 1))
    long = torch.floor(torch.rand(batch, STRETCHES, device=device) * (WIDEST_STRETCH + 1)).minimum(heard)
    long = long * (torch.arange(STRETCHES, device=device) < heard // FRAMES_A_STRETCH)
    first = torch.floor(torch.rand(batch, STRETCHES, device=device) * (heard - long + 1))
    hidden = _covered(low, wide, mels)[:, None, :] | _covered(first, long, time)[:, :, None]
    return features.masked_fill(hidden, fill)


def _covered(start: Tensor, width: Tensor, size: int) -> Tensor:
    """Return bool [B, size]: the places in any of the intervals of ``start`` and ``width`` [B, K]."""
    place = torch.arange(size, device=start.device)[None, None]
    return ((place >= start[..., None]) & (place < (start + width)[..., None])).any(dim=1)
