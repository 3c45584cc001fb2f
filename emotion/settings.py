"""Settings of emotion analysis."""

from __future__ import annotations

from pydantic import Field

from common.settings import Section


class EmotionSettings(Section):
    """Voice and words."""

    threads: int = Field(1, ge=1, le=16, description="utterances analysed at once")
    waiting: int = Field(32, ge=0, description="utterances that may wait; more are refused")
    max_seconds: float = Field(20.0, gt=0, description="longest utterance that is looked at; of more, the end")
    memory: float = Field(0.6, ge=0, lt=1, description="share of the earlier score that lives on in the next turn")
