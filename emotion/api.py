"""What callers may know of emotion analysis.

Stateless over the wire: the caller's acoustic baseline and the earlier readings travel with the request, so that any
instance can answer. Arousal 0 (calm) … 1 (shouting); valence -1 (negative) … 1 (positive); score 0 … 1 is how upset
the person is after fusion over turns.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol


class EmotionLabel(StrEnum):
    """Labels that reviewers and the policy use."""

    NEUTRAL = "neutral"
    HAPPY = "happy"
    ANXIOUS = "anxious"
    SAD = "sad"
    ANGRY = "angry"


@dataclass(frozen=True, slots=True)
class AcousticFeatures:
    """Features of one utterance.

    level_db: mean level of voiced frames, dBFS. pitch_hz: median F0 of voiced frames (0 = none).
    pitch_range_st: interquartile range of F0, semitones. rate_sps: syllable nuclei a second of speech.
    tilt_db: energy above minus below 1 kHz, dB. voiced_s: seconds of voiced speech.
    """

    level_db: float
    pitch_hz: float
    pitch_range_st: float
    rate_sps: float
    tilt_db: float
    voiced_s: float


@dataclass(frozen=True, slots=True)
class AcousticBaseline:
    """Running mean and variance of the same caller's calm features (Welford); `weight` = utterances seen."""

    mean: AcousticFeatures
    var: AcousticFeatures
    weight: float


@dataclass(frozen=True, slots=True)
class Evidence:
    """One reason for a reading: what was seen and how much it added (signed)."""

    source: str  # "voice" or "text"
    what: str
    amount: float


@dataclass(frozen=True, slots=True)
class AcousticReading:
    """Arousal heard in one utterance, relative to the same caller where a baseline exists."""

    arousal: float
    confidence: float
    features: AcousticFeatures
    evidence: tuple[Evidence, ...] = ()


@dataclass(frozen=True, slots=True)
class HearRequest:
    """One utterance: mono PCM int16 little endian at `sample_rate` Hz (8000 or 16000), and the caller's baseline."""

    pcm: bytes
    sample_rate: int
    baseline: AcousticBaseline | None = None


@dataclass(frozen=True, slots=True)
class HearResult:
    """The reading, and the baseline to send with this caller's next utterance."""

    reading: AcousticReading
    baseline: AcousticBaseline


@dataclass(frozen=True, slots=True)
class EmotionReading:
    """The fused reading of one turn. `score` has memory of earlier turns; arousal and valence are of this turn."""

    label: EmotionLabel
    arousal: float
    valence: float
    score: float
    confidence: float
    evidence: tuple[Evidence, ...] = ()


@dataclass(frozen=True, slots=True)
class AssessRequest:
    """One turn: its text, the acoustic reading (None for text channels), and the earlier readings, oldest first."""

    text: str
    acoustic: AcousticReading | None = None
    history: tuple[EmotionReading, ...] = ()


class EmotionService(Protocol):
    """Voice and words in, readings out. Stateless and safe to call concurrently."""

    async def hear(self, request: HearRequest) -> HearResult:
        """Acoustic reading of one utterance. BadInput for an impossible sample rate or an empty utterance."""
        ...

    async def assess(self, request: AssessRequest) -> EmotionReading:
        """Fused reading of one turn."""
        ...

    async def aclose(self) -> None:
        """Release workers; may be called twice."""
        ...
