"""Dataclasses of `emotion.api` <-> pb."""

from __future__ import annotations

from collections.abc import Iterable

from common.pb import emotion_pb2 as pb
from emotion.api import (
    AcousticBaseline,
    AcousticFeatures,
    AcousticReading,
    AssessRequest,
    EmotionLabel,
    EmotionReading,
    Evidence,
    HearRequest,
    HearResult,
)

_LABELS = {
    EmotionLabel.NEUTRAL: pb.EMOTION_LABEL_NEUTRAL,
    EmotionLabel.HAPPY: pb.EMOTION_LABEL_HAPPY,
    EmotionLabel.ANXIOUS: pb.EMOTION_LABEL_ANXIOUS,
    EmotionLabel.SAD: pb.EMOTION_LABEL_SAD,
    EmotionLabel.ANGRY: pb.EMOTION_LABEL_ANGRY,
}
_FROM_LABEL = {number: label for label, number in _LABELS.items()}


def _features_to_pb(value: AcousticFeatures) -> pb.AcousticFeatures:
    return pb.AcousticFeatures(
        level_db=value.level_db,
        pitch_hz=value.pitch_hz,
        pitch_range_st=value.pitch_range_st,
        rate_sps=value.rate_sps,
        tilt_db=value.tilt_db,
        voiced_s=value.voiced_s,
    )


def _features_from_pb(message: pb.AcousticFeatures) -> AcousticFeatures:
    return AcousticFeatures(
        message.level_db,
        message.pitch_hz,
        message.pitch_range_st,
        message.rate_sps,
        message.tilt_db,
        message.voiced_s,
    )


def _baseline_to_pb(value: AcousticBaseline) -> pb.AcousticBaseline:
    return pb.AcousticBaseline(mean=_features_to_pb(value.mean), var=_features_to_pb(value.var), weight=value.weight)


def _baseline_from_pb(message: pb.AcousticBaseline) -> AcousticBaseline:
    return AcousticBaseline(_features_from_pb(message.mean), _features_from_pb(message.var), message.weight)


def _evidence_to_pb(values: Iterable[Evidence]) -> list[pb.Evidence]:
    return [pb.Evidence(source=value.source, what=value.what, amount=value.amount) for value in values]


def _evidence_from_pb(messages: Iterable[pb.Evidence]) -> tuple[Evidence, ...]:
    return tuple(Evidence(message.source, message.what, message.amount) for message in messages)


def acoustic_to_pb(value: AcousticReading) -> pb.AcousticReading:
    """To pb."""
    return pb.AcousticReading(
        arousal=value.arousal,
        confidence=value.confidence,
        features=_features_to_pb(value.features),
        evidence=_evidence_to_pb(value.evidence),
    )


def acoustic_from_pb(message: pb.AcousticReading) -> AcousticReading:
    """From pb."""
    return AcousticReading(
        message.arousal,
        message.confidence,
        _features_from_pb(message.features),
        _evidence_from_pb(message.evidence),
    )


def reading_to_pb(value: EmotionReading) -> pb.EmotionReading:
    """To pb."""
    return pb.EmotionReading(
        label=_LABELS[value.label],
        arousal=value.arousal,
        valence=value.valence,
        score=value.score,
        confidence=value.confidence,
        evidence=_evidence_to_pb(value.evidence),
    )


def reading_from_pb(message: pb.EmotionReading) -> EmotionReading:
    """From pb; a label that this version does not know is neutral."""
    return EmotionReading(
        _FROM_LABEL.get(message.label, EmotionLabel.NEUTRAL),
        message.arousal,
        message.valence,
        message.score,
        message.confidence,
        _evidence_from_pb(message.evidence),
    )


def hear_to_pb(value: HearRequest) -> pb.HearRequest:
    """To pb."""
    return pb.HearRequest(
        pcm=value.pcm,
        sample_rate=value.sample_rate,
        baseline=_baseline_to_pb(value.baseline) if value.baseline is not None else None,
    )


def hear_from_pb(message: pb.HearRequest) -> HearRequest:
    """From pb."""
    baseline = _baseline_from_pb(message.baseline) if message.HasField("baseline") else None
    return HearRequest(message.pcm, message.sample_rate, baseline)


def heard_to_pb(value: HearResult) -> pb.HearResponse:
    """To pb."""
    return pb.HearResponse(reading=acoustic_to_pb(value.reading), baseline=_baseline_to_pb(value.baseline))


def heard_from_pb(message: pb.HearResponse) -> HearResult:
    """From pb."""
    return HearResult(acoustic_from_pb(message.reading), _baseline_from_pb(message.baseline))


def assess_to_pb(value: AssessRequest) -> pb.AssessRequest:
    """To pb."""
    return pb.AssessRequest(
        text=value.text,
        acoustic=acoustic_to_pb(value.acoustic) if value.acoustic is not None else None,
        history=[reading_to_pb(reading) for reading in value.history],
    )


def assess_from_pb(message: pb.AssessRequest) -> AssessRequest:
    """From pb."""
    acoustic = acoustic_from_pb(message.acoustic) if message.HasField("acoustic") else None
    return AssessRequest(message.text, acoustic, tuple(reading_from_pb(reading) for reading in message.history))
