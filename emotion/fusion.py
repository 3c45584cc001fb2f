"""Voice and words of one turn, and the turns before, become one reading. Pure.

The score says how upset the person is. Negative words are what makes a turn upsetting; an aroused voice makes it more
so; a loud voice with friendly or neutral words is not anger (a bad line, a happy caller). The score has a memory that
fades, so that repeated complaints add up and one friendly turn calms.
"""

from __future__ import annotations

from emotion.api import AcousticReading, EmotionLabel, EmotionReading, Evidence
from emotion.lexicon import Marks

UNKNOWN_AROUSAL = 0.4  # text channels and utterances too short to tell
FRIENDLY = 0.35


def fuse(
    valence: float,
    marks: Marks,
    acoustic: AcousticReading | None,
    history: tuple[EmotionReading, ...],
    evidence: tuple[Evidence, ...],
    memory: float,
) -> EmotionReading:
    """One reading. valence: of the words, -1 … 1; marks: what the lexicon found; memory: share of the earlier score."""
    heard = acoustic is not None and acoustic.confidence > 0.1
    voice = acoustic.arousal * acoustic.confidence + 0.25 * (1 - acoustic.confidence) if heard and acoustic else 0.0
    arousal = max(voice, marks.anger * 0.6) if heard else max(UNKNOWN_AROUSAL * marks.strength, marks.anger)
    negative = max(0.0, -valence)
    effort = voice if heard else UNKNOWN_AROUSAL
    upset = min(1.0, negative * (0.5 + 0.5 * effort) + 0.2 * negative * marks.anger)
    before = history[-1].score if history else 0.0
    kept = before * memory
    if valence >= FRIENDLY:
        kept *= 0.5
    score = 1.0 - (1.0 - kept) * (1.0 - upset)
    reasons = list(evidence)
    if acoustic is not None:
        reasons.extend(acoustic.evidence)
    if kept >= 0.05:
        reasons.append(Evidence("history", "earlier turns", round(kept, 3)))
    words = min(1.0, 0.4 + abs(valence))
    confidence = words if not heard or acoustic is None else min(1.0, 0.6 * words + 0.4 * acoustic.confidence)
    return EmotionReading(_label(valence, arousal, score, marks), arousal, valence, score, confidence, tuple(reasons))


def _label(valence: float, arousal: float, score: float, marks: Marks) -> EmotionLabel:
    if valence >= FRIENDLY:
        return EmotionLabel.HAPPY
    if valence <= -0.3 and (marks.anger > 0.0 or arousal >= 0.5 or score >= 0.6):
        return EmotionLabel.ANGRY
    if marks.anxious > 0.0:
        return EmotionLabel.ANXIOUS
    if valence <= -0.3:
        return EmotionLabel.SAD if marks.sad > 0.0 else EmotionLabel.ANXIOUS if arousal >= 0.35 else EmotionLabel.SAD
    return EmotionLabel.NEUTRAL
