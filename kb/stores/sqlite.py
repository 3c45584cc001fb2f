"""The SQL of the embedded store: schema, and queries as functions of a connection. No threads, no transactions."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from kb.api import Entry, EntryKind
from kb.stores import Document

FORMAT = "1"
BY_WORDS = ("{title variants content}", "bm25(3.0, 3.0, 1.0, 0.0)")
BY_SOUND = ("{sounds}", "bm25(0.0, 0.0, 0.0, 1.0)")

_COMMON = 0.02  # a term that more entries than this share hold is looked up only when there are no rarer ones
_FEW = 500  # entries that hold a term, below which it is not common in however small an index
_TERMS = 8  # terms of a query that are looked up, the rarest first
_VARIANT = " / "  # between the words of two variants
_SCHEMA = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE entries (
    row INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, kind TEXT NOT NULL, title TEXT NOT NULL, content TEXT NOT NULL,
    variants TEXT NOT NULL, tags TEXT NOT NULL, source TEXT NOT NULL, updated_at TEXT NOT NULL
);
CREATE TABLE tags (tag TEXT NOT NULL, row INTEGER NOT NULL, PRIMARY KEY (tag, row)) WITHOUT ROWID;
CREATE TABLE terms (term TEXT PRIMARY KEY, entries INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE vectors (number INTEGER PRIMARY KEY, row INTEGER NOT NULL, vector BLOB NOT NULL);
CREATE INDEX vectors_row ON vectors (row);
CREATE VIRTUAL TABLE search USING fts5 (
    title, variants, content, sounds, tokenize = "unicode61 remove_diacritics 0 tokenchars '_%℃'"
);
INSERT INTO meta VALUES ('format', '1'), ('generation', '1'), ('recipe', '');
"""
_COLUMNS = "entries.id, kind, entries.title, entries.content, entries.variants, tags, source, updated_at"

Words = tuple[tuple[str, ...], tuple[tuple[str, ...], ...], tuple[str, ...], tuple[str, ...]]


def create(db: sqlite3.Connection) -> None:
    """Make the tables of an empty database; nothing when there are tables already."""
    if db.execute("SELECT 1 FROM sqlite_master").fetchone():
        return
    for statement in _SCHEMA.split(";\n"):
        if statement.strip():
            db.execute(statement)


def meta(db: sqlite3.Connection, key: str) -> str:
    """A value of the meta table; "" for a missing key."""
    row = db.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
    return str(row[0]) if row else ""


def set_meta(db: sqlite3.Connection, key: str, value: str) -> None:
    """Set a value of the meta table."""
    db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, value))


def count(db: sqlite3.Connection) -> int:
    """Number of entries."""
    return int(db.execute("SELECT count(*) FROM entries").fetchone()[0])


def ids(db: sqlite3.Connection, prefix: str) -> tuple[str, ...]:
    """Ids that begin with `prefix`, sorted."""
    query = "SELECT id FROM entries WHERE id >= ?1 AND substr(id, 1, length(?1)) = ?1 ORDER BY id"
    return tuple(str(row[0]) for row in db.execute(query, (prefix,)))


def page(db: sqlite3.Connection, after: str, limit: int) -> tuple[Entry, ...]:
    """Entries with id > `after`, sorted by id."""
    query = f"SELECT {_COLUMNS} FROM entries WHERE id > ? ORDER BY id LIMIT ?"
    return tuple(_entry(row) for row in db.execute(query, (after, limit)))


def rows_with(db: sqlite3.Connection, tags: Sequence[str]) -> list[int] | None:
    """Rows that carry all of `tags`; None = no restriction."""
    if not tags:
        return None
    wanted = sorted(set(tags))
    marks = ", ".join("?" * len(wanted))
    query = f"SELECT row FROM tags WHERE tag IN ({marks}) GROUP BY row HAVING count(*) = ?"
    return [int(row[0]) for row in db.execute(query, (*wanted, len(wanted)))]


def frequency(db: sqlite3.Connection, terms: Collection[str]) -> dict[str, int]:
    """Number of entries that hold each of `terms`."""
    marks = ", ".join("?" * len(terms))
    known = dict(db.execute(f"SELECT term, entries FROM terms WHERE term IN ({marks})", tuple(terms)))
    return {term: int(known.get(term, 0)) for term in terms}


def vocabulary(db: sqlite3.Connection) -> dict[str, int]:
    """Number of entries that hold each word of two to four characters (syllable pairs are longer or have a `_`)."""
    query = "SELECT term, entries FROM terms WHERE length(term) BETWEEN 2 AND 4 AND instr(term, '_') = 0"
    return dict(db.execute(query))


def match(
    db: sqlite3.Connection,
    terms: Iterable[str],
    how: tuple[str, str],
    holding: Mapping[str, int],
    *,
    limit: int,
    among: Sequence[int] | None,
) -> list[int]:
    """The best `limit` rows that hold any of the telling `terms`, best first; `how` is BY_WORDS or BY_SOUND."""
    telling = _telling(db, terms, holding)
    if not telling:
        return []
    columns, rank = how
    quoted = " OR ".join(f'"{term}"' for term in telling)
    question = f"{columns} : ({quoted})"
    only = "" if among is None else "AND rowid IN (SELECT value FROM json_each(?)) "
    query = f"SELECT rowid FROM search WHERE search MATCH ? {only}AND rank MATCH '{rank}' ORDER BY rank LIMIT ?"
    values = (question, limit) if among is None else (question, json.dumps(among), limit)
    return [int(row[0]) for row in db.execute(query, values)]


