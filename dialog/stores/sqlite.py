"""Conversations in one SQLite file. One connection on one thread; several processes may share the file (WAL)."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from common.aio import InferencePool
from common.errors import Conflict, Misconfigured, Unavailable
from dialog.events import Recorded, dump, load
from dialog.store import Stored

T = TypeVar("T")
_SCHEMA = """
PRAGMA journal_mode = WAL;
PRAGMA synchronous = NORMAL;
PRAGMA secure_delete = ON;
CREATE TABLE IF NOT EXISTS event (
    session TEXT NOT NULL, seq INTEGER NOT NULL, at REAL NOT NULL, body BLOB NOT NULL, PRIMARY KEY (session, seq)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS vault (session TEXT PRIMARY KEY, sealed BLOB NOT NULL, until REAL NOT NULL) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS vault_until ON vault (until);
"""
_WAITING = 2_000


class SqliteStore:
    """`Store` over a file. `clock` gives epoch seconds (it is compared across processes)."""

    def __init__(self, path: Path, *, vault_ttl_s: float, clock: Callable[[], float] = time.time) -> None:
        self._pool = InferencePool(1, waiting=_WAITING, name="dialog-sqlite")
        self._vault_ttl_s = vault_ttl_s
        self._clock = clock
        self._closed = False
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._db = sqlite3.connect(path, timeout=5.0, isolation_level=None, check_same_thread=False)
            self._db.executescript(_SCHEMA)
        except sqlite3.Error as error:
            raise Misconfigured(f"the dialog store {path} cannot be opened: {error}") from None

    async def load(self, session: str) -> Stored:
        """See `Store`."""
        return await self._run(lambda: self._load(session))

    def _load(self, session: str) -> Stored:
        rows = self._db.execute("SELECT body FROM event WHERE session = ? ORDER BY seq", (session,)).fetchall()
        row = self._db.execute(
            "SELECT sealed FROM vault WHERE session = ? AND until > ?", (session, self._clock())
        ).fetchone()
        return Stored(tuple(load(body) for (body,) in rows), row[0] if row else b"")

    async def append(self, session: str, version: int, events: Sequence[Recorded], sealed: bytes | None) -> None:
        """See `Store`."""
        await self._run(lambda: self._append(session, version, events, sealed))

    def _append(self, session: str, version: int, events: Sequence[Recorded], sealed: bytes | None) -> None:
        now = self._clock()
        self._db.execute("BEGIN IMMEDIATE")
        try:
            (found,) = self._db.execute(
                "SELECT coalesce(max(seq), 0) FROM event WHERE session = ?", (session,)
            ).fetchone()
            if found != version:
                raise Conflict(f"session {session} has moved on from version {version} to {found}; read it again")
            self._db.executemany(
                "INSERT INTO event VALUES (?, ?, ?, ?)", [(session, e.seq, e.at, dump(e)) for e in events]
            )
            if sealed == b"":
                self._db.execute("DELETE FROM vault WHERE session = ?", (session,))
            elif sealed is not None:
                self._db.execute("REPLACE INTO vault VALUES (?, ?, ?)", (session, sealed, now + self._vault_ttl_s))
            self._db.execute("DELETE FROM vault WHERE until <= ?", (now,))
            self._db.execute("COMMIT")
        except BaseException:
            self._db.execute("ROLLBACK")
            raise

    async def _run(self, work: Callable[[], T]) -> T:
        if self._closed:
            raise Unavailable("the dialog store is closed")
        try:
            return await self._pool.run(work)
        except sqlite3.Error as error:
            raise Unavailable(f"the dialog store failed: {error}") from None

    async def aclose(self) -> None:
        """Finish what runs and close the file; may be called twice."""
        if not self._closed:
            self._closed = True
            await self._pool.aclose()
            self._db.close()
