"""The training loop: AdamW on :mod:`objective`, a learning rate by the share of the time budget spent, an average of
the weights for evaluation and export, and checkpoints from which a later run goes on.

It begins with the lower blocks of Whisper's encoder (:mod:`whisper`) or with an earlier model of ours; the two new
output layers learn faster than the rest. The schedule follows the seconds trained (kept in the checkpoint), so a slow
or shared machine ends at the planned time with the learning rate at its end. At first only clean synthetic speech is
heard, until CTC has left its plateau of blanks. Several processes of one thread each share a step by averaging
gradients (gloo): on a busy machine that is much faster than threads that wait for one another in every operator. On a
GPU it is one process with loaders beside it.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader

from voice_gateway.asr.training import augment, whisper
from voice_gateway.asr.training.batches import (
    WARM_UP,
    AugmentedBatches,
    Batch,
    Mix,
    draw_epoch,
    group_by_length,
    plain_batches,
)  # fmt: skip
from voice_gateway.asr.training.fbank import FbankOptions
from voice_gateway.asr.training.model import CHUNKS, ModelOptions, Recogniser
from voice_gateway.asr.training.objective import Objective
from voice_gateway.asr.training.score import evaluate
from voice_gateway.asr.training.waves import RATE, Waves

_log = logging.getLogger(__name__)
FIRST = augment.Strength(speed=0.0, reverb=0.0, noise=0.0, echo=0.0, loss=0.0, warp=0.0, level=0.3)


@dataclass(frozen=True, slots=True)
class Plan:
    """What one run does. ``minutes`` is the whole budget, earlier runs of the same work folder included."""

    work: Path
    minutes: float
    peak_rate: float = 3e-4
    head_rate: float = 4.0
    """Factor of the learning rate of the output layers."""
    gentle: float = 0.5
    warm_up_loss: float = 3.6
    warm_up_share: float = 0.05
    batch_seconds: float = 32.0
    average: float = 0.999
    device: str = "cpu"
    threads: int = 1
    loaders: int = 0
    """Processes that make batches; none: they are made between the steps."""
    passes: int = 1
    """Epochs between two starts of the loaders."""
    evaluate_every: float = 420.0
    save_every: float = 90.0
    seed: int = 1
    most_steps: int = 1 << 40
    start: Path | None = None
    """Half-precision weights of an earlier training to begin with, when the work folder has no checkpoint."""
    pretrained: bool = False
    """Begin with Whisper's weights when there is neither; otherwise with random ones."""


def learning_rate(share: float, peak: float) -> float:
    """Return the rate at ``share`` (0 to 1) of the budget: a linear rise, then half a cosine to 1 % of the peak."""
    if share < 0.02:
        return peak * (0.05 + 0.95 * share / 0.02)
    along = min(1.0, (share - 0.02) / 0.98)
    return peak * (0.01 + 0.99 * 0.5 * (1.0 + math.cos(math.pi * along)))


def some_speech(waves: Waves, options: FbankOptions, delay: int, seed: int) -> list[Batch]:
    """Return a few batches of plain training speech, drawn from all sources."""
    rows = np.random.default_rng(seed).permutation(waves.of_split("train"))[:96]
    return plain_batches(waves, rows, options, delay)


