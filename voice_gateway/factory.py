"""Builds the voice gateway."""

from __future__ import annotations

from dialog.api import DialogService
from emotion.api import EmotionService
from voice_gateway.asr.api import AsrEngine
from voice_gateway.observer import NoObserver, SessionObserver
from voice_gateway.service import Gateway
from voice_gateway.settings import VoiceSettings
from voice_gateway.tools import Tools
from voice_gateway.tts.api import TtsEngine
from voice_gateway.vad.api import VadEngine


def build(
    settings: VoiceSettings,
    *,
    dialog: DialogService,
    emotion: EmotionService,
    asr: AsrEngine,
    tts: TtsEngine,
    vad: VadEngine | None = None,
    observer: SessionObserver | None = None,
    phrases: tuple[str, ...] = (),
) -> Gateway:
    """A gateway; `await gateway.prepare()` renders its prompts before the first call.

    The engines stay their owner's. `phrases` are likelier than usual words for the recogniser (product names).
    """
    if vad is None:
        from voice_gateway.vad.engines.silero import SileroVad, bundled_model

        vad = SileroVad(bundled_model())
    return Gateway(Tools(dialog, emotion, asr, tts, vad, {}, settings, observer or NoObserver(), phrases))
