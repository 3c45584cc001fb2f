"""`VoiceGateway`: many sessions in one process, the prompts they share, and an orderly end."""

from __future__ import annotations

import asyncio

from common.aio import TaskSet
from common.errors import Misconfigured, Unavailable
from common.telemetry import get_logger
from voice_gateway import metrics
from voice_gateway.api import Call, SessionReport
from voice_gateway.session import Session
from voice_gateway.speaker import Speaker
from voice_gateway.tools import Tools
from voice_gateway.tts.render import prerender

log = get_logger(__name__)


class Gateway:
    """`VoiceGateway` over `tools`, which stay their owners'."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools
        self._calls = TaskSet()
        self._closing = False

    @property
    def calls(self) -> int:
        """Conversations running."""
        return len(self._calls)

    async def prepare(self) -> None:
        """Render our own prompts and the dialog's fixed ones; what is not rendered is synthesised when it is said.

        Misconfigured when the engine cannot say our own.
        """
        settings, tools = self._tools.settings, self._tools
        own = settings.own_prompts()
        rendered = await prerender(tools.tts, (*own, *await tools.dialog.fixed_prompts()), voice=settings.voice)
        if missing := set(own).intersection(rendered.failed):
            raise Misconfigured(f"the voice cannot say the gateway's own prompts: {'; '.join(sorted(missing))}")
        tools.prompts.update({(settings.voice, text): chunks for text, chunks in rendered.chunks.items()})

    async def handle(self, call: Call) -> SessionReport:
        """Converse on the call until it ends. Never raises for what happens on the line."""
        if self._closing or self.calls >= self._tools.settings.max_calls:
            return await self._refuse(call)
        task = self._calls.spawn(Session(call, self._tools).run(), name=f"session {call.info.id}")
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            if not task.cancelled():  # our caller was cancelled: so is the session
                task.cancel()
                await asyncio.wait([task])
                raise
            return SessionReport(call.info.id, "shutdown", 0, 0, False)

    async def _refuse(self, call: Call) -> SessionReport:
        """Full, or shutting down: say so and hang up."""
        speaker = Speaker(call.audio, self._tools.tts, self._tools.prompts)
        settings = self._tools.settings
        reason = "shutdown" if self._closing else "overloaded"
        try:
            speaker.begin()
            await speaker.say(settings.say_busy, voice=settings.voice, fixed=True)
            async with asyncio.timeout(10):
                await speaker.finish()
        except (Unavailable, TimeoutError) as error:
            log.info("refusal_unheard", exc_info=error)
        finally:
            await speaker.stop()
            await call.hang_up(reason)
        metrics.ENDED.labels(reason).inc()
        return SessionReport(call.info.id, reason, 0, 0, False)

    async def aclose(self) -> None:
        """Refuse new calls, let running ones end within `drain_s`, cancel the rest; may be called twice."""
        self._closing = True
        try:
            async with asyncio.timeout(self._tools.settings.drain_s):
                await self._calls.join()
        except TimeoutError:
            log.warning("calls_cut", calls=self.calls)
        await self._calls.aclose()