def _telling(db: sqlite3.Connection, terms: Iterable[str], holding: Mapping[str, int]) -> list[str]:
    """The rarest of `terms`: the common ones cost the most time and say the least."""
    known = sorted((term for term in dict.fromkeys(terms) if holding.get(term)), key=lambda term: holding[term])
    bound = max(_FEW, int(count(db) * _COMMON))
    rare = [term for term in known if holding[term] <= bound]
    return rare[:_TERMS] or known[:2]


def fetch(db: sqlite3.Connection, rows: Collection[int]) -> Iterator[tuple[int, Entry, Words]]:
    """Row, entry and words of each of `rows`."""
    query = (
        f"SELECT {_COLUMNS}, entries.row, search.title, search.variants, search.content, search.sounds "
        "FROM json_each(?) JOIN entries ON entries.row = value JOIN search ON search.rowid = value"
    )
    for found in db.execute(query, (json.dumps(list(rows)),)):
        *columns, row, title, variants, content, sounds = found
        each = tuple(tuple(words.split()) for words in variants.split(_VARIANT.strip()) if words.strip())
        yield row, _entry(columns), (tuple(title.split()), each, tuple(content.split()), tuple(sounds.split()))


def insert(db: sqlite3.Connection, document: Document) -> int:
    """Add one document whose id is not there; returns its row."""
    entry = document.entry
    lists = (json.dumps(entry.variants, ensure_ascii=False), json.dumps(entry.tags, ensure_ascii=False))
    cursor = db.execute(
        "INSERT INTO entries (id, kind, title, content, variants, tags, source, updated_at) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (entry.id, entry.kind.value, entry.title, entry.content, *lists, entry.source, entry.updated_at),
    )
    row = int(cursor.lastrowid or 0)
    variants = _VARIANT.join(" ".join(words) for words in document.variants)
    words = (" ".join(document.title), variants, " ".join(document.content), " ".join(document.sounds))
    db.execute("INSERT INTO search (rowid, title, variants, content, sounds) VALUES (?, ?, ?, ?, ?)", (row, *words))
    db.executemany("INSERT INTO tags VALUES (?, ?)", ((tag, row) for tag in dict.fromkeys(entry.tags)))
    db.executemany(
        "INSERT INTO vectors (row, vector) VALUES (?, ?)",
        ((row, vector.tobytes()) for vector in document.vectors.astype(np.float16)),
    )
    return row


def remove(db: sqlite3.Connection, ids: Collection[str]) -> list[int]:
    """Delete entries by id, with their words, tags and vectors; returns the rows there were."""
    query = "SELECT row FROM entries WHERE id IN (SELECT value FROM json_each(?))"
    rows = [int(row[0]) for row in db.execute(query, (json.dumps(list(ids)),))]
    held: Counter[str] = Counter()
    for _, _, words in fetch(db, rows):
        held.update(terms_of(*words))
    count_terms(db, held, -1)
    each = [(row,) for row in rows]
    for table, key in (("search", "rowid"), ("tags", "row"), ("vectors", "row"), ("entries", "row")):
        db.executemany(f"DELETE FROM {table} WHERE {key} = ?", each)
    return rows


def terms_of(
    title: tuple[str, ...], variants: tuple[tuple[str, ...], ...], content: tuple[str, ...], sounds: tuple[str, ...]
) -> set[str]:
    """Every word and syllable pair of an entry, once."""
    return {*title, *(word for words in variants for word in words), *content, *sounds}


def count_terms(db: sqlite3.Connection, held: Mapping[str, int], sign: int) -> None:
    """Add (sign 1) or take off (-1) entries that hold each term."""
    db.executemany(
        "INSERT INTO terms VALUES (?1, ?2) ON CONFLICT (term) DO UPDATE SET entries = entries + ?2",
        ((term, sign * number) for term, number in held.items()),
    )
    if sign < 0:
        db.execute("DELETE FROM terms WHERE entries <= 0")


def vectors(db: sqlite3.Connection, dim: int) -> tuple[npt.NDArray[np.float16], npt.NDArray[np.int64]]:
    """All vectors of length `dim` [n, dim] and the rows they belong to [n]."""
    size = dim * 2
    total = int(db.execute("SELECT count(*) FROM vectors WHERE length(vector) = ?", (size,)).fetchone()[0])
    found, owners = np.empty((total, dim), np.float16), np.empty(total, np.int64)
    query = "SELECT row, vector FROM vectors WHERE length(vector) = ? ORDER BY number"
    for place, (row, vector) in enumerate(db.execute(query, (size,))):
        owners[place], found[place] = row, np.frombuffer(vector, np.float16)
    return found, owners


def _entry(row: Sequence[str]) -> Entry:
    id_, kind, title, content, variants, tags, source, updated_at = row
    return Entry(
        id=id_,
        kind=EntryKind(kind),
        title=title,
        content=content,
        variants=tuple(json.loads(variants)),
        tags=tuple(json.loads(tags)),
        source=source,
        updated_at=updated_at,
    )
