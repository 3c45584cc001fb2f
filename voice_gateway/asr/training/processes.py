"""The processes of a training: each loads the cache and takes its share of every step."""

from __future__ import annotations

import argparse
import logging
import os
import tempfile

import torch

from voice_gateway.asr.training import corpus, suspects, waves
from voice_gateway.asr.training.fbank import FbankOptions
from voice_gateway.asr.training.model import ModelOptions
from voice_gateway.asr.training.train import Plan, Trainer


def prepare(args: argparse.Namespace) -> waves.Waves:
    """Build the caches that are missing and open them: one of the data folder and one of each folder of callers."""
    folder = args.work / "cache"
    parts = [waves.build(corpus.read_corpus(args.data), folder, "base")]
    for extra in args.extra:
        clips = corpus.read_callers(extra)
        parts.append(waves.build(clips, folder, f"{extra.name}-{len(clips)}"))
    return suspects.leave_out(waves.join(parts), args.work)


def train_process(rank: int, args: argparse.Namespace) -> None:
    """Run one of the processes of a training."""
    logging.basicConfig(level=logging.INFO if rank == 0 else logging.WARNING, format="%(asctime)s %(message)s")
    if args.processes > 1:
        meeting = tempfile.gettempdir() + f"/asr-training-{os.getppid()}"
        torch.distributed.init_process_group(
            "gloo", init_method=f"file://{meeting}", rank=rank, world_size=args.processes
        )
    pretrained = not args.from_nothing
    plan = Plan(
        args.work, args.minutes, peak_rate=args.peak_rate, start=args.start, pretrained=pretrained,
        batch_seconds=args.batch_seconds, device=args.device, loaders=args.loaders, passes=10 if args.loaders else 1,
    )  # fmt: skip
    Trainer(plan, prepare(args), ModelOptions(), FbankOptions(), rank, args.processes).run()
