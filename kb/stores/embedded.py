"""The embedded store: one SQLite file holds entries, words (FTS5), syllables and vectors; vectors are in memory, too.

A search sees one state of all of them: it opens a read transaction, reads the index's generation in it, and takes the
vectors of that same generation. A write puts the new vectors beside the old before it commits, so neither waits for the
other. Another process may write to the same file; the generation tells, and the vectors are read anew.

Survives a crash: what was committed is on disk (WAL, synchronous=FULL), what was not is gone.
"""

from __future__ import annotations

import sqlite3
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import numpy as np

from common.aio import InferencePool
from common.errors import Misconfigured, Unavailable
from common.telemetry import get_logger
from kb.api import Entry
from kb.stores import Candidate, Document, Found, Probe, sqlite
from kb.stores.fusion import fuse
from kb.stores.vectors import VectorIndex

log = get_logger(__name__)
R = TypeVar("R")
Change = Callable[[sqlite3.Connection, VectorIndex], tuple[int, VectorIndex]]
_BUSY_S = 10.0


class EmbeddedStore:
    """`Store` on one SQLite file. `dim` is the length of the vectors; `threads` bounds the searches at once."""

    def __init__(self, path: Path, dim: int, *, threads: int = 2) -> None:
        self._path = path
        self._dim = dim
        self._readers = InferencePool(threads, waiting=256, name="kb-read")
        self._writer = InferencePool(1, waiting=64, name="kb-write")
        self._local = threading.local()
        self._opened: list[sqlite3.Connection] = []
        self._loading = threading.Lock()
        self._indexes: dict[int, VectorIndex] = {}  # by generation: the newest two, the second perhaps not committed
        path.parent.mkdir(parents=True, exist_ok=True)
        with _errors(path):
            self._prepare()

    async def find(self, probe: Probe, *, limit: int, tags: Sequence[str] = ()) -> Found:
        """See `Store`."""
        return await self._read(lambda db: self._find(db, probe, limit, tags))

    async def generation(self) -> int:
        """See `Store`."""
        return await self._read(_generation)

    async def count(self) -> int:
        """See `Store`."""
        return await self._read(sqlite.count)

    async def entries(self, *, after: str = "", limit: int = 1000) -> tuple[Entry, ...]:
        """See `Store`."""
        return await self._read(lambda db: sqlite.page(db, after, limit))

    async def ids(self, prefix: str = "") -> tuple[str, ...]:
        """See `Store`."""
        return await self._read(lambda db: sqlite.ids(db, prefix))

    async def vocabulary(self) -> Mapping[str, int]:
        """See `Store`."""
        return await self._read(sqlite.vocabulary)

    async def recipe(self) -> str:
        """See `Store`."""
        return await self._read(lambda db: sqlite.meta(db, "recipe"))

    async def write(self, documents: Sequence[Document]) -> int:
        """See `Store`."""
        latest = {document.entry.id: document for document in documents}

        def change(db: sqlite3.Connection, index: VectorIndex) -> tuple[int, VectorIndex]:
            index = index.without(sqlite.remove(db, latest))
            held: Counter[str] = Counter()
            rows = []
            for document in latest.values():
                rows.append(sqlite.insert(db, document))
                held.update(sqlite.terms_of(document.title, document.variants, document.content, document.sounds))
            sqlite.count_terms(db, held, 1)
            vectors = np.concatenate([document.vectors for document in latest.values()])
            owners = np.repeat(np.array(rows, np.int64), [len(document.vectors) for document in latest.values()])
            return len(latest), index.extended(vectors.astype(np.float16), owners)

        return await self._writer.run(self._change, change) if latest else 0

    async def delete(self, ids: Sequence[str]) -> int:
        """See `Store`."""

        def change(db: sqlite3.Connection, index: VectorIndex) -> tuple[int, VectorIndex]:
            removed = sqlite.remove(db, ids)
            return len(removed), index.without(removed)

        return await self._writer.run(self._change, change) if ids else 0

    async def set_recipe(self, recipe: str) -> None:
        """See `Store`."""

        def change(db: sqlite3.Connection, index: VectorIndex) -> tuple[int, VectorIndex]:
            sqlite.set_meta(db, "recipe", recipe)
            return 1, index

        await self._writer.run(self._change, change)

    async def aclose(self) -> None:
        """See `Store`."""
        await self._writer.aclose()
        await self._readers.aclose()
        while self._opened:
            self._opened.pop().close()

    def _find(self, db: sqlite3.Connection, probe: Probe, limit: int, tags: Sequence[str]) -> Found:
        index = self._index(db)
        among = sqlite.rows_with(db, tags)
        holding = sqlite.frequency(db, {*probe.words, *probe.sounds})
        by_words = sqlite.match(db, probe.words, sqlite.BY_WORDS, holding, limit=limit, among=among)
        by_sound = sqlite.match(db, probe.sounds, sqlite.BY_SOUND, holding, limit=limit, among=among)
        near = index.nearest(probe.vector, limit, among=None if among is None else np.array(among, np.int64))
        rows = fuse((by_words, by_sound, [row for row, _ in near]), limit)
        cosines = dict(near)
        cosines |= index.cosines(probe.vector, set(rows) - cosines.keys())
        fetched = {row: (entry, words) for row, entry, words in sqlite.fetch(db, rows)}
        candidates = tuple(Candidate(fetched[row][0], *fetched[row][1], cosines.get(row, 0.0)) for row in rows)
        return Found(candidates, holding, sqlite.count(db), _generation(db))

    def _index(self, db: sqlite3.Connection) -> VectorIndex:
        """The vectors of the generation that this transaction sees."""
        generation = _generation(db)
        if (index := self._indexes.get(generation)) is not None:
            return index
        with self._loading:
            if (index := self._indexes.get(generation)) is None:
                index = VectorIndex.build(*sqlite.vectors(db, self._dim), self._dim)
                if generation > max(self._indexes, default=0):
                    self._indexes = {generation: index}
                log.debug("kb_vectors_loaded", vectors=index.size, generation=generation)
        return index

    async def _read(self, work: Callable[[sqlite3.Connection], R]) -> R:
        return await self._readers.run(self._read_now, work)

    def _read_now(self, work: Callable[[sqlite3.Connection], R]) -> R:
        """Run `work` in a transaction: all it reads is of one state."""
        with _errors(self._path):
            db = self._connection()
            db.execute("BEGIN")
            try:
                return work(db)
            finally:
                db.execute("ROLLBACK")

    def _change(self, change: Change) -> int:
        """Run `change` in a transaction that moves rows and vectors to the next generation together."""
        with _errors(self._path):
            db = self._connection()
            db.execute("BEGIN IMMEDIATE")
            after = _generation(db) + 1
            try:
                before = self._index(db)
                done, index = change(db, before)
                if done:
                    sqlite.set_meta(db, "generation", str(after))
                    self._indexes = {after - 1: before, after: index}
                db.execute("COMMIT")
            except BaseException:
                self._indexes.pop(after, None)
                db.execute("ROLLBACK")
                raise
            return done

    def _prepare(self) -> None:
        db = self._connection()
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("BEGIN IMMEDIATE")
        try:
            sqlite.create(db)
            if (made := sqlite.meta(db, "format")) != sqlite.FORMAT:
                raise Misconfigured(
                    f"{self._path} has index format {made}, this version reads {sqlite.FORMAT}; "
                    "move the file away and import the documents again"
                )
            self._index(db)
            db.execute("COMMIT")
        except BaseException:
            db.execute("ROLLBACK")
            raise

    def _connection(self) -> sqlite3.Connection:
        """This thread's connection."""
        db: sqlite3.Connection | None = getattr(self._local, "db", None)
        if db is None:
            db = sqlite3.connect(self._path, timeout=_BUSY_S, isolation_level=None, check_same_thread=False)
            db.execute("PRAGMA synchronous = FULL")
            self._local.db = db
            self._opened.append(db)
        return db


def _generation(db: sqlite3.Connection) -> int:
    return int(sqlite.meta(db, "generation") or 0)


@contextmanager
def _errors(path: Path) -> Iterator[None]:
    """SQLite's errors as ours."""
    try:
        yield
    except sqlite3.OperationalError as error:
        raise Unavailable(f"knowledge index {path}: {error}") from error
    except sqlite3.DatabaseError as error:
        raise Misconfigured(
            f"knowledge index {path} cannot be read: {error}; move the file away and import again"
        ) from error
