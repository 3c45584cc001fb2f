"""Back-off n-gram models in numpy: train, mix, prune, query.

Training is modified Kneser-Ney (Chen and Goodman 1999), pruning is by relative entropy (Stolcke 1998), mixing is linear
and static (as SRILM's -mix-lp does it): the mixture is again one back-off model over the union of the n-grams. An
n-gram of up to three words is packed into one int64, 21 bits a word, so counting, joining and look-up are sorts and
binary searches; a million n-grams take seconds. It leaves out orders above three and n-gram classes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

BITS = 21
MAX_ORDER = 3
BOS, EOS, UNK = "<s>", "</s>", "<unk>"
SPECIAL = (BOS, EOS, UNK)
FLOOR = -20.0  # natural log of a probability that stands for "never"

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Order:
    """All n-grams of one order: packed keys (sorted), ln p(w | h), ln back-off weight of the n-gram as a history."""

    keys: Ints
    logp: Floats
    backoff: Floats

    def __len__(self) -> int:
        return len(self.keys)


@dataclass(frozen=True, slots=True)
class NgramModel:
    """A back-off model. Word ids index `words`; the first three are <s>, </s>, <unk>."""

    words: tuple[str, ...]
    orders: tuple[Order, ...]

    @property
    def order(self) -> int:
        return len(self.orders)

    @property
    def ids(self) -> dict[str, int]:
        """Word to id (built on each call)."""
        return {word: index for index, word in enumerate(self.words)}

    def sizes(self) -> tuple[int, ...]:
        """Number of n-grams of each order."""
        return tuple(len(order) for order in self.orders)

    def logp(self, grams: Ints) -> Floats:
        """ln p(last word | the words before), int64 [n, k] -> float64 [n]; k up to the order, backing off."""
        width = grams.shape[1]
        if width > self.order:
            return self.logp(grams[:, 1:])
        table = self.orders[width - 1]
        at, found = _find(table.keys, pack(grams))
        result = np.where(found, table.logp[at], FLOOR)
        if width > 1 and not found.all():
            missing = ~found
            history = self.orders[width - 2]
            h_at, h_found = _find(history.keys, pack(grams[missing, :-1]))
            weight = np.where(h_found, history.backoff[h_at], 0.0)
            result[missing] = weight + self.logp(grams[missing, 1:])
        return np.asarray(result, dtype=np.float64)

    def score(self, sentences: Iterable[Sequence[str]]) -> tuple[float, int]:
        """Total ln probability with </s>, and the number of characters: exp(-a/b) is the character perplexity."""
        ids = self.ids
        unk = ids[UNK]
        total, characters = 0.0, 0
        for words in sentences:
            seq = [ids[BOS], *(ids.get(word, unk) for word in words), ids[EOS]]
            for end in range(1, len(seq)):
                gram = seq[max(0, end - self.order + 1) : end + 1]
                total += float(self.logp(np.array([gram], dtype=np.int64))[0])
            characters += sum(len(word) for word in words)
        return total, characters


def pack(grams: Ints) -> Ints:
    """Int64 [n, k] of word ids -> int64 [n] of keys that sort as the rows do."""
    keys = np.zeros(len(grams), dtype=np.int64)
    for column in range(grams.shape[1]):
        keys = (keys << BITS) | grams[:, column]
    return keys


def unpack(keys: Ints, width: int) -> Ints:
    """The inverse of `pack`."""
    mask = (1 << BITS) - 1
    return np.stack([(keys >> (BITS * (width - 1 - column))) & mask for column in range(width)], axis=1)


def _find(table: Ints, keys: Ints) -> tuple[Ints, npt.NDArray[np.bool_]]:
    if not len(table):
        return np.zeros(len(keys), dtype=np.int64), np.zeros(len(keys), dtype=np.bool_)
    at = np.minimum(np.searchsorted(table, keys), len(table) - 1).astype(np.int64)
    return at, table[at] == keys


def train(
    sentences: Iterable[Sequence[str]],
    *,
    order: int = MAX_ORDER,
    min_counts: Sequence[int] = (1, 1, 1),
    vocabulary: Iterable[str] = (),
) -> NgramModel:
    """Modified Kneser-Ney over segmented sentences. `min_counts` drops rarer n-grams of each order after discounting
    (their mass goes to the back-off). Words of `vocabulary` are known even when the text lacks them.
    """
    ids: dict[str, int] = {word: index for index, word in enumerate(SPECIAL)}
    for word in vocabulary:
        ids.setdefault(word, len(ids))
    flat: list[int] = []
    for words in sentences:
        if words:
            flat.append(0)
            flat.extend(ids.setdefault(word, len(ids)) for word in words)
            flat.append(1)
    stream = np.array(flat, dtype=np.int64)
    if len(ids) >= 1 << BITS:
        raise ValueError(f"{len(ids)} words do not fit in {BITS} bits")
    raw = [_counts(stream, n) for n in range(1, order + 1)]
    adjusted = [_continuation(raw[n], raw[n + 1], n + 1) for n in range(order - 1)] + [raw[-1]]
    return _estimate(tuple(ids), adjusted, [raw[n][1] for n in range(order)], min_counts)


def _counts(stream: Ints, n: int) -> tuple[Ints, Floats]:
    """Distinct n-grams that do not cross a sentence border, with their counts."""
    if len(stream) < n:
        return np.zeros(0, dtype=np.int64), np.zeros(0)
    grams = np.stack([stream[i : len(stream) - n + 1 + i] for i in range(n)], axis=1)
    inside = np.ones(len(grams), dtype=np.bool_)
    for column in range(n - 1):
        inside &= grams[:, column] != 1
    if n == 1:
        inside &= grams[:, 0] != 0
    keys, counts = np.unique(pack(grams[inside]), return_counts=True)
    return keys, counts.astype(np.float64)


def _continuation(lower: tuple[Ints, Floats], higher: tuple[Ints, Floats], n: int) -> tuple[Ints, Floats]:
    """Kneser-Ney's lower-order counts: in how many left contexts an n-gram occurs (plain counts after <s>)."""
    keys, counts = lower
    tails, contexts = np.unique(higher[0] & ((1 << (BITS * n)) - 1), return_counts=True)
    at, found = _find(tails.astype(np.int64), keys)
    starts = (keys >> (BITS * (n - 1))) == 0
    return keys, np.where(found & ~(starts & (n > 1)), contexts[at] if len(contexts) else counts, counts)