class Trainer:
    """Owns the model, its average, the optimiser and the clock of one work folder."""

    def __init__(
        self, plan: Plan, waves: Waves, model: ModelOptions, features: FbankOptions, rank: int = 0, world: int = 1
    ) -> None:
        self.rank, self.world = rank, world
        torch.set_num_threads(plan.threads)
        torch.manual_seed(plan.seed)
        self.plan, self.waves, self.features = plan, waves, features
        self.device, self.objective = torch.device(plan.device), Objective()
        self.model = Recogniser(model).to(self.device)
        self.averaged = Recogniser(model).to(self.device)
        heads = [*self.model.output.parameters(), *self.model.halfway.parameters()]
        ids = {id(p) for p in heads}
        body = [p for p in self.model.parameters() if id(p) not in ids]
        groups = [{"params": body, "factor": 1.0}, {"params": heads, "factor": plan.head_rate}]
        self.optimiser = torch.optim.AdamW(groups, lr=1e-4, betas=(0.9, 0.98), weight_decay=0.01, fused=True)
        self.epoch, self.steps, self.spent, self.heard, self.smooth_loss = 0, 0, 0.0, 0.0, 10.0
        self.warm = False
        plan.work.mkdir(parents=True, exist_ok=True)
        if self.checkpoint.exists():
            self._resume()
        elif plan.start is not None:
            self._begin_with(plan.start)
        else:
            if plan.pretrained:
                whisper.begin(self.model, some_speech(waves, features, model.delay_frames, plan.seed))
            self.averaged.load_state_dict(self.model.state_dict())
        torch.manual_seed(1000 * plan.seed + self.steps * world + rank)  # other masks for each process
        self._sets = self._evaluation_sets() if rank == 0 else {}

    @property
    def checkpoint(self) -> Path:
        return self.plan.work / "checkpoint.pt"

    @property
    def share(self) -> float:
        return 1.0 if self.steps >= self.plan.most_steps else min(1.0, self.spent / (60.0 * self.plan.minutes))

    def run(self) -> None:
        """Train until the budget is spent."""
        next_report, next_save = self.spent + 90.0, self.spent + self.plan.save_every
        while self.share < 1.0:
            for batch in self._epoch_batches():
                self._step(batch)
                if self.steps % 100 == 0 or self.steps in (1, 5, 20, 50):
                    self._tell()
                if self.spent >= next_save:
                    self.save()
                    next_save = self.spent + self.plan.save_every
                if self.spent >= next_report:
                    self.report()
                    next_report = self.spent + self.plan.evaluate_every
                if self.share >= 1.0 or self._warming_up != self._must_warm_up():
                    break
            self.epoch += 1
        self.report()

    def _must_warm_up(self) -> bool:
        if self.smooth_loss < self.plan.warm_up_loss or self.share >= self.plan.warm_up_share:
            self.warm = True
        return not self.warm

    def _epoch_batches(self) -> Iterator[Batch]:
        self._warming_up = self._must_warm_up()
        mix, strength = (WARM_UP, FIRST) if self._warming_up else (Mix(), augment.Strength())
        rng = np.random.default_rng((self.plan.seed, self.epoch))
        samples = int(self.plan.batch_seconds * RATE)
        groups = []
        for _ in range(1 if self._warming_up else self.plan.passes):
            groups += group_by_length(draw_epoch(self.waves, mix, rng), self.waves.length, samples, rng)
        groups = groups[: len(groups) // self.world * self.world]
        delay = self.model.options.delay_frames
        seed = int(rng.integers(1 << 31)) + self.rank
        groups = groups[self.rank :: self.world]
        made = AugmentedBatches(
            self.waves,
            groups,
            strength,
            self.features,
            delay,
            seed,
            gentle=0.0 if self._warming_up else self.plan.gentle,
        )
        _log.info("epoch %d: %d batches, warm-up %s", self.epoch, len(made), self._warming_up)
        workers = self.plan.loaders
        loader = DataLoader(
            made,
            batch_size=None,
            num_workers=workers,
            prefetch_factor=6 if workers else None,
            multiprocessing_context="fork" if workers else None,  # so that the samples are shared, not copied
        )
        self._last = time.monotonic()
        yield from loader

    def _step(self, batch: Batch) -> None:
        rate = learning_rate(self.share, self.plan.peak_rate)
        for group in self.optimiser.param_groups:
            group["lr"] = rate * group["factor"]
        self.model.train()
        batch = batch.to(self.device)
        with torch.autocast(self.device.type, dtype=torch.bfloat16):
            loss = self.objective(self.model, batch, masked=not self._warming_up)
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        self._share_gradients(float(batch.frames.sum()) * 0.04, float(loss.detach()))
        norm = torch.nn.utils.clip_grad_norm_(self.model.parameters(), 5.0)
        self.steps += 1
        if not torch.isfinite(norm):
            _log.warning("step %d skipped: the gradient is not finite", self.steps)
            return
        self.optimiser.step()
        self._average()

    def _share_gradients(self, heard: float, loss: float) -> None:
        """Average the gradients over the processes and move the common clock."""
        now = time.monotonic()
        clock = torch.tensor([now - self._last, heard * self.world, loss])
        self._last = now
        if self.world > 1:
            gradients = [p.grad for p in self.model.parameters() if p.grad is not None]
            flat = torch.cat([clock, *(g.reshape(-1) for g in gradients)])
            torch.distributed.all_reduce(flat)
            flat /= self.world
            clock = flat[:3]
            parts = torch.split(flat[3:], [g.numel() for g in gradients])
            for gradient, part in zip(gradients, parts, strict=True):
                gradient.copy_(part.view_as(gradient))
        self.spent += float(clock[0])
        self.heard += float(clock[1])
        self.smooth_loss += 0.03 * (float(clock[2]) - self.smooth_loss)

    def _average(self) -> None:
        decay = min(self.plan.average, (1 + self.steps) / (10 + self.steps))
        with torch.no_grad():
            torch._foreach_lerp_(list(self.averaged.parameters()), list(self.model.parameters()), 1.0 - decay)

    def _tell(self) -> None:
        if self.rank:
            return
        speed, rate = self.heard / max(1.0, self.spent), learning_rate(self.share, self.plan.peak_rate)
        _log.info(
            "step %d epoch %d loss %.3f lr %.2e spent %.0f s share %.3f heard %.2f h speed %.0fx",
            self.steps, self.epoch, self.smooth_loss, rate, self.spent, self.share, self.heard / 3600, speed,
        )  # fmt: skip

    def _evaluation_sets(self) -> dict[str, list[Batch]]:
        sets = {}
        for split in ("heldout_cv", "heldout_kokoro"):
            rows = np.random.default_rng(3).permutation(self.waves.of_split(split))[:120]
            if len(rows):
                sets[split] = plain_batches(self.waves, rows, self.features, self.model.options.delay_frames)
        return sets

    def report(self) -> dict[str, float]:
        """Evaluate the averaged weights, log the unit error rates and write the checkpoint (first process only)."""
        if self.rank:
            return {}
        rates = {
            f"{name} {chunk * 10} ms": evaluate(self.averaged, batches, chunk).rate
            for name, batches in self._sets.items()
            for chunk in CHUNKS
        }
        _log.info("EVAL step %d spent %.0f s unit error rates %s", self.steps, self.spent, rates)
        self.save()
        return rates

    def save(self) -> None:
        """Write the checkpoint atomically (first process only)."""
        if self.rank:
            return
        state: dict[str, Any] = {
            "model": self.model.state_dict(),
            "averaged": self.averaged.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "options": self.model.options.to_json(),
            "features": self.features.to_json(),
            "clock": (self.epoch, self.steps, self.spent, self.heard, self.smooth_loss),
            "warm": self.warm,
        }
        partial = self.checkpoint.with_suffix(".partial")
        torch.save(state, partial)
        partial.replace(self.checkpoint)

    def _begin_with(self, path: Path) -> None:
        state = torch.load(path, map_location="cpu", weights_only=True)
        weights = {name: value.float() for name, value in state["averaged"].items()}
        self.model.load_state_dict(weights)
        self.averaged.load_state_dict(weights)
        self.warm = True

    def _resume(self) -> None:
        state = torch.load(self.checkpoint, map_location="cpu", weights_only=True)
        self.model.load_state_dict(state["model"])
        self.averaged.load_state_dict(state["averaged"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.epoch, self.steps, self.spent, self.heard, self.smooth_loss = state["clock"]
        self.warm = bool(state.get("warm", False))
        self.epoch += 1
        _log.info("resumed at step %d, %.0f s", self.steps, self.spent)
