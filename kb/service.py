"""The knowledge base over a store: makes entries and questions ready, judges what was found, words the answer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
from prometheus_client import Counter, Histogram

from common.aio import InferencePool, TaskSet
from common.embedding import SentenceEncoder
from common.errors import BadInput
from common.telemetry import get_logger
from kb import text
from kb.api import PATH, Answer, Entry, EntryKind, Hit
from kb.cache import AnswerCache
from kb.ranking import Calibration, judge, look_all
from kb.spelling import Spelling
from kb.stores import Document, Probe, Store
from kb.wording import best_sentences, spoken_part

log = get_logger(__name__)
_seconds = Histogram(
    "hotline_kb_search_seconds",
    "Time of one search",
    buckets=(0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2),
)
_unknown = Counter("hotline_kb_unknown_total", "Questions without a sure answer")

LONGEST_QUERY = 500
LONGEST_TITLE, LONGEST_CONTENT, MOST_VARIANTS, MOST_TAGS = 500, 20_000, 200, 50
MOST_HITS = 100
_RECIPE = "2"  # changes when `_document` makes other vectors
_PIECE = {EntryKind.FAQ: 100, EntryKind.PASSAGE: 50}  # characters of content that one vector stands for
_POOL = 20  # entries taken from each of the searches
_BATCH = 64


class HybridKb:
    """`KbService` over any `Store`.

    An index that was made by another recipe (encoder, words) is made anew at first use, which takes minutes if it is
    large; `open` does so beforehand.
    """

    def __init__(
        self,
        store: Store,
        encoder: SentenceEncoder,
        fit: Calibration,
        *,
        threads: int = 2,
        spoken_characters: int = 90,
        cached_answers: int = 4096,
    ) -> None:
        self._store = store
        self._encoder = encoder
        self._fit = fit
        self._pool = InferencePool(threads, waiting=256, name="kb")
        self._spoken = spoken_characters
        self._cache = AnswerCache(cached_answers)
        self._opening = asyncio.Lock()
        self._open = False
        self._tasks = TaskSet()
        self._spelling = Spelling({})
        self._spelt = -1  # generation of the index whose vocabulary the spelling has
        self._learning: asyncio.Task[None] | None = None

    @property
    def recipe(self) -> str:
        """How this service makes documents ready: an index made otherwise must be made anew."""
        return f"{_RECIPE}/{text.VERSION}/{self._encoder.name}"

    async def search(self, query: str, *, limit: int = 5, tags: Sequence[str] = ()) -> tuple[Hit, ...]:
        """See `KbService`."""
        if not 1 <= limit <= MOST_HITS:
            raise BadInput(f"limit is {limit}; it must be 1 to {MOST_HITS}")
        hits, _ = await self._search(_checked_query(query), limit, tags)
        return tuple(hits[:limit])

    async def features(self, query: str) -> list[tuple[Hit, tuple[float, ...]]]:
        """What the judge sees of each candidate, for fitting the calibration."""
        await self.open()
        await self._learn()
        probe = await self._pool.run(self._probe, _checked_query(query))
        return look_all(probe, await self._store.find(probe, limit=_POOL), self._fit)

    def recalibrate(self, fit: Calibration) -> None:
        """Judge by `fit` from now on."""
        self._fit = fit

    async def _search(self, query: str, limit: int, tags: Sequence[str]) -> tuple[list[Hit], int]:
        await self.open()
        with _seconds.time():
            await self._learn()
            probe = await self._pool.run(self._probe, query)
            found = await self._store.find(probe, limit=max(_POOL, limit), tags=tags)
            return judge(probe, found, self._fit), found.generation

    def _probe(self, query: str) -> Probe:
        asked = self._spelling.corrected(text.normalise(query))
        return Probe(asked, text.words(asked), text.syllables(asked), self._encoder.encode([asked])[0])

    async def _learn(self) -> None:
        """Take up the vocabulary of an index that has changed: at once the first time, beside the search later."""
        generation = await self._store.generation()
        if generation != self._spelt and (self._learning is None or self._learning.done()):
            self._learning = self._tasks.spawn(self._relearn(generation), name="kb-spelling")
        if self._spelt < 0 and self._learning is not None:
            await asyncio.shield(self._learning)

    async def _relearn(self, generation: int) -> None:
        vocabulary = await self._store.vocabulary()
        self._spelling = await self._pool.run(Spelling, vocabulary, self._spelling.sounds)
        self._spelt = generation

    async def answer(self, question: str, *, tags: Sequence[str] = ()) -> Answer:
        """See `KbService`."""
        question = _checked_query(question)
        key = self._cache.key(question, tuple(tags))
        await self.open()
        if (kept := self._cache.get(key, await self._store.generation())) is not None:
            return kept
        hits, generation = await self._search(question, 5, tags)
        answer = await self._answer(question, tuple(hits[:5]))
        self._cache.put(key, generation, answer)
        return answer

    async def _answer(self, question: str, hits: tuple[Hit, ...]) -> Answer:
        if not hits or hits[0].score < self._fit.threshold:
            _unknown.inc()
            return Answer(known=False, text="", confidence=hits[0].score if hits else 0.0, hits=hits)
        entry = hits[0].entry
        if entry.kind is EntryKind.FAQ:
            said = spoken_part(entry.content)
        else:
            said = await self._pool.run(self._extract, question, entry)
        return Answer(known=True, text=said, confidence=hits[0].score, sources=(entry.id,), hits=hits)

    def _extract(self, question: str, entry: Entry) -> str:
        """The sentences that meet what the question asks beyond the passage's own title."""
        parts = text.sentences(entry.content)
        near = self._encoder.encode(parts) @ self._encoder.encode([text.normalise(question)])[0]
        asked, named = text.words(question), text.words(entry.title)
        return best_sentences([word for word in asked if word not in named], parts, near.tolist(), self._spoken)

    async def upsert(self, entries: Sequence[Entry]) -> int:
        """See `KbService`."""
        for entry in entries:
            _check_entry(entry)
        await self.open()
        return await self._write(entries)

    async def _write(self, entries: Sequence[Entry]) -> int:
        now = datetime.now(UTC).isoformat(timespec="seconds")
        return await self._store.write(await self._documents(entries, now))

    async def _documents(self, entries: Sequence[Entry], now: str) -> list[Document]:
        """Entries made ready, a batch at a time, so that questions get their turn between."""
        documents: list[Document] = []
        for start in range(0, len(entries), _BATCH):
            documents += await self._pool.run(self._ready, entries[start : start + _BATCH], now)
        return documents

    def _ready(self, entries: Sequence[Entry], now: str) -> list[Document]:
        spans = [vector_texts(entry) for entry in entries]
        vectors = self._encoder.encode([text.normalise(one) for span in spans for one in span])
        ends = np.cumsum([len(span) for span in spans])
        return [
            Document(
                entry=entry if entry.updated_at else replace(entry, updated_at=now),
                title=text.words(entry.title),
                variants=tuple(text.words(variant) for variant in entry.variants),
                content=text.words(entry.content),
                sounds=tuple(pair for one in (entry.title, *entry.variants) for pair in text.syllables(one)),
                vectors=part,
            )
            for entry, part in zip(entries, np.split(vectors, ends[:-1]), strict=True)
        ]

    async def delete(self, ids: Sequence[str]) -> int:
        """See `KbService`."""
        return await self._store.delete(tuple(ids))

    async def count(self) -> int:
        """See `KbService`."""
        return await self._store.count()

    async def texts(self) -> tuple[str, ...]:
        """See `KbService`."""
        return tuple([one async for entry in self._entries() for one in (entry.title, *entry.variants, entry.content)])

    async def ids(self, prefix: str = "") -> tuple[str, ...]:
        """See `KbService`."""
        return await self._store.ids(prefix)

    async def open(self) -> None:
        """Make the index anew if need be; may be called again."""
        async with self._opening:
            if self._open:
                return
            made, count = await self._store.recipe(), await self._store.count()
            if made != self.recipe:
                if count:
                    log.warning("kb_remaking_index", made=made, wanted=self.recipe, entries=count)
                await self._remake()
            self._open = True

    async def _remake(self) -> None:
        batch: list[Entry] = []
        async for entry in self._entries():
            batch.append(entry)
            if len(batch) == _BATCH:
                await self._write(batch)
                batch = []
        await self._write(batch)
        await self._store.set_recipe(self.recipe)

    async def _entries(self) -> AsyncIterator[Entry]:
        after = ""
        while page := await self._store.entries(after=after):
            for entry in page:
                yield entry
            after = page[-1].id

    async def aclose(self) -> None:
        """See `KbService`."""
        await self._tasks.aclose()
        await self._pool.aclose()
        await self._store.aclose()


