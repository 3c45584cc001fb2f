"""What a training step minimises: CTC on two differently masked hearings of each utterance, which shall also agree.

One hearing is in the chunks of partial results, the other in those of final ones, so every step trains both, and the
half-blind one learns from the one that hears further. That they agree is asked of every output frame (consistency
regularised CTC, Yao et al., ICLR 2025): the two distributions are drawn together, each towards the other held fixed.
An auxiliary CTC loss half-way up helps the lower blocks (Lee and Watanabe, ICASSP 2021).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from voice_gateway.asr.training.batches import Batch
from voice_gateway.asr.training.masking import mask
from voice_gateway.asr.training.model import CHUNKS, MEAN, SCALE, SUBSAMPLING, Recogniser

FILL = MEAN - 0.3 / SCALE
"""What masked features become: about the mean of speech."""


@dataclass(frozen=True, slots=True)
class Objective:
    """The weights of the parts beside the CTC loss of the top layer."""

    auxiliary: float = 0.3
    consistency: float = 0.2

    def __call__(self, model: Recogniser, batch: Batch, masked: bool = True) -> Tensor:
        """Return the loss, a scalar: per unit of the transcript, averaged over utterances and both hearings."""
        loss, tops = torch.zeros((), device=batch.features.device), []
        for chunk in CHUNKS:
            features = mask(batch.features, batch.frames * SUBSAMPLING, FILL) if masked else batch.features
            top, halfway = model.training_outputs(features, chunk)
            loss = loss + 0.5 * (ctc(top, batch) + self.auxiliary * ctc(halfway, batch))
            tops.append(top)
        one, other = tops
        return loss + 0.5 * self.consistency * (apart(one, other, batch) + apart(other, one, batch))


def ctc(scores: Tensor, batch: Batch) -> Tensor:
    """Return the CTC loss (Graves et al., 2006) of log probabilities [B, T, units], per unit of each transcript."""
    return functional.ctc_loss(
        scores.transpose(0, 1), batch.labels, batch.frames, batch.label_sizes, zero_infinity=True
    )


def apart(target: Tensor, scores: Tensor, batch: Batch) -> Tensor:
    """Return the divergence of ``scores`` from ``target`` (no gradient), both [B, T, units], per unit like the CTC."""
    target = target.detach()
    each = (target.exp() * (target - scores)).sum(dim=-1)
    frames, sizes = batch.frames.to(each.device), batch.label_sizes.to(each.device)
    heard = torch.arange(each.shape[1], device=each.device) < frames[:, None]
    return ((each * heard).sum(dim=1) / sizes.clamp(min=1)).mean()
