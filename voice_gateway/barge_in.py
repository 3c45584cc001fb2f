"""Barge-in: may what is heard over the bot stop it? Pure.

Two things have to hold at once: an interruption silences the bot within 200 ms, and an acknowledgement (嗯, 对, 好的,
哦) does not disturb it. No recogniser gives a character within 200 ms, so the answer has two steps:

1. HOLD. At the first window of real speech that is about as loud as this caller speaks, playback is held: what is
   queued is taken back, nothing is lost. A sound more than `quiet_db` below that (an acknowledgement usually is) is not
   held before `quiet_ms` of it were heard; most acknowledgements are over by then and make no gap at all.
2. STOP or RESUME. Characters decide: `min_chars` that are more than acknowledgement, or a single 停, 喂, 不, 别, stop
   the reply for good. A sound shorter than `sure_ms` is judged when it pauses, and then has to be clear: a recogniser
   makes words of a 嗯, but doubts them. When the sound pauses without asking for anything, playback goes on from the
   very sample where it was held; the gap is about as long as the 嗯 itself. Sound without characters for `noise_ms` (a
   television) resumes too, and does not hold this reply again.

An engine without partial transcripts cannot tell: there `blind_stop_ms` of speech stop the reply.

While the conversation closes (goodbye, hand-over) nothing is held; only something new, which is more than thanks and
goodbye, stops it. Over the greeting 喂 and 你好 are only a greeting back. A reply that must be heard (a legal notice)
is never stopped. Near the end of a yes/no question an acknowledgement is an answer and stops it.

The bot's own echo never comes here: `voice_gateway.echo` removes it before the endpointer. Compare: livekit agents
`min_interruption_words`, pipecat `MinWordsInterruptionStrategy` (both split on spaces, which Chinese has not).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from voice_gateway import phrases


class Verdict(Enum):
    """What to do with the reply that is being played."""

    LEAVE = "leave"
    HOLD = "hold"
    RESUME = "resume"
    STOP = "stop"


@dataclass(frozen=True, slots=True)
class BargeInRules:
    """Times in milliseconds of speech; `quiet_db` below the caller's usual level counts as quiet."""

    min_chars: int = 2
    quiet_db: float = 8.0
    quiet_ms: int = 260
    sure_ms: int = 420
    sure_confidence: float = 0.5
    noise_ms: int = 1600
    blind_stop_ms: int = 500


@dataclass(frozen=True, slots=True)
class Playing:
    """The reply that is being played.

    answerable: a yes/no question whose end is near. greeting: the first reply. noisy: an earlier sound was only noise.
    """

    interruptible: bool = True
    closing: bool = False
    answerable: bool = False
    greeting: bool = False
    held: bool = False
    noisy: bool = False


@dataclass(frozen=True, slots=True)
class Sound:
    """What is heard over it.

    level_db: relative to this caller's usual level (None = unknown).
    over: it ended, or it pauses and all that was said is in `text`, with its `confidence` (0 … 1).
    """

    voiced_ms: int
    text: str = ""
    level_db: float | None = None
    confidence: float = 1.0
    over: bool = False
    partials: bool = True


def judge(rules: BargeInRules, playing: Playing, sound: Sound) -> Verdict:
    """What to do now; called for each window of speech, each partial text, and when it pauses or ends."""
    if not playing.interruptible:
        return Verdict.LEAVE
    if _asks(rules, playing, sound):
        return Verdict.STOP
    if playing.closing:
        return Verdict.LEAVE
    if playing.held:
        return Verdict.RESUME if sound.over or _is_noise(rules, sound) else Verdict.LEAVE
    if sound.over or playing.noisy or _is_noise(rules, sound):
        return Verdict.LEAVE
    return Verdict.HOLD if _is_loud(rules, sound) and not _acknowledges(sound) else Verdict.LEAVE


def _asks(rules: BargeInRules, playing: Playing, sound: Sound) -> bool:
    if playing.closing:
        return phrases.count_new(sound.text) >= rules.min_chars and not phrases.is_courtesy(sound.text)
    if playing.greeting and phrases.is_greeting(sound.text):
        return False
    if playing.answerable and sound.text and phrases.is_affirmative(sound.text):
        return True
    if not sound.partials and not sound.text:
        return sound.voiced_ms >= rules.blind_stop_ms and not playing.noisy
    return _is_sure(rules, sound) and (
        phrases.count_new(sound.text) >= rules.min_chars or phrases.is_command(sound.text)
    )


def _is_sure(rules: BargeInRules, sound: Sound) -> bool:
    if sound.voiced_ms >= rules.sure_ms:
        return True
    return sound.over and (sound.confidence >= rules.sure_confidence or phrases.is_complete_answer(sound.text))


def _is_noise(rules: BargeInRules, sound: Sound) -> bool:
    return not sound.text and sound.voiced_ms >= rules.noise_ms


def _is_loud(rules: BargeInRules, sound: Sound) -> bool:
    quiet = sound.level_db is not None and sound.level_db < -rules.quiet_db
    return not quiet or sound.voiced_ms >= rules.quiet_ms


def _acknowledges(sound: Sound) -> bool:
    return bool(sound.text) and phrases.is_backchannel(sound.text)
