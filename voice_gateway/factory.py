"""Builds the voice gateway."""

from __future__ import annotations

import asyncio

from common.errors import HotlineError, Misconfigured
from common.telemetry import get_logger
from dialog.api import DialogService
from emotion.api import EmotionService
from voice_gateway.asr.api import AsrEngine
from voice_gateway.observer import NoObserver, SessionObserver
from voice_gateway.service import Gateway
from voice_gateway.session import Tools
from voice_gateway.settings import VoiceSettings
from voice_gateway.speaker import Prompts
from voice_gateway.tts.api import AudioChunk, Speech, TtsEngine
from voice_gateway.vad.api import VadEngine

log = get_logger(__name__)


async def build(
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
    """A gateway whose own prompts, and the dialog's fixed ones, are rendered already.

    It owns `asr` and `tts` from now on. `phrases` are likelier than usual words for the recogniser (product names).
    Misconfigured when the engine cannot say our own prompts.
    """
    prompts = await _own_prompts(settings, tts)
    prompts |= await _dialog_prompts(settings, tts, await dialog.fixed_prompts())
    if vad is None:
        from voice_gateway.vad.engines.silero import SileroVad, bundled_model

        vad = await asyncio.to_thread(lambda: SileroVad(bundled_model()))
    return Gateway(
        Tools(dialog, emotion, asr, tts, vad, prompts, settings, observer or NoObserver(), phrases)
    )


async def _own_prompts(settings: VoiceSettings, tts: TtsEngine) -> dict[tuple[str, str], tuple[AudioChunk, ...]]:
    try:
        return {(settings.voice, text): await _render(settings, tts, text) for text in settings.own_prompts()}
    except HotlineError as error:
        raise Misconfigured(f"the voice cannot say the gateway's own prompts: {error}") from error


async def _dialog_prompts(settings: VoiceSettings, tts: TtsEngine, texts: tuple[str, ...]) -> Prompts:
    """What fails here is said live later."""
    rendered = {}
    for text in texts:
        try:
            rendered[settings.voice, text] = await _render(settings, tts, text)
        except HotlineError as error:
            log.warning("prompt_not_rendered", code=error.code)
    return rendered


async def _render(settings: VoiceSettings, tts: TtsEngine, text: str) -> tuple[AudioChunk, ...]:
    speech = Speech(text, voice=settings.voice, fixed=True)
    return tuple([chunk async for chunk in tts.stream(speech)])
