"""Vectors in memory, searched exactly enough: a coarse pass over sign bits, then true cosines of the nearest few.

One bit a dimension (the sign after the mean is taken off) makes 512 dimensions 64 bytes; the Hamming distance of all
vectors costs a few passes over contiguous memory, with numpy alone. The coarse pass keeps a few hundred vectors; the
answer is their exact order by the float16 vectors. `python -m bench.kb` measures how often the full search differs.

A `VectorIndex` never changes: `extended` and `without` give new ones that share memory with the old, so that a search
that has begun is not disturbed by a write.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

_BLOCK = 32_768  # vectors of one pass: their distances and one word of their bits fit the second-level cache
_COARSE = 256  # vectors that survive the coarse pass, at least
_SPARE = 1.5  # room to grow: arrays are this much longer than what is in them
_TRAINED = 4  # the mean is taken anew when the index has grown this many times over

Floats = npt.NDArray[np.float32]
Halves = npt.NDArray[np.float16]
Bits = npt.NDArray[np.uint64]


@dataclass(frozen=True, slots=True)
class VectorIndex:
    """Vectors with their owners (row ids of entries); one owner may have several.

    halves: float16 [room, dim]. bits: uint64 [dim / 64, room]. owners: int64 [room]. alive: bool [size].
    mean: float32 [dim], of the first `trained` vectors.
    Only the first `size` places are of this index; a longer index that was made from it may use the rest.
    """

    halves: Halves
    bits: Bits
    owners: npt.NDArray[np.int64]
    alive: npt.NDArray[np.bool_]
    mean: Floats
    trained: int
    size: int

    @staticmethod
    def build(vectors: Halves, owners: npt.NDArray[np.int64], dim: int) -> VectorIndex:
        """An index of `vectors` [n, dim], of unit length, that belong to `owners` [n]."""
        mean = vectors.mean(axis=0, dtype=np.float32) if len(vectors) else np.zeros(dim, np.float32)
        empty = VectorIndex(
            np.empty((0, dim), np.float16),
            np.empty((-(-dim // 64), 0), np.uint64),
            np.empty(0, np.int64),
            np.empty(0, np.bool_),
            mean,
            len(vectors),
            0,
        )
        return empty._extended(vectors, owners)

    def extended(self, vectors: Halves, owners: npt.NDArray[np.int64]) -> VectorIndex:
        """This index and `vectors` [n, dim] of `owners` [n]."""
        if self.size + len(vectors) <= _TRAINED * self.trained:
            return self._extended(vectors, owners)
        kept = self.alive
        return VectorIndex.build(
            np.concatenate([self.halves[: self.size][kept], vectors]),
            np.concatenate([self.owners[: self.size][kept], owners]),
            len(self.mean),
        )

    def _extended(self, vectors: Halves, owners: npt.NDArray[np.int64]) -> VectorIndex:
        size = self.size + len(vectors)
        halves, bits, kept = self.halves, self.bits, self.owners
        if size > len(halves):
            room = int(size * _SPARE)
            halves = np.empty((room, halves.shape[1]), np.float16)
            bits = np.empty((bits.shape[0], room), np.uint64)
            kept = np.empty(room, np.int64)
            halves[: self.size] = self.halves[: self.size]
            bits[:, : self.size] = self.bits[:, : self.size]
            kept[: self.size] = self.owners[: self.size]
        halves[self.size : size] = vectors
        bits[:, self.size : size] = _signs(vectors, self.mean)
        kept[self.size : size] = owners
        alive = np.concatenate([self.alive, np.ones(len(vectors), np.bool_)])
        return VectorIndex(halves, bits, kept, alive, self.mean, self.trained, size)

    def without(self, owners: Collection[int]) -> VectorIndex:
        """This index less the vectors of `owners`; made anew once a third of it is dead."""
        if not owners:
            return self
        alive = self.alive & ~np.isin(self.owners[: self.size], np.fromiter(owners, np.int64, len(owners)))
        if alive.sum() * 3 < self.size * 2:
            return VectorIndex.build(self.halves[: self.size][alive], self.owners[: self.size][alive], len(self.mean))
        return VectorIndex(self.halves, self.bits, self.owners, alive, self.mean, self.trained, self.size)

    def nearest(
        self, query: Floats, limit: int, *, among: npt.NDArray[np.int64] | None = None
    ) -> list[tuple[int, float]]:
        """The `limit` owners with the nearest vector, and its cosine; `among` restricts the owners."""
        if not self.size:
            return []
        open_ = self.alive if among is None else self.alive & np.isin(self.owners[: self.size], among)
        places = self._coarse(query, max(_COARSE, 8 * limit), open_)
        cosines = self.halves[places].astype(np.float32) @ query
        best: dict[int, float] = {}
        for place in np.argsort(-cosines, kind="stable"):
            best.setdefault(int(self.owners[places[place]]), float(cosines[place]))
            if len(best) == limit:
                break
        return list(best.items())

    def cosines(self, query: Floats, owners: Iterable[int]) -> dict[int, float]:
        """Cosine of the nearest vector of each of these few owners."""
        wanted = np.fromiter(owners, np.int64)
        places = np.flatnonzero(np.isin(self.owners[: self.size], wanted) & self.alive)
        best: dict[int, float] = {}
        for place, cosine in zip(places, self.halves[places].astype(np.float32) @ query, strict=True):
            owner = int(self.owners[place])
            best[owner] = max(best.get(owner, -1.0), float(cosine))
        return best

    def _coarse(self, query: Floats, keep: int, open_: npt.NDArray[np.bool_]) -> npt.NDArray[np.intp]:
        """Places of about `keep` open vectors with the smallest Hamming distance to the query."""
        signs = _signs(query[None], self.mean)[:, 0]
        distances = np.empty(self.size, np.uint16)
        for start in range(0, self.size, _BLOCK):
            stop = min(start + _BLOCK, self.size)
            total = distances[start:stop]
            total[:] = 0
            for word, sign in zip(self.bits, signs, strict=True):
                total += np.bitwise_count(word[start:stop] ^ sign)
        distances[~open_] = np.iinfo(np.uint16).max
        if self.size <= keep:
            return np.flatnonzero(open_)
        reach = np.bincount(distances[open_], minlength=len(self.bits) * 64 + 1).cumsum()
        bound = int(np.searchsorted(reach, keep))
        return np.flatnonzero(distances <= bound) if bound < len(reach) else np.flatnonzero(open_)


def _signs(vectors: npt.NDArray[np.float16] | Floats, mean: Floats) -> Bits:
    """uint64 [dim / 64, n]: one bit a dimension."""
    packed = np.packbits(vectors > mean, axis=1)
    missing = -packed.shape[1] % 8
    if missing:
        packed = np.pad(packed, ((0, 0), (0, missing)))
    return np.ascontiguousarray(packed.view(np.uint64).T)
