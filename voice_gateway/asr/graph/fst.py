"""Weighted transducers as numpy arrays, and OpenFst's const file format both ways.

Building a graph arc by arc from Python takes minutes; whole arrays take milliseconds. kaldifst does the algorithms
(composition, determinisation, minimisation) on files that `write` makes and `read` takes back. The format is OpenFst's
ConstFst, unaligned (version 2), arc type "standard", little endian: header, states of 20 bytes, arcs of 16 bytes.
"""

from __future__ import annotations

import struct
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from voice_gateway.asr.native import load

MAGIC = 2125659606
INFINITY = np.float32(np.inf)
STATE = np.dtype([("final", "<f4"), ("first", "<u4"), ("arcs", "<u4"), ("ieps", "<u4"), ("oeps", "<u4")])
ARC = np.dtype([("ilabel", "<i4"), ("olabel", "<i4"), ("weight", "<f4"), ("next", "<i4")])
_EXPANDED = 1


class FstError(ValueError):
    """The file is not a const transducer of the standard arc type."""


@dataclass(frozen=True, slots=True)
class Fst:
    """Arcs in the order of their source states; `source` int64 [arcs], `arcs` ARC [arcs], `final` float32 [states]."""

    start: int
    final: npt.NDArray[np.float32]
    source: npt.NDArray[np.int64]
    arcs: npt.NDArray[Any]

    @property
    def states(self) -> int:
        return len(self.final)


def assemble(
    start: int,
    final: npt.NDArray[np.float32],
    source: npt.ArrayLike,
    ilabel: npt.ArrayLike,
    olabel: npt.ArrayLike,
    weight: npt.ArrayLike,
    target: npt.ArrayLike,
    *,
    by: str = "ilabel",
) -> Fst:
    """A transducer from columns; arcs are sorted by source state, then by `by` (ilabel or olabel)."""
    src = np.asarray(source, dtype=np.int64)
    arcs = np.zeros(len(src), dtype=ARC)
    for name, column in (("ilabel", ilabel), ("olabel", olabel), ("weight", weight), ("next", target)):
        arcs[name] = column
    order = np.lexsort((arcs[by], src))
    return Fst(start, final.astype(np.float32), src[order], arcs[order])


def write(fst: Fst, path: Path) -> None:
    """Write as a ConstFst."""
    states = np.zeros(fst.states, dtype=STATE)
    states["final"] = fst.final
    counts = np.bincount(fst.source, minlength=fst.states)
    states["arcs"] = counts
    states["first"] = np.concatenate([[0], np.cumsum(counts)[:-1]]) if fst.states else 0
    states["ieps"] = np.bincount(fst.source[fst.arcs["ilabel"] == 0], minlength=fst.states)
    states["oeps"] = np.bincount(fst.source[fst.arcs["olabel"] == 0], minlength=fst.states)
    with path.open("wb") as out:
        out.write(struct.pack("<i", MAGIC) + _text(b"const") + _text(b"standard"))
        out.write(struct.pack("<iiQqqq", 2, 0, _EXPANDED, fst.start, fst.states, len(fst.arcs)))
        out.write(states.tobytes())
        out.write(fst.arcs.tobytes())


def read(path: Path) -> Fst:
    """Read a ConstFst. Raises FstError."""
    raw = path.read_bytes()
    try:
        (magic,) = struct.unpack_from("<i", raw, 0)
        kind, at = _untext(raw, 4)
        arc_kind, at = _untext(raw, at)
        if magic != MAGIC or kind != b"const" or arc_kind != b"standard":
            raise FstError(f"{path.name}: not a const FST of standard arcs")
        version, flags, _, start, n_states, n_arcs = struct.unpack_from("<iiQqqq", raw, at)
        if flags & 3:
            raise FstError(f"{path.name}: an FST with symbol tables")
        at += struct.calcsize("<iiQqqq")
        at = _aligned(at, version)
        states = np.frombuffer(raw, dtype=STATE, count=n_states, offset=at)
        at = _aligned(at + n_states * STATE.itemsize, version)
        arcs = np.frombuffer(raw, dtype=ARC, count=n_arcs, offset=at)
    except (struct.error, ValueError) as error:
        raise FstError(f"{path.name}: truncated or damaged: {error}") from None
    source = np.repeat(np.arange(n_states, dtype=np.int64), states["arcs"])
    return Fst(start, states["final"].copy(), source, arcs.copy())


def to_kaldifst(fst: Fst) -> Any:
    """The same transducer as a kaldifst.StdConstFst."""
    kaldifst = load("kaldifst")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "fst"
        write(fst, path)
        return kaldifst.StdConstFst.read(str(path))


def from_kaldifst(machine: Any) -> Fst:
    """The arrays of a kaldifst transducer of any kind."""
    kaldifst = load("kaldifst")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "fst"
        kaldifst.StdConstFst(machine).write(str(path))
        return read(path)


def _aligned(at: int, version: int) -> int:
    return -(-at // 16) * 16 if version == 1 else at


def _text(value: bytes) -> bytes:
    return struct.pack("<i", len(value)) + value


def _untext(raw: bytes, at: int) -> tuple[bytes, int]:
    (length,) = struct.unpack_from("<i", raw, at)
    if not 0 < length < 64:
        raise FstError("not an FST")
    return raw[at + 4 : at + 4 + length], at + 4 + length
