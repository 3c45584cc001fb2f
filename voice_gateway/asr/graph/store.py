"""Graphs on disk: versioned folders, a pointer file that is replaced atomically, and loading.

    graphs/
      current                  the name of the version in use
      20260101T120000-1a2b3c/  free.fst free.words digits.fst ... graph.json

`GraphStore.loaded()` is cheap while nothing changed (one stat), so engines ask at every stream; streams keep the graphs
that they began with. Old versions are removed when a newer one is published, except the one before it.
"""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from common.paths import atomic_write
from voice_gateway.asr.api import AsrModelError, Expect
from voice_gateway.asr.graph.fst import Fst, write
from voice_gateway.asr.native import load

POINTER = "current"
KEPT = 2


REVISION = 2
"""Raise it when graphs of before no longer fit the weights of the search (1: no bonus for syllables)."""


@dataclass(frozen=True, slots=True)
class GraphInfo:
    """What a version was made from. `arcs` and `states` by hint; `seconds` that it took to build."""

    version: str
    units_sha: str
    clauses: int
    words: int
    ngrams: int
    seconds: float
    states: Mapping[str, int] = field(default_factory=dict)
    arcs: Mapping[str, int] = field(default_factory=dict)
    hotwords: tuple[str, ...] = ()
    revision: int = REVISION


@dataclass(frozen=True, slots=True)
class Graph:
    """One decoding graph in memory: a kaldifst.StdConstFst and the words that its output labels index."""

    fst: Any
    words: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Graphs:
    """All graphs of a version; `FREE` is always there and stands in for the others."""

    info: GraphInfo
    by_hint: Mapping[Expect, Graph]

    def choose(self, expect: Expect) -> Graph:
        """The graph for a hint."""
        return self.by_hint.get(expect, self.by_hint[Expect.FREE])


class GraphStore:
    """The versions in one folder. Thread-safe."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._stamp: tuple[int, int] | None = None
        self._loaded: Graphs | None = None

    @property
    def folder(self) -> Path:
        return self._folder

    def exists(self) -> bool:
        """Whether a version has been published."""
        return (self._folder / POINTER).exists()

    def usable(self, units_sha: str) -> bool:
        """Whether a version is there that fits these units (reads only its description)."""
        try:
            folder = self._folder / (self._folder / POINTER).read_text().strip()
            raw = json.loads((folder / "graph.json").read_text(encoding="utf-8"))
            return bool(raw["units_sha"] == units_sha and raw.get("revision", 1) == REVISION)
        except (OSError, ValueError, KeyError):
            return False

    def publish(self, version: str, parts: Mapping[Expect, tuple[Fst, tuple[str, ...]]], info: GraphInfo) -> None:
        """Write a version and make it the current one; then drop the oldest."""
        target = self._folder / version
        draft = self._folder / f".{version}.draft"
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(parents=True)
        for expect, (fst, words) in parts.items():
            write(fst, draft / f"{expect.value}.fst")
            (draft / f"{expect.value}.words").write_text("\n".join(words), encoding="utf-8")
        (draft / "graph.json").write_text(json.dumps(asdict(info), ensure_ascii=False, indent=1), encoding="utf-8")
        shutil.rmtree(target, ignore_errors=True)
        draft.rename(target)
        with atomic_write(self._folder / POINTER) as out:
            out.write(version.encode())
        versions = sorted(path for path in self._folder.iterdir() if path.is_dir() and path.name != version)
        for old in versions[: max(0, len(versions) - KEPT + 1)]:
            shutil.rmtree(old, ignore_errors=True)

    def changed(self) -> bool:
        """Whether the pointer differs from what is loaded (one stat)."""
        return self._stamp is None or self._read_stamp() != self._stamp

    def loaded(self, units_sha: str) -> Graphs:
        """The current version, read again only when the pointer changed (blocking: about a second).

        A version that cannot be read leaves the one in memory in use. Raises AsrModelError when there is none.
        """
        with self._lock:
            stamp = self._read_stamp()
            if self._loaded is not None and stamp == self._stamp:
                return self._loaded
            try:
                self._loaded = self._load(units_sha)
            except AsrModelError:
                if self._loaded is None:
                    raise
            self._stamp = stamp
            return self._loaded

    def _read_stamp(self) -> tuple[int, int]:
        try:
            stat = (self._folder / POINTER).stat()
        except FileNotFoundError:
            return 0, 0
        return stat.st_mtime_ns, stat.st_ino

    def _load(self, units_sha: str) -> Graphs:
        kaldifst = load("kaldifst")
        try:
            folder = self._folder / (self._folder / POINTER).read_text().strip()
            info = GraphInfo(**{"revision": 1, **json.loads((folder / "graph.json").read_text(encoding="utf-8"))})
            if info.revision != REVISION:
                raise AsrModelError(f"graph {folder} was built by another version: run `hotline asr graph`")
            if info.units_sha != units_sha:
                raise AsrModelError(f"graph {folder} was made for another model: run `hotline asr graph`")
            by_hint = {}
            for expect in Expect:
                path = folder / f"{expect.value}.fst"
                if path.exists():
                    words = tuple((folder / f"{expect.value}.words").read_text(encoding="utf-8").split("\n"))
                    by_hint[expect] = Graph(kaldifst.StdConstFst.read(str(path)), words)
            if Expect.FREE not in by_hint or any(graph.fst is None for graph in by_hint.values()):
                raise AsrModelError(f"graph {folder} is incomplete: run `hotline asr graph`")
        except (OSError, ValueError, TypeError, RuntimeError) as error:
            raise AsrModelError(f"no usable graph in {self._folder} ({error}): run `hotline asr graph`") from None
        return Graphs(info, by_hint)
