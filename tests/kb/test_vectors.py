"""The vector index against a plain full search."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from kb.stores.vectors import VectorIndex

DIM = 512


def unit(rng: np.random.Generator, n: int) -> npt.NDArray[np.float16]:
    """Vectors in clusters, off centre as real ones are."""
    centres = rng.standard_normal((40, DIM)) + 0.5
    found = centres[rng.integers(40, size=n)] + 0.7 * rng.standard_normal((n, DIM))
    return (found / np.linalg.norm(found, axis=1, keepdims=True)).astype(np.float16)


def full(vectors: npt.NDArray[np.float16], owners: npt.NDArray[np.int64], query: npt.NDArray[np.float32]) -> list[int]:
    """Owners by their nearest vector."""
    order = np.argsort(-(vectors.astype(np.float32) @ query), kind="stable")
    return list(dict.fromkeys(owners[order].tolist()))


def test_agrees_with_the_full_search() -> None:
    rng = np.random.default_rng(1)
    vectors, owners = unit(rng, 8000), np.repeat(np.arange(2000), 4)
    index = VectorIndex.build(vectors, owners, DIM)
    agreed = 0
    for place in rng.integers(8000, size=20):
        query = vectors[place].astype(np.float32) + 0.05 * rng.standard_normal(DIM).astype(np.float32)
        query /= np.linalg.norm(query)
        found = index.nearest(query, 10)
        assert found[0][0] == full(vectors, owners, query)[0]
        assert [cosine for _, cosine in found] == sorted((cosine for _, cosine in found), reverse=True)
        agreed += len({owner for owner, _ in found} & set(full(vectors, owners, query)[:10]))
    assert agreed >= 0.9 * 200


def test_growing_and_shrinking_leave_older_indexes_alone() -> None:
    rng = np.random.default_rng(2)
    vectors, owners = unit(rng, 900), np.arange(900)
    queries = vectors[:50].astype(np.float32)
    first = VectorIndex.build(vectors[:300], owners[:300], DIM)
    grown = first.extended(vectors[300:600], owners[300:600]).extended(vectors[600:], owners[600:])
    less = grown.without(range(0, 900, 2))
    tiny = less.without(range(1, 890, 2))
    for place, query in enumerate(queries):
        assert first.nearest(query, 3) == VectorIndex.build(vectors[:300], owners[:300], DIM).nearest(query, 3)
        assert grown.nearest(query, 1)[0][0] == place
        assert all(owner % 2 for owner, _ in less.nearest(query, 20))
        assert {owner for owner, _ in tiny.nearest(query, 20)} <= {891, 893, 895, 897, 899}
    assert less.cosines(queries[0], [0, 1]).keys() == {1}
    assert tiny.size < less.size  # the dead were swept out


def test_restricted_to_some_owners() -> None:
    rng = np.random.default_rng(3)
    vectors = unit(rng, 500)
    index = VectorIndex.build(vectors, np.arange(500) // 2, DIM)
    found = index.nearest(vectors[0].astype(np.float32), 5, among=np.array([7, 100, 8]))
    assert {owner for owner, _ in found} == {7, 8, 100}


def test_empty() -> None:
    index = VectorIndex.build(np.empty((0, DIM), np.float16), np.empty(0, np.int64), DIM)
    query = np.ones(DIM, np.float32)
    assert index.nearest(query, 5) == [] and index.cosines(query, [1]) == {}
    one = index.extended(unit(np.random.default_rng(4), 1), np.array([9]))
    assert one.nearest(query, 5)[0][0] == 9 and one.without([9]).nearest(query, 5) == []
