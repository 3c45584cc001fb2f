"""Masks stay within the speech, and the loss asks for the transcript and for two hearings that agree."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="training needs torch")

from voice_gateway.asr.training.batches import Batch  # noqa: E402
from voice_gateway.asr.training.masking import mask  # noqa: E402
from voice_gateway.asr.training.model import ModelOptions, Recogniser  # noqa: E402
from voice_gateway.asr.training.objective import Objective, apart, ctc  # noqa: E402


def test_masks_write_the_fill_in_bands_and_stretches_of_the_speech() -> None:
    torch.manual_seed(0)
    features = torch.ones(40, 400, 61)
    masked = mask(features, torch.tensor([400] * 20 + [160] * 20), 7.0)
    hidden = masked == 7.0
    assert torch.equal(features, torch.ones(40, 400, 61)) and bool(((masked == 1.0) | hidden).all())
    stretches, bands = hidden.all(dim=2), hidden.all(dim=1)
    assert torch.equal(hidden, stretches[:, :, None] | bands[:, None, :])
    assert not stretches[20:, 160:].any() and 0.1 < float(stretches[:20].float().mean()) < 0.35
    assert 0.05 < float(bands.float().mean()) < 0.4 and int(bands.sum(dim=1).max()) <= 28


def test_too_short_for_a_stretch_is_masked_in_bands_only() -> None:
    masked = mask(torch.zeros(8, 40, 61), torch.full((8,), 40), 1.0)
    assert not (masked == 1.0).all(dim=2).any()


def batch(frames: list[int], sizes: list[int]) -> Batch:
    size = max(frames)
    labels = torch.arange(1, sum(sizes) + 1)
    return Batch(torch.randn(len(frames), size * 4, 61) * 3 + 10, torch.tensor(frames), labels, torch.tensor(sizes))


def test_divergence_counts_the_frames_of_the_speech_alone() -> None:
    torch.manual_seed(1)
    heard = batch([20, 12], [4, 2])
    one, other = (torch.randn(2, 20, 9).log_softmax(dim=-1).requires_grad_() for _ in range(2))
    found = apart(one, other, heard)
    each = (one.exp() * (one - other)).sum(dim=-1).detach()
    expected = (each[0].sum() / 4 + each[1, :12].sum() / 2) / 2
    assert found.item() == pytest.approx(expected.item(), rel=1e-5) and apart(one, one, heard).item() == 0.0
    found.backward()
    assert one.grad is None and other.grad is not None and not other.grad[1, 12:].any()


def test_the_loss_is_ctc_of_both_hearings_and_falls() -> None:
    torch.manual_seed(2)
    model = Recogniser(ModelOptions(width=32, heads=4, hidden=48, blocks=3, pool_after=1, past=20, dropout=0.0))
    heard = batch([40, 30], [5, 3])
    plain = Objective(auxiliary=0.0, consistency=0.0)(model, heard, masked=False)
    tops = [model.training_outputs(heard.features, chunk)[0] for chunk in (32, 128)]
    assert plain.item() == pytest.approx(sum(ctc(top, heard).item() for top in tops) / 2, rel=1e-5)
    apart_too = Objective(auxiliary=0.0, consistency=1.0)(model, heard, masked=False)
    assert apart_too.item() > plain.item()
    optimiser = torch.optim.AdamW(model.parameters(), lr=3e-3)
    losses = []
    for _ in range(30):
        loss = Objective()(model, heard)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < 0.5 * losses[0]
