"""The search half of the bundled engine: log probabilities of units to words, times and confidence.

kaldi-decoder's FasterDecoder (token passing with a beam) over a graph of `voice_gateway.asr.graph`. The best path's
input labels say which unit is where; units make syllables, a syllable is a Chinese character, so each character has its
time and the network's own posterior as its confidence.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from voice_gateway.asr.api import Timed, Transcript
from voice_gateway.asr.graph.lexicon import LETTERS
from voice_gateway.asr.graph.store import Graph
from voice_gateway.asr.native import load
from voice_gateway.asr.units import INITIALS

Floats = npt.NDArray[np.float32]
_LATIN = re.compile(r"[A-Z']+")
_PIECE = re.compile(r"[A-Z']+|[\u3400-\u9fff\u3007]")


@dataclass(frozen=True, slots=True)
class SearchOptions:
    """How the search weighs and how widely it looks.

    beam: in natural-log cost. acoustic_scale: weight of the network against the language model. blank_penalty: taken
    off the log probability of blank (the network hesitates); the graph does the rest against dropped syllables.
    """

    beam: float = 14.0
    max_active: int = 2000
    min_active: int = 100
    acoustic_scale: float = 1.5
    blank_penalty: float = 1.2


@dataclass(frozen=True, slots=True)
class _Unit:
    unit: int
    first: int
    last: int
    confidence: float


class Search:
    """The search of one utterance. Not thread-safe."""

    def __init__(self, graph: Graph, options: SearchOptions, *, frame_s: float, delay_s: float) -> None:
        self._kaldi = kaldi_decoder = load("kaldi_decoder")
        self._graph, self._options = graph, options
        self._frame_s, self._delay_s = frame_s, delay_s
        self._decoder = kaldi_decoder.FasterDecoder(
            graph.fst,
            kaldi_decoder.FasterDecoderOptions(
                beam=options.beam, max_active=options.max_active, min_active=options.min_active
            ),
        )
        self._decoder.init_decoding()
        self._posteriors: list[Floats] = []
        self._frames = 0

    def advance(self, log_probs: Floats) -> None:
        """Go on with float32 [frames, units] natural-log probabilities."""
        scaled = log_probs * np.float32(self._options.acoustic_scale)
        scaled[:, 0] -= np.float32(self._options.blank_penalty * self._options.acoustic_scale)
        decodable = self._kaldi.DecodableCtc(np.ascontiguousarray(scaled, dtype=np.float32), offset=self._frames)
        self._decoder.advance_decoding(decodable)
        self._posteriors.append(log_probs)
        self._frames += len(log_probs)

    def text(self) -> str:
        """The best text so far, whether or not it may end here."""
        kaldifst = load("kaldifst")
        lattice = self._best(final=False)
        if lattice is None:
            return ""
        _, _, words, _ = kaldifst.get_linear_symbol_sequence(lattice)
        return join([self._graph.words[word] for word in words])

    def result(self) -> Transcript:
        """The best text of the whole utterance, with times and confidence."""
        labels, ids = self._path(final=True)
        words = [self._graph.words[word] for word in ids]
        chars = self._align(words, self._units(labels))
        confidence = float(np.mean([timed.confidence for timed in chars])) if chars else 0.0
        return Transcript(join(words), final=True, confidence=confidence, chars=chars)

    def _best(self, *, final: bool) -> Any:
        """The best path as a kaldifst.Lattice, or None."""
        if not self._frames:
            return None
        found, lattice = self._decoder.get_best_path(use_final_probs=final and self._decoder.reached_final())
        return lattice if found else None

    def _path(self, *, final: bool) -> tuple[list[int], list[int]]:
        """Input labels of the best path, epsilons kept as 0 (they part units), and its word ids."""
        lattice = self._best(final=final)
        if lattice is None:
            return [], []
        arcs: dict[int, tuple[int, int, int]] = {}
        for line in lattice.to_str().splitlines():
            columns = line.split()
            if len(columns) >= 4:
                source, target, ilabel, olabel = (int(column) for column in columns[:4])
                arcs[source] = target, ilabel, olabel
        labels: list[int] = []
        words: list[int] = []
        state = lattice.start
        while state in arcs:
            state, ilabel, olabel = arcs.pop(state)
            labels.append(ilabel)
            if olabel:
                words.append(olabel)
        return labels, words

    def _units(self, labels: Sequence[int]) -> list[_Unit]:
        """Runs of the same unit; an epsilon between them parts two runs."""
        posteriors = np.exp(np.concatenate(self._posteriors)) if self._posteriors else np.zeros((0, 1), np.float32)
        units: list[_Unit] = []
        frame, open_label = 0, 0
        for label in labels:
            if label == 0:
                open_label = 0
                continue
            if label > 1:
                confidence = float(posteriors[frame, label - 1]) if frame < len(posteriors) else 0.0
                if label == open_label:
                    held = units[-1]
                    units[-1] = _Unit(held.unit, held.first, frame, max(held.confidence, confidence))
                else:
                    units.append(_Unit(label - 1, frame, frame, confidence))
            open_label = label
            frame += 1
        return units

    def _align(self, words: Sequence[str], units: Sequence[_Unit]) -> tuple[Timed, ...]:
        syllables: list[list[_Unit]] = []
        for unit in units:
            if syllables and syllables[-1][-1].unit <= len(INITIALS):
                syllables[-1].append(unit)
            else:
                syllables.append([unit])
        pieces = [piece for word in words for piece in _PIECE.findall(word)]
        sizes = [
            sum(len(LETTERS[c].split()) for c in piece if c in LETTERS) if _LATIN.fullmatch(piece) else 1
            for piece in pieces
        ]
        if sum(sizes) != len(syllables):
            return ()
        result: list[Timed] = []
        at = 0
        for piece, size in zip(pieces, sizes, strict=True):
            members = [unit for syllable in syllables[at : at + size] for unit in syllable]
            at += size
            if members:
                start = max(0.0, members[0].first * self._frame_s - self._delay_s)
                end = max(start, (members[-1].last + 1) * self._frame_s - self._delay_s)
                result.append(
                    Timed(piece, round(start, 3), round(end, 3), float(np.mean([unit.confidence for unit in members])))
                )
        return tuple(result)


def join(words: Sequence[str]) -> str:
    """Words to text: no spaces, save between two Latin words."""
    text = ""
    for word in words:
        if text and word and text[-1].isascii() and word[0].isascii():
            text += " "
        text += word
    return text
