"""From an n-gram model and pronunciations to a decoding graph.

    G   the n-gram model as an acceptor of words; back-off arcs are epsilon
    LG  G with the word arcs of each state replaced by a tree of units, which is the lexicon composed with G and
        determinised up to homophones (general determinisation took 90 s and 5 GB for what this does in two seconds)
    H   CTC's topology, laid over LG directly: every unit may repeat, blank may stand between units ("compact" CTC of
        Laptev et al., "CTC variations through new WFST topologies", Interspeech 2022)

as in Mohri, Pereira and Riley, "Speech recognition with weighted finite-state transducers" (2008). Input labels of the
result are unit id + 1 (kaldi-decoder's convention: 0 is epsilon, 1 is blank), output labels are word ids.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from voice_gateway.asr.graph.fst import INFINITY, Fst, assemble
from voice_gateway.asr.graph.lexicon import Reading
from voice_gateway.asr.graph.ngram import BITS, FLOOR, NgramModel, _find, pack, unpack
from voice_gateway.asr.graph.numbers import Chain, chains, digit_probability
from voice_gateway.asr.units import INITIALS

BLANK_LABEL = 1


def grammar(model: NgramModel) -> Fst:
    """G: states are histories, arcs are n-grams; </s> gives final weights, the label len(words) backs off."""
    states: list[np.ndarray] = [np.zeros(1, dtype=np.int64)]
    offsets = [0]
    total = 1
    for n in range(1, model.order):
        heads = np.unique(model.orders[n].keys >> BITS)
        states.append(heads)
        offsets.append(total)
        total += len(heads)

    def state_of(grams: np.ndarray) -> np.ndarray:
        """State of the longest suffix of each row that is a history."""
        width = grams.shape[1]
        result = np.zeros(len(grams), dtype=np.int64)
        for n in range(1, min(width, model.order - 1) + 1):
            at, found = _find(states[n], pack(grams[:, width - n :]))
            result = np.where(found, offsets[n] + at, result)
        return result

    final = np.full(total, INFINITY, dtype=np.float32)
    columns: list[tuple[np.ndarray, ...]] = []
    for n in range(1, model.order + 1):
        table = model.orders[n - 1]
        grams = unpack(table.keys, n)
        source = offsets[n - 1] + _find(states[n - 1], table.keys >> BITS)[0] if n > 1 else np.zeros(len(table), int)
        last = grams[:, -1]
        ends = last == 1
        final[source[ends]] = -table.logp[ends]
        words = (last > 2) & (table.logp > FLOOR + 1)
        columns.append((source[words], last[words], -table.logp[words], state_of(grams[words])))
    for n in range(1, model.order):
        table = model.orders[n - 1]
        at, found = _find(table.keys, states[n])
        weight = np.where(found, -table.backoff[at], 0.0)
        grams = unpack(states[n], n)
        target = state_of(grams[:, 1:]) if n > 1 else np.zeros(len(grams), dtype=np.int64)
        columns.append((offsets[n] + np.arange(len(grams)), np.full(len(grams), len(model.words)), weight, target))
    source, label, weight, target = (np.concatenate(column) for column in zip(*columns, strict=True))
    start = int(state_of(np.zeros((1, 1), dtype=np.int64))[0])
    return assemble(start, final, source, label, label, weight, target)


def with_chains(
    gram: Fst,
    chains: Sequence[Chain],
    leads: Sequence[Sequence[int]],
    tails: Sequence[Sequence[int]],
    ids: Mapping[str, int],
    weight: float,
    dues: float = 0.0,
) -> Fst:
    """G with counted digit strings beside its n-grams: lead, chain, tail, taken with probability `weight`.

    Leads and tails are sequences of word ids (empty ones too), each as likely as often as it is given. Every digit of a
    chain costs `dues` more.
    """
    rows: list[tuple[int, int, float, int]] = []
    final = gram.final.tolist()

    def state(ending: float = float("inf")) -> int:
        final.append(ending)
        return len(final) - 1

    def path(words: Sequence[int], start: int, end: int, cost: float) -> None:
        here = start
        for word in words:
            there = state()
            rows.append((here, word, cost, there))
            here, cost = there, 0.0
        rows.append((here, 0, cost, end))

    begin, over = state(), state(0.0)
    after = state()
    rows.append((gram.start, 0, -float(np.log(weight)), begin))
    first = state()
    for phrases, start, end in ((leads, begin, first), (tails, after, over)):
        for phrase, times in Counter(map(tuple, phrases)).items():  # one path each: the search adds nothing up
            path(phrase, start, end, float(np.log(len(phrases) / times)))
    for chain in chains:
        here = state()
        rows.append((first, 0, -float(np.log(chain.probability)), here))
        for among, stop in zip(chain.digits, chain.stop, strict=True):
            if stop > 0:
                rows.append((here, 0, -float(np.log(stop)), after))
            there = state()
            for word in among:
                cost = dues - float(np.log(digit_probability(word, among) * (1.0 - stop)))
                if word in ids:
                    rows.append((here, ids[word], cost, there))
            here = there
        rows.append((here, 0, 0.0, after))
    source, label, costs, target = (np.array(column) for column in zip(*rows, strict=True))
    return assemble(
        gram.start,
        np.array(final, dtype=np.float32),
        np.concatenate([gram.source, source]),
        np.concatenate([gram.arcs["ilabel"], label]),
        np.concatenate([gram.arcs["olabel"], label]),
        np.concatenate([gram.arcs["weight"], costs]),
        np.concatenate([gram.arcs["next"], target]),
    )


@dataclass(frozen=True, slots=True)
class _Entries:
    """All readings as a matrix: units int64 [entries, longest] and for each position the id of the suffix from there.

    `first[word]` is a word's first entry, `first[word + 1]` the end; suffix s is `unit_of[s]` and then `rest_of[s]`,
    which is -1 at the end of a word.
    """

    first: npt.NDArray[np.int64]
    cost: npt.NDArray[np.float32]
    length: npt.NDArray[np.int64]
    units: npt.NDArray[np.int64]
    suffix: npt.NDArray[np.int64]
    unit_of: npt.NDArray[np.int64]
    rest_of: npt.NDArray[np.int64]


def _entries(readings: Sequence[Sequence[Reading]]) -> _Entries:
    flat = [reading for many in readings for reading in many]
    counts = np.array([len(many) for many in readings], dtype=np.int64)
    length = np.array([len(reading.units) for reading in flat], dtype=np.int64)
    longest = int(length.max(initial=1))
    units = np.zeros((len(flat), longest), dtype=np.int64)
    for row, reading in enumerate(flat):
        units[row, : len(reading.units)] = reading.units
    suffix = np.full((len(flat), longest + 1), -1, dtype=np.int64)
    unit_of: list[np.ndarray] = []
    rest_of: list[np.ndarray] = []
    made = 0
    for depth in range(longest - 1, -1, -1):
        rows = np.flatnonzero(length > depth)
        keys, which = np.unique((suffix[rows, depth + 1] + 1) << 16 | units[rows, depth], return_inverse=True)
        suffix[rows, depth] = made + which
        unit_of.append(keys & 0xFFFF)
        rest_of.append((keys >> 16) - 1)
        made += len(keys)
    return _Entries(
        np.concatenate([[0], np.cumsum(counts)]),
        np.array([reading.cost for reading in flat], dtype=np.float32),
        length,
        units,
        suffix,
        np.concatenate(unit_of) if unit_of else np.zeros(0, int),
        np.concatenate(rest_of) if rest_of else np.zeros(0, int),
    )


class _Columns:
    """Arcs under construction, in batches of arrays."""

    def __init__(self) -> None:
        self._parts: list[tuple[np.ndarray, ...]] = []

    def add(
        self,
        source: np.ndarray,
        ilabel: np.ndarray,
        olabel: np.ndarray | int,
        weight: np.ndarray | float,
        target: np.ndarray,
    ) -> None:
        size = len(source)
        self._parts.append(
            (
                source,
                ilabel,
                np.broadcast_to(np.asarray(olabel), size),
                np.broadcast_to(np.asarray(weight, dtype=np.float32), size),
                target,
            )
        )

    def fst(self, start: int, final: npt.NDArray[np.float32]) -> Fst:
        return assemble(start, final, *(np.concatenate(column) for column in zip(*self._parts, strict=True)))


def words_to_units(gram: Fst, readings: Sequence[Sequence[Reading]]) -> Fst:
    """LG: the word arcs of each history become a tree of units that shares prefixes within a history and suffixes
    between histories that lead to the same place.

    `readings[word id]`; words without any are dropped. A word comes out where its path is the only one left (or on its
    last unit); of the weight, the best of what lies below is paid as early as possible, which is what a beam needs.
    """
    table = _entries(readings)
    label = gram.arcs["olabel"].astype(np.int64)
    spoken = (label > 0) & (label < len(readings))
    columns = _Columns()
    back = gram.arcs[~spoken]
    columns.add(gram.source[~spoken], np.zeros(len(back), int), 0, back["weight"], back["next"].astype(np.int64))

    many = table.first[label[spoken] + 1] - table.first[label[spoken]]
    arc = np.repeat(np.flatnonzero(spoken), many)
    entry = table.first[label[arc]] + np.arange(len(arc)) - np.repeat(np.cumsum(many) - many, many)
    cost = gram.arcs["weight"][arc] + table.cost[entry]
    target = gram.arcs["next"][arc].astype(np.int64)
    node = gram.source[arc].copy()
    paid = np.zeros(len(arc), dtype=np.float32)
    states = gram.states
    alive = np.arange(len(arc))
    loose: list[tuple[np.ndarray, ...]] = []
    for depth in range(table.units.shape[1]):
        ends = table.length[entry[alive]] == depth + 1
        done, alive = alive[ends], alive[~ends]
        columns.add(
            node[done], table.units[entry[done], depth] + 1, label[arc[done]], cost[done] - paid[done], target[done]
        )
        keys, row, which, size = np.unique(
            node[alive] << 16 | (table.units[entry[alive], depth] + 1),
            return_index=True,
            return_inverse=True,
            return_counts=True,
        )
        lone = size[which] == 1
        single, alive, which = alive[lone], alive[~lone], which[~lone]
        loose.append(
            (
                node[single],
                table.units[entry[single], depth] + 1,
                label[arc[single]],
                cost[single] - paid[single],
                target[single],
                table.suffix[entry[single], depth + 1],
            )
        )
        shared = size > 1
        number = np.cumsum(shared) - 1
        best = np.full(len(keys), INFINITY, dtype=np.float32)
        np.minimum.at(best, which, cost[alive])
        before = paid[alive[np.unique(which, return_index=True)[1]]] if len(alive) else np.zeros(0, np.float32)
        columns.add(
            keys[shared] >> 16, keys[shared] & 0xFFFF, 0, best[shared] - before, states + np.arange(int(shared.sum()))
        )
        node[alive], paid[alive] = states + number[which], best[which]
        states += int(shared.sum())
    states = _tails(columns, loose, table, states)
    final = np.full(states, INFINITY, dtype=np.float32)
    final[: gram.states] = gram.final
    return columns.fst(gram.start, final)


def _tails(columns: _Columns, loose: list[tuple[np.ndarray, ...]], table: _Entries, states: int) -> int:
    """Chains of units without choice, one for each (target, suffix); returns the number of states."""
    source, ilabel, olabel, weight, target, suffix = (np.concatenate(c) for c in zip(*loose, strict=True))
    wanted = _distinct(target << 32 | suffix)
    parts = []
    while len(wanted):
        parts.append(wanted)
        rest = table.rest_of[wanted & 0xFFFFFFFF]
        inner = rest >= 0
        wanted = _distinct((wanted[inner] >> 32) << 32 | rest[inner])
    every = _distinct(np.concatenate(parts)) if parts else np.zeros(0, dtype=np.int64)
    columns.add(source, ilabel, olabel, weight, states + np.searchsorted(every, target << 32 | suffix))
    here, home = every & 0xFFFFFFFF, every >> 32
    rest = table.rest_of[here]
    onward = states + np.searchsorted(every, home << 32 | np.maximum(rest, 0))
    columns.add(states + np.arange(len(every)), table.unit_of[here] + 1, 0, 0.0, np.where(rest >= 0, onward, home))
    return states + len(every)


def _distinct(values: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Sorted without repeats (numpy's own hashes first, which is ten times slower here)."""
    values = np.sort(values)
    return values[np.concatenate([[True], values[1:] != values[:-1]])] if len(values) else values


