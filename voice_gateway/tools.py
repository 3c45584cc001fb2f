"""What every session of a gateway shares."""

from __future__ import annotations

from dataclasses import dataclass

from dialog.api import DialogService
from emotion.api import EmotionService
from voice_gateway.asr.api import AsrEngine
from voice_gateway.observer import SessionObserver
from voice_gateway.settings import VoiceSettings
from voice_gateway.speaker import Prompts
from voice_gateway.tts.api import TtsEngine
from voice_gateway.vad.api import VadEngine


@dataclass(frozen=True, slots=True)
class Tools:
    """Engines and services, the rendered prompts, and who watches. `phrases`: likelier words for the recogniser."""

    dialog: DialogService
    emotion: EmotionService
    asr: AsrEngine
    tts: TtsEngine
    vad: VadEngine
    prompts: Prompts
    settings: VoiceSettings
    observer: SessionObserver
    phrases: tuple[str, ...] = ()
