"""`rebuild`: the tenant's own words into new graphs, in well under a minute.

The general model (made beforehand) is adapted with the tenant's clauses, what callers usually say, and dictated
numbers; where the tenant's text knows a context it decides, elsewhere the general model does. Three graphs come out:
FREE, and two small ones for expected digits and yes-no answers, which still hear a request for a person.
"""

from __future__ import annotations

import asyncio
import csv
import hashlib
import json
import os
import re
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from importlib import resources
from pathlib import Path

from voice_gateway.asr.api import AsrModelError, Expect
from voice_gateway.asr.graph import compile as compiler
from voice_gateway.asr.graph import general as general_part
from voice_gateway.asr.graph import ngram, numbers
from voice_gateway.asr.graph.fst import Fst
from voice_gateway.asr.graph.general import General
from voice_gateway.asr.graph.lexicon import Reading, in_any_tone, readings
from voice_gateway.asr.graph.segment import Segmenter
from voice_gateway.asr.graph.store import GraphInfo, GraphStore
from voice_gateway.asr.text import sentences
from voice_gateway.asr.units import syllable_ids, units_sha

TENANT_WEIGHT = 0.4
NUMBERS_WEIGHT = 0.08
SMALL_WEIGHT = 0.85
PRIOR = 8.0
THRESHOLD = 2e-8
DIGITS = {Expect.FREE: 0.1, Expect.DIGITS: 0.8}
"""Probability of an utterance that is a counted digit string."""
FREE_BONUS, DIGIT_BONUS = 4.5, 2.0
"""What a syllable is paid (natural log) in free speech and in digit strings: too little drops syllables, too much finds
more than there are."""
TONE_COST = 0.7
"""Of a digit in a tone that is not its own: digits are told apart by their sounds."""
LISPED = {"是": Reading(syllable_ids("si4"), 1.0)}
"""What many speakers make of the word before a number, which must not be heard as a digit (四)."""
DICTATIONS = 4000
ANSWERS = 1500
FRAMES = ("{}", "{}多少钱", "我买的{}", "我要退{}", "{}坏了", "{}怎么用", "我想问一下{}", "{}什么时候到")
TEXT_FILES = {".md", ".txt", ".csv", ".tsv", ".yaml", ".yml"}
_LATIN = re.compile(r"[A-Z][A-Z']{4,}")
_MARKUP = re.compile(r"[*`#>]+|\]\([^)]*\)|!?\[")
_HAN = re.compile(r"[\u4e00-\u9fff]")


def read_texts(paths: Iterable[Path]) -> Iterator[str]:
    """The texts of files and folders (Markdown, text, CSV, TSV, YAML), cell by cell. Raises FileNotFoundError."""
    for path in paths:
        if path.is_dir():
            yield from read_texts(sorted(p for p in path.rglob("*") if p.suffix.lower() in TEXT_FILES))
        elif path.suffix.lower() in (".csv", ".tsv"):
            with path.open(encoding="utf-8-sig", newline="") as file:
                for row in csv.reader(file, delimiter="\t" if path.suffix.lower() == ".tsv" else ","):
                    yield from (part for cell in row for part in cell.split("|"))
        elif path.suffix.lower() in TEXT_FILES:
            yield from path.read_text(encoding="utf-8-sig").splitlines()
        else:
            raise FileNotFoundError(f"{path}: not a text file that can be read here ({', '.join(sorted(TEXT_FILES))})")


def clauses(texts: Iterable[str]) -> Iterator[str]:
    """What could be said of the texts: clauses with Chinese in them, long Latin words (identifiers) left out."""
    for text in texts:
        for clause in sentences(_MARKUP.sub("", text)):
            clause = _LATIN.sub(" ", clause).strip()
            if _HAN.search(clause):
                yield clause


