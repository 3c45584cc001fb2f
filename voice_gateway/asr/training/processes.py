"""The processes of a training: each loads the cache and takes its share of every step."""

from __future__ import annotations

import argparse
import logging
import os
import tempfile

import torch

from voice_gateway.asr.training import waves
from voice_gateway.asr.training.fbank import FbankOptions
from voice_gateway.asr.training.model import ModelOptions
from voice_gateway.asr.training.train import Plan, Trainer


def cache_name(args: argparse.Namespace) -> str:
    """Return the name of the wave cache for these lists."""
    return "base" if not args.extra else f"with{len(args.extra)}"


def train_process(rank: int, args: argparse.Namespace) -> None:
    """Run one of the processes of a training."""
    logging.basicConfig(level=logging.INFO if rank == 0 else logging.WARNING, format="%(asctime)s %(message)s")
    if args.processes > 1:
        meeting = tempfile.gettempdir() + f"/asr-training-{os.getppid()}"
        torch.distributed.init_process_group(
            "gloo", init_method=f"file://{meeting}", rank=rank, world_size=args.processes
        )
    cache = waves.load(args.work / "cache", cache_name(args))
    plan = Plan(args.work, args.minutes, peak_rate=args.peak_rate)
    Trainer(plan, cache, ModelOptions(), FbankOptions(), rank, args.processes).run()