def _discounts(counts: Floats) -> Floats:
    """Discount of n-grams counted 1, 2, 3 and more times (Chen and Goodman, eq. 26)."""
    n1, n2, n3, n4 = (float(np.sum(counts == k)) + 0.5 for k in (1, 2, 3, 4))
    y = n1 / (n1 + 2 * n2)
    raw = np.array([1 - 2 * y * n2 / n1, 2 - 3 * y * n3 / n2, 3 - 4 * y * n4 / n3])
    return np.asarray(np.clip(raw, [0.05, 0.1, 0.15], [0.95, 1.9, 2.85]), dtype=np.float64)


def _estimate(
    words: tuple[str, ...], tables: list[tuple[Ints, Floats]], raw: list[Floats], min_counts: Sequence[int]
) -> NgramModel:
    size = len(words)
    keys, counts = tables[0]
    discount = _discounts(counts)[np.minimum(counts, 3).astype(int) - 1] if len(counts) else counts
    total = max(float(counts.sum()), 1.0)
    probability = np.full(size, max(float(discount.sum()) / total, 1e-6) / (size - 1))
    probability[keys] += (counts - discount) / total
    probability[0] = np.exp(FLOOR)
    built = NgramModel(words, (Order(np.arange(size), np.log(probability), np.zeros(size)),))
    for n in range(2, len(tables) + 1):
        keys, counts = tables[n - 1]
        kept = raw[n - 1] >= min_counts[n - 1]
        discount = _discounts(counts)[np.minimum(counts, 3).astype(int) - 1] if len(counts) else counts
        heads, group = np.unique(keys >> BITS, return_inverse=True)
        totals = np.bincount(group, weights=counts, minlength=len(heads))
        spare = np.bincount(group, weights=np.where(kept, discount, counts), minlength=len(heads)) / totals
        keys, counts, discount, group = keys[kept], counts[kept], discount[kept], group[kept]
        lower = built.logp(unpack(keys, n)[:, 1:])
        value = (counts - discount) / totals[group] + spare[group] * np.exp(lower)
        built = _append(built, keys, np.log(np.maximum(value, 1e-30)))
    return built


def _append(model: NgramModel, keys: Ints, logp: Floats) -> NgramModel:
    """The model with one more order, and the back-off weights of the order below made to sum to one."""
    width = model.order + 1
    below = model.orders[-1]
    heads, group = np.unique(keys >> BITS, return_inverse=True)
    seen = np.bincount(group, weights=np.exp(logp), minlength=len(heads))
    lower = np.bincount(group, weights=np.exp(model.logp(unpack(keys, width)[:, 1:])), minlength=len(heads))
    weight = np.log(np.clip(1.0 - seen, 1e-6, 1.0)) - np.log(np.clip(1.0 - lower, 1e-6, 1.0))
    at, found = _find(below.keys, heads.astype(np.int64))
    if not found.all():
        raise ValueError("an n-gram's history is missing from the order below")
    backoff = np.zeros(len(below))
    backoff[at] = np.minimum(weight, 3.0)
    orders = (*model.orders[:-1], Order(below.keys, below.logp, backoff), Order(keys, logp, np.zeros(len(keys))))
    return NgramModel(model.words, orders)


