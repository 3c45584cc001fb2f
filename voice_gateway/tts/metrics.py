"""Prometheus metrics of speech synthesis."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

_SECONDS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.7, 1.0, 1.5, 2.0, 4.0)

FIRST_AUDIO = Histogram("hotline_tts_first_audio_seconds", "Text given to first audio", ["engine"], buckets=_SECONDS)
REAL_TIME_FACTOR = Histogram(
    "hotline_tts_window_real_time_factor",
    "Time to compute a window of speech over its length",
    buckets=(0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0, 1.5, 2.0, 4.0),
)
AUDIO = Counter("hotline_tts_audio_seconds_total", "Audio made", ["engine"])
STREAMS = Gauge("hotline_tts_streams", "Texts being spoken", ["engine"])
WAITING = Gauge("hotline_tts_windows_waiting", "Windows of speech that wait for a worker")
FALLBACKS = Counter("hotline_tts_fallbacks_total", "Texts that the fallback voice spoke, by reason", ["reason"])
CACHE = Counter("hotline_tts_cache_total", "Prompt cache look-ups", ["outcome"])
CACHE_BYTES = Gauge("hotline_tts_cache_bytes", "Size of the prompt cache on disk")
UNSPOKEN = Counter("hotline_tts_unspoken_total", "Characters for which there is no sound")
