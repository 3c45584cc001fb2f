"""Dataclasses of `asr.api` and `tts.api` <-> pb.

What the wire does not carry is filled in by the side that reads: the audio's length, decoding time and engine name of a
transcript; whether a recogniser reloads its graph.
"""

from __future__ import annotations

import numpy as np

from common.errors import BadInput
from common.pb import speech_pb2 as pb
from voice_gateway.asr.api import Capabilities, DecodingHint, Expect, Samples, Timed, Transcript
from voice_gateway.tts.api import AudioChunk, Speech, TtsCapabilities

_HINTS = {Expect.FREE: pb.HINT_FREE, Expect.DIGITS: pb.HINT_DIGITS, Expect.YES_NO: pb.HINT_YES_NO}
_EXPECTS = {value: key for key, value in _HINTS.items()}


def pcm_to_bytes(pcm: Samples) -> bytes:
    """int16 [n] as little-endian bytes."""
    return np.ascontiguousarray(pcm, dtype="<i2").tobytes()


def pcm_from_bytes(data: bytes) -> Samples:
    """int16 [n] of little-endian bytes. BadInput for half a sample."""
    if len(data) % 2:
        raise BadInput(f"{len(data)} bytes of audio: half a sample; 16-bit PCM has two bytes a sample")
    return np.frombuffer(data, dtype="<i2").astype(np.int16)


def config_to_pb(hint: DecodingHint, sample_rate: int) -> pb.RecognizeConfig:
    """To pb."""
    return pb.RecognizeConfig(sample_rate=sample_rate, hint=_HINTS[hint.expect], phrases=hint.phrases, language="zh")


def config_from_pb(message: pb.RecognizeConfig) -> tuple[DecodingHint, int]:
    """Hint and sample rate; unset ones are free speech at 8 kHz."""
    return DecodingHint(_EXPECTS.get(message.hint, Expect.FREE), tuple(message.phrases)), message.sample_rate or 8000


def transcript_to_pb(value: Transcript) -> pb.RecognizeResponse:
    """To pb."""
    return pb.RecognizeResponse(
        text=value.text,
        final=value.final,
        confidence=value.confidence,
        units=[
            pb.TimedUnit(text=unit.text, start_s=unit.start, end_s=unit.end, confidence=unit.confidence)
            for unit in value.chars
        ],
    )


def transcript_from_pb(
    message: pb.RecognizeResponse, *, audio_s: float = 0.0, decode_ms: float = 0.0, engine: str = ""
) -> Transcript:
    """From pb."""
    units = tuple(Timed(unit.text, unit.start_s, unit.end_s, unit.confidence) for unit in message.units)
    return Transcript(message.text, message.final, message.confidence, units, audio_s, decode_ms, engine)


def speech_to_pb(value: Speech) -> pb.SynthesizeRequest:
    """To pb."""
    return pb.SynthesizeRequest(text=value.text, voice=value.voice, speed=value.speed, fixed=value.fixed)


def speech_from_pb(message: pb.SynthesizeRequest) -> Speech:
    """From pb; an unset speed is the normal one."""
    return Speech(message.text, message.voice, message.speed or 1.0, message.fixed)


def chunk_to_pb(value: AudioChunk) -> pb.SynthesizeResponse:
    """To pb."""
    return pb.SynthesizeResponse(pcm=pcm_to_bytes(value.pcm), sample_rate=value.sample_rate, text=value.text)


def chunk_from_pb(message: pb.SynthesizeResponse) -> AudioChunk:
    """From pb."""
    return AudioChunk(pcm_from_bytes(message.pcm), message.sample_rate, message.text)


def asr_to_pb(value: Capabilities) -> pb.AsrInfo:
    """To pb."""
    return pb.AsrInfo(
        name=value.name,
        languages=value.languages,
        sample_rates=value.sample_rates,
        native_rate=value.native_rate,
        partials=value.partials,
        word_times=value.word_times,
        char_times=value.char_times,
        confidence=value.confidence,
        hints=sorted(_HINTS[hint] for hint in value.hints),
        hotwords=value.hotwords,
        licence=value.licence,
        version=value.version,
    )


def asr_from_pb(message: pb.AsrInfo) -> Capabilities:
    """From pb."""
    return Capabilities(
        name=message.name,
        languages=tuple(message.languages),
        sample_rates=tuple(message.sample_rates),
        native_rate=message.native_rate,
        partials=message.partials,
        word_times=message.word_times,
        char_times=message.char_times,
        confidence=message.confidence,
        hints=frozenset(_EXPECTS[hint] for hint in message.hints if hint in _EXPECTS),
        hotwords=message.hotwords,
        licence=message.licence,
        version=message.version,
    )


def tts_to_pb(value: TtsCapabilities) -> pb.TtsInfo:
    """To pb."""
    return pb.TtsInfo(
        name=value.name,
        version=value.version,
        voices=value.voices,
        languages=value.languages,
        sample_rate=value.sample_rate,
    )


def tts_from_pb(message: pb.TtsInfo) -> TtsCapabilities:
    """From pb."""
    return TtsCapabilities(
        message.name, message.version, tuple(message.voices), tuple(message.languages), message.sample_rate
    )