def renumber(model: NgramModel, words: Sequence[str]) -> NgramModel:
    """The same model over another word list; n-grams with a word that the list lacks are dropped."""
    target = {word: index for index, word in enumerate(words)}
    mapping = np.array([target.get(word, -1) for word in model.words], dtype=np.int64)
    base = np.full(len(words), FLOOR)
    known = mapping >= 0
    base[mapping[known]] = model.orders[0].logp[known]
    result = NgramModel(tuple(words), (Order(np.arange(len(words)), base, np.zeros(len(words))),))
    for n in range(2, model.order + 1):
        table = model.orders[n - 1]
        grams = mapping[unpack(table.keys, n)]
        ok = (grams >= 0).all(axis=1)
        if n > 2:
            ok &= _find(result.orders[-1].keys, pack(grams[:, :-1]))[1]
        keys = pack(grams[ok])
        sort = np.argsort(keys)
        result = _append(result, keys[sort], table.logp[ok][sort])
    return result


def history_counts(sentences: Iterable[Sequence[str]], ids: dict[str, int]) -> tuple[tuple[Ints, Floats], ...]:
    """How often each one-word and two-word history occurs: for `mix`'s `support`."""
    flat: list[int] = []
    for words in sentences:
        flat += [0, *(ids[word] for word in words), 1]
    stream = np.array(flat, dtype=np.int64)
    ends = stream != 1
    keys, counts = np.unique(stream[ends], return_counts=True)
    return (keys, counts.astype(np.float64)), _counts(stream, 2)


def mix(
    first: NgramModel,
    second: NgramModel,
    weight: float,
    support: tuple[tuple[Ints, Floats], ...] = (),
    prior: float = 20.0,
) -> NgramModel:
    """A blend of two models over the union of their words and n-grams.

    Without `support` it is weight * first + (1 - weight) * second everywhere. With `support` (`history_counts` of the
    text of `first`, in its ids) the weight of `first` after a history seen c times is (c + prior * weight) /
    (c + prior): where the text of `first` knows a context it decides, elsewhere `second` does (MAP adaptation,
    Bacchiani et al. 2006).
    """
    words = tuple(dict.fromkeys((*first.words, *second.words)))
    a, b = renumber(first, words), renumber(second, words)
    # `words` begins with all words of `first`, so its ids and keys stay what they were.

    def blend(grams: Ints) -> Floats:
        share = np.full(len(grams), weight)
        width = grams.shape[1] - 1
        if 0 < width <= len(support):
            keys, counts = support[width - 1]
            at, found = _find(keys, pack(grams[:, :-1]))
            seen = np.where(found, counts[at], 0.0)
            share = (seen + prior * weight) / (seen + prior)
        value = share * np.exp(a.logp(grams)) + (1.0 - share) * np.exp(b.logp(grams))
        return np.asarray(np.log(np.maximum(value, np.exp(FLOOR))))

    size = len(words)
    result = NgramModel(words, (Order(np.arange(size), blend(np.arange(size)[:, None]), np.zeros(size)),))
    for n in range(2, max(a.order, b.order) + 1):
        parts = [m.orders[n - 1].keys for m in (a, b) if m.order >= n]
        keys = np.sort(np.concatenate(parts))
        keys = keys[np.concatenate([[True], keys[1:] != keys[:-1]])] if len(keys) else keys
        result = _append(result, keys, blend(unpack(keys, n)))
    return result


def prune(model: NgramModel, threshold: float) -> NgramModel:
    """Drop n-grams whose loss raises the relative entropy of the model by less than `threshold`."""
    result = model
    for n in range(model.order, 1, -1):
        result = _prune_order(result, n, threshold)
    return result


def _prune_order(model: NgramModel, n: int, threshold: float) -> NgramModel:
    table, below = model.orders[n - 1], model.orders[n - 2]
    grams = unpack(table.keys, n)
    lower = model.logp(grams[:, 1:])
    heads, group = np.unique(table.keys >> BITS, return_inverse=True)
    p, q = np.exp(table.logp), np.exp(lower)
    spare = np.clip(1.0 - np.bincount(group, weights=p, minlength=len(heads)), 1e-9, 1.0)
    room = np.clip(1.0 - np.bincount(group, weights=q, minlength=len(heads)), 1e-9, 1.0)
    context = unpack(heads.astype(np.int64), n - 1)
    history = np.zeros(len(heads))
    for end in range(1, n):
        if not (end == 1 and n > 1):
            history += model.logp(context[:, :end])
        else:
            first = model.logp(context[:, :1])
            history += np.where(context[:, 0] == 0, np.log(0.05), first)
    old = np.log(spare / room)[group]
    new = np.log((spare[group] + p) / (room[group] + q))
    gain = -np.exp(history[group]) * (p * (lower + new - table.logp) + spare[group] * (new - old))
    needed = np.zeros(len(table), dtype=np.bool_)
    if n < model.order:
        needed = np.isin(table.keys, model.orders[n].keys >> BITS)
    kept = (gain >= threshold) | needed
    result = NgramModel(model.words, (*model.orders[: n - 2], Order(below.keys, below.logp, np.zeros(len(below)))))
    result = _append(result, table.keys[kept], table.logp[kept])
    for higher in model.orders[n:]:
        result = _append(result, higher.keys, higher.logp)
    return result
