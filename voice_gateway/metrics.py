"""Prometheus metrics of the voice sessions."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

from voice_gateway.observer import Latency

_BUCKETS = (0.02, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.5, 0.6, 0.8, 1.0, 1.5, 2.0, 4.0, 8.0)

VOICE_TO_VOICE = Histogram(
    "hotline_voice_to_voice_seconds", "Caller's last speech to the bot's first audio", buckets=_BUCKETS
)
STAGE = Histogram(
    "hotline_voice_stage_seconds", "Part of voice-to-voice: endpoint, asr, dialog, tts", ["stage"], buckets=_BUCKETS
)
CALLS = Gauge("hotline_voice_calls", "Conversations running")
ENDED = Counter("hotline_voice_ended_total", "Conversations that ended, by reason", ["reason"])
TURNS = Counter("hotline_voice_turns_total", "Turns, by kind", ["kind"])
BARGE_INS = Counter("hotline_voice_barge_ins_total", "Replies stopped by the caller")
HOLDS = Counter("hotline_voice_holds_total", "Replies held for a moment", ["outcome"])
FAILURES = Counter("hotline_voice_failures_total", "Failures of what the session depends on", ["what", "code"])
ACOUSTIC_LATE = Counter("hotline_voice_acoustic_late_total", "Turns sent without the voice reading: it was late")


def count_latency(latency: Latency) -> None:
    """One answered turn."""
    STAGE.labels("endpoint").observe(latency.endpoint / 1000)
    STAGE.labels("asr").observe(latency.asr / 1000)
    STAGE.labels("dialog").observe(latency.dialog / 1000)
    if latency.total >= 0:
        STAGE.labels("tts").observe(latency.tts / 1000)
        VOICE_TO_VOICE.observe(latency.total / 1000)