def vector_texts(entry: Entry) -> list[str]:
    """What of an entry becomes vectors: every phrasing, and the content piece by piece under its heading."""
    heading = entry.title.rsplit(PATH, 1)[-1]
    size = _PIECE[entry.kind]
    return [heading, *entry.variants, *(f"{heading}：{piece}" for piece in text.pieces(entry.content, size))]


def _checked_query(query: str) -> str:
    query = query.strip()
    if not query:
        raise BadInput("the question is empty")
    if len(query) > LONGEST_QUERY:
        raise BadInput(f"the question has {len(query)} characters; at most {LONGEST_QUERY}")
    return query


def _check_entry(entry: Entry) -> None:
    """BadInput names the entry and what is wrong with it."""
    wrong = None
    if not entry.id.strip() or len(entry.id) > 300:
        wrong = "its id must have 1 to 300 characters"
    elif not entry.title.strip() or len(entry.title) > LONGEST_TITLE:
        wrong = f"its title must have 1 to {LONGEST_TITLE} characters"
    elif not entry.content.strip() or len(entry.content) > LONGEST_CONTENT:
        wrong = f"its content must have 1 to {LONGEST_CONTENT} characters"
    elif len(entry.variants) > MOST_VARIANTS or any(not v.strip() or len(v) > LONGEST_TITLE for v in entry.variants):
        wrong = f"it may have {MOST_VARIANTS} variants of 1 to {LONGEST_TITLE} characters each"
    elif len(entry.tags) > MOST_TAGS:
        wrong = f"it may have {MOST_TAGS} tags"
    if wrong:
        raise BadInput(f"entry {entry.id[:100]!r}: {wrong}")
