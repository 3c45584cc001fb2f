"""Where files live: data that must be kept, and a cache that may be deleted."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

DATA_VARIABLE = "HOTLINE_PATHS__DATA"
CACHE_VARIABLE = "HOTLINE_PATHS__CACHE"


def data_dir() -> Path:
    """Keys, databases, recordings, graphs. HOTLINE_PATHS__DATA, else ./var."""
    return Path(os.environ.get(DATA_VARIABLE, "var"))


def cache_dir() -> Path:
    """Models that can be fetched again and rendered prompts. HOTLINE_PATHS__CACHE, else ~/.cache/hotline."""
    return Path(os.environ.get(CACHE_VARIABLE, Path.home() / ".cache" / "hotline"))


@contextmanager
def atomic_write(path: Path) -> Iterator[IO[bytes]]:
    """A binary file that appears at `path` whole or not at all (temporary neighbour, fsync, rename)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
