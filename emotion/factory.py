"""Builds emotion analysis."""

from __future__ import annotations

import numpy as np

from common.aio import InferencePool
from emotion.acoustic import extract
from emotion.service import Emotions
from emotion.settings import EmotionSettings
from emotion.text import model


def build(settings: EmotionSettings) -> Emotions:
    """Loads the text model and warms librosa up (its first use compiles). Blocks for a few seconds."""
    model()
    t = np.arange(8000) / 8000.0
    extract((8000 * np.sin(2 * np.pi * 150 * t)).astype(np.int16), 8000)
    pool = InferencePool(settings.threads, waiting=settings.waiting, name="emotion")
    return Emotions(pool, max_seconds=settings.max_seconds, memory=settings.memory)