def caller_phrases() -> list[str]:
    """What callers of any company say, as it ships."""
    text = (resources.files("voice_gateway.asr.graph") / "callers.txt").read_text(encoding="utf-8")
    return [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#")]


def rebuild(
    texts: Iterable[str],
    *,
    folder: Path,
    hotwords: Sequence[str] = (),
    formats: Sequence[str] = (),
    general: General | None = None,
    threshold: float = THRESHOLD,
    say: Callable[[str], None] = lambda _: None,
) -> GraphInfo:
    """Build graphs from `texts` (documents, questions, prompts, names: anything the tenant writes) and publish them in
    `folder`; running engines use them from their next stream on. Blocking, half a minute of one core.

    `hotwords` are names that must be heard (products, places): they enter the dictionary whole. `formats` are the
    company's own numbers, digit by digit with d for any (2026dddddddd). Raises AsrModelError, ValueError for a format.
    """
    began = time.monotonic()
    say("reading the general model")
    base = general or general_part.load()
    own = [clause for clause in dict.fromkeys(clauses(texts))]
    names = [name for word in hotwords for name in clauses([word])]
    segment = Segmenter(base.frequencies(), names)
    framed = [frame.format(name) for name in names for frame in FRAMES]
    cut = [segment(clause) for clause in (*own, *framed)]
    phrases = [segment(clause) for clause in clauses(caller_phrases())]
    say(f"{len(own)} clauses of the tenant, {len(names)} hot words")

    counted = [*numbers.dictation(DICTATIONS), *numbers.addresses(DICTATIONS // 2)]
    everyday = [*cut, *phrases, *phrases, *numbers.answers(ANSWERS // 3), *numbers.corrections()]
    model = _adapt(everyday, _adapt(counted, base.model, NUMBERS_WEIGHT), TENANT_WEIGHT)
    model = ngram.prune(model, threshold)
    say(f"free speech: {sum(model.sizes())} n-grams of {len(model.words)} words")
    parts = {Expect.FREE: (_compile(model, base, Expect.FREE, formats), model.words)}

    say("digits, yes and no")
    known = ngram.train([*cut, *phrases])
    for expect, small in (
        (Expect.DIGITS, [*numbers.dictation(3 * DICTATIONS), *numbers.corrections()]),
        (Expect.YES_NO, [*numbers.answers(ANSWERS), *numbers.corrections()]),
    ):
        blended = ngram.prune(_adapt(small, known, SMALL_WEIGHT), 1e-6)
        parts[expect] = (_compile(blended, base, expect, formats), blended.words)
    digest = hashlib.sha256("\n".join((*own, *names)).encode()).hexdigest()[:8]
    info = GraphInfo(
        version=f"{datetime.now(UTC):%Y%m%dT%H%M%S.%f}-{digest}",
        units_sha=units_sha(),
        clauses=len(own),
        words=len(model.words),
        ngrams=sum(model.sizes()),
        seconds=round(time.monotonic() - began, 1),
        states={expect.value: fst.states for expect, (fst, _) in parts.items()},
        arcs={expect.value: len(fst.arcs) for expect, (fst, _) in parts.items()},
        hotwords=tuple(names),
    )
    GraphStore(folder).publish(info.version, parts, info)
    say(f"graph {info.version} published")
    return info


def _adapt(text: Sequence[Sequence[str]], base: ngram.NgramModel, weight: float) -> ngram.NgramModel:
    own = ngram.train(text)
    return ngram.mix(own, base, weight, ngram.history_counts(text, own.ids), PRIOR)


def _compile(model: ngram.NgramModel, base: General, expect: Expect, formats: Sequence[str]) -> Fst:
    known = dict(zip(base.model.words, base.readings, strict=True))
    found = [
        () if i < len(ngram.SPECIAL) else known[word] if word in known else readings(word)
        for i, word in enumerate(model.words)
    ]
    for word in numbers.DIGITS:
        if (at := model.ids.get(word)) is not None:
            found[at] = in_any_tone(found[at], TONE_COST)
    free = expect is Expect.FREE
    for word, reading in () if free else LISPED.items():
        if (at := model.ids.get(word)) is not None:
            found[at] = (*found[at], reading)
    return compiler.build(
        model,
        found,
        digits=DIGITS.get(expect, 0.0),
        leads=numbers.LEADS,
        tails=numbers.TAILS,
        formats=formats,
        bonus=FREE_BONUS if free else DIGIT_BONUS,
        digit_bonus=DIGIT_BONUS,
    )


async def rebuild_apart(
    texts: Sequence[str],
    *,
    folder: Path,
    hotwords: Sequence[str] = (),
    formats: Sequence[str] = (),
    general: Path | None = None,
    timeout_s: float = 300.0,
) -> GraphInfo:
    """`rebuild` in a process of its own at low priority, so that running calls do not feel it.

    Raises AsrModelError when it fails or takes longer than `timeout_s`.
    """
    job = json.dumps(
        {
            "texts": list(texts),
            "folder": str(folder),
            "hotwords": list(hotwords),
            "formats": list(formats),
            "general": general and str(general),
        }
    ).encode()
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        __name__,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(timeout_s):
            out, errors = await process.communicate(job)
    except TimeoutError:
        raise AsrModelError(f"the language model was not built within {timeout_s:g} s; the old one stays") from None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode:
        last = (errors.decode(errors="replace").strip() or "no message").splitlines()[-1]
        raise AsrModelError(f"the language model was not built ({last}); the old one stays")
    return GraphInfo(**json.loads(out))


def _main() -> None:
    os.nice(10)
    job = json.load(sys.stdin)
    general = general_part.load(Path(job["general"])) if job["general"] else None
    info = rebuild(
        job["texts"],
        folder=Path(job["folder"]),
        hotwords=job["hotwords"],
        formats=job["formats"],
        general=general,
    )
    json.dump(asdict(info), sys.stdout)


if __name__ == "__main__":
    _main()
