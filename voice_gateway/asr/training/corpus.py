"""The speech lists: what is trained on, what is held out, and the labels.

Three tab-separated lists are read from a data folder (``common_voice.tsv``, ``aishell3_ssb0139.tsv``,
``synthetic_kokoro.tsv``) and any number of extra ``LIST.tsv`` folders made by :mod:`synthesize`. The split is by
speaker and deterministic: 20 Common Voice speakers with 8 to 60 clips, those with the smallest SHA-256 of their name,
and every clip whose voice or blend has a held-out Kokoro voice in it.
"""

from __future__ import annotations

import csv
import hashlib
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from voice_gateway.asr.training.synthesize import HELD_OUT_VOICES
from voice_gateway.asr.units import syllable_ids

HELD_OUT_SPEAKERS = 20
_NOT_HAN = re.compile(r"[^\u4e00-\u9fff]+")
_SPOKEN_OTHERWISE = re.compile(r"[A-Za-z0-9]")


@dataclass(frozen=True, slots=True)
class Clip:
    """One labelled recording. ``split`` is ``train``, ``heldout_cv``, ``heldout_kokoro`` or ``unused``."""

    path: Path
    source: str
    speaker: str
    text: str
    seconds: float
    split: str


def unit_labels(text: str) -> tuple[int, ...]:
    """Return the unit ids of a sentence by pypinyin's phrase dictionary; dictionary tones, no sandhi.

    Everything but Han characters is dropped. Raises ``ValueError`` when Latin letters or digits would be lost.
    """
    from pypinyin import Style, lazy_pinyin

    if _SPOKEN_OTHERWISE.search(text):
        raise ValueError(f"not written as it is said: {text!r}")
    clauses = [clause for clause in _NOT_HAN.split(text) if clause]
    ids: list[int] = []
    for clause in clauses:
        for syllable in lazy_pinyin(clause, style=Style.TONE3, neutral_tone_with_five=True):
            ids.extend(syllable_ids(syllable))
    return tuple(ids)


def heldout_speakers(clips_of: Counter[str]) -> frozenset[str]:
    """Choose the Common Voice speakers to hold out from the number of clips of each."""
    eligible = [speaker for speaker, count in clips_of.items() if 8 <= count <= 60]
    eligible.sort(key=lambda speaker: hashlib.sha256(speaker.encode()).hexdigest())
    return frozenset(eligible[:HELD_OUT_SPEAKERS])


def read_corpus(data: Path) -> list[Clip]:
    """Read every list below ``data``. Raises ``FileNotFoundError`` when there is none."""
    clips: list[Clip] = []
    listing = data / "common_voice.tsv"
    if listing.exists():
        rows = list(_rows(listing))
        held = heldout_speakers(Counter(row["speaker"] for row in rows))
        for row in rows:
            split = "heldout_cv" if row["speaker"] in held else "train"
            clips.append(_clip(data, "common_voice", row["speaker"], row, split))
    listing = data / "aishell3_ssb0139.tsv"
    if listing.exists():
        clips += [_clip(data, "aishell3", row["speaker"], row, "train") for row in _rows(listing)]
    listing = data / "synthetic_kokoro.tsv"
    if listing.exists():
        clips += [_synthetic(data, "synthetic", row) for row in _rows(listing)]
    if not clips:
        raise FileNotFoundError(f"no speech lists in {data}")
    return clips


def read_callers(folder: Path) -> list[Clip]:
    """Read the ``LIST.tsv`` of a folder made by :mod:`synthesize`."""
    return [_synthetic(folder, "callers", row) for row in _rows(folder / "LIST.tsv")]


def _rows(listing: Path) -> Iterable[dict[str, str]]:
    with listing.open(encoding="utf-8", newline="") as file:
        yield from csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)


def _synthetic(root: Path, source: str, row: dict[str, str]) -> Clip:
    voices = row["voices"]
    names = {part.split("*")[0] for part in voices.split("+")}
    split = "train"
    if names & set(HELD_OUT_VOICES):
        split = "heldout_kokoro" if len(names) == 1 else "unused"
    return _clip(root, source, voices, row, split)


def _clip(root: Path, source: str, speaker: str, row: dict[str, str], split: str) -> Clip:
    return Clip(root / row["path"], source, speaker, row["text"], float(row["seconds"]), split)