def ctc(fst: Fst, bonus: float = 0.0) -> Fst:
    """HLG: state q of LG becomes q (blank may loop); each unit arc ends in a state of its own where the unit loops.

    bonus: what each syllable is paid on its final, against the language model's liking for few words. A syllable
    without an initial (一, 五, 二) is paid only after a blank, or every long vowel would be two of them: the blank of q
    leads to a twin of q from where such syllables are paid.
    """
    arcs, n = fst.arcs, fst.states
    emitting = arcs["ilabel"] > 0
    finals = arcs["ilabel"] > len(INITIALS) + BLANK_LABEL
    within = np.zeros(n, dtype=bool)
    within[arcs["next"][emitting & ~finals]] = True
    bare = finals & ~within[fst.source] if bonus else np.zeros(len(arcs), dtype=bool)
    pairs, which = np.unique(
        arcs["next"][emitting].astype(np.int64) << 16 | arcs["ilabel"][emitting], return_inverse=True
    )
    m = len(pairs)
    held = n + np.arange(m)
    label, home = pairs & 0xFFFF, pairs >> 16
    target = arcs["next"].astype(np.int64)
    target[emitting] = n + which
    q = np.arange(n)
    twinned = _distinct(fst.source[bare])
    twin = n + m + np.arange(len(twinned))
    blank_to = q.copy()
    blank_to[twinned] = twin
    columns = _Columns()
    columns.add(fst.source, arcs["ilabel"], arcs["olabel"], arcs["weight"] - bonus * (finals & ~bare), target)
    columns.add(q, np.full(n, BLANK_LABEL), 0, 0.0, blank_to)
    columns.add(held, label, 0, 0.0, held)
    columns.add(held, np.zeros(m, int), 0, 0.0, home)
    columns.add(twin, np.full(len(twin), BLANK_LABEL), 0, 0.0, twin)
    columns.add(twin, np.zeros(len(twin), int), 0, 0.0, twinned)
    after = blank_to[fst.source[bare]]
    columns.add(after, arcs["ilabel"][bare], arcs["olabel"][bare], arcs["weight"][bare] - bonus, target[bare])
    return columns.fst(fst.start, np.concatenate([fst.final, np.full(m + len(twin), INFINITY, dtype=np.float32)]))


def build(
    model: NgramModel,
    readings: Sequence[Sequence[Reading]],
    *,
    digits: float = 0.0,
    leads: Sequence[Sequence[str]] = ((),),
    tails: Sequence[Sequence[str]] = ((),),
    formats: Sequence[str] = (),
    bonus: float = 0.0,
    digit_bonus: float = 0.0,
) -> Fst:
    """The decoding graph of a model; words without a reading cannot be heard.

    digits: probability of an utterance that is a counted digit string (`numbers.chains`), with what is said before
    and after it; 0 for none. formats: the company's own number formats. bonus: see `ctc`;
    digit_bonus: that of a digit in such a string.
    """
    gram = grammar(model)
    if digits:
        ids = model.ids
        known = [
            [[ids[word] for word in words] for words in many if all(word in ids for word in words)]
            for many in (leads, tails)
        ]
        dues = bonus - digit_bonus
        gram = with_chains(gram, chains(formats), known[0] or [[]], known[1] or [[]], ids, digits, dues)
    return ctc(words_to_units(gram, readings), bonus)
