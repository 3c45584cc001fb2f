"""One simulated caller on a real telephone line: waits for the bot to fall silent, speaks, talks over it, presses keys.

Turn-taking is by ear alone (the level of received packets). What the bot said is told by `hear`, as the caller's
understanding: a person understands speech; a simulation reads it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import numpy as np

from common.audio import gain
from common.errors import Unavailable
from hotline.callers.script import Line, Memory, Persona
from telephony.agent import PacketLog, UserAgent, speak
from telephony.call import SipCall
from voice_gateway.api import Pcm

RATE = 8000
QUIET_S = 0.9
BOT_BEGINS_WITHIN_S = 15.0
BOT_ENDS_WITHIN_S = 60.0
CALL_LIMIT_S = 240.0
POLL_S = 0.02
FADE_SAMPLES = 120  # 15 ms

Render = Callable[[str, str, float], Awaitable[Pcm]]
"""text, voice, speed -> int16 at 8 kHz, without silence around it."""


@dataclass(slots=True)
class SaidLine:
    """One thing that the caller did, with its times (time.monotonic; 0 = did not happen)."""

    line: Line
    began_at: float = 0.0
    ended_at: float = 0.0
    bot_began_at: float = 0.0
    bot_stopped_at: float = 0.0  # only for lines that talk over the bot

    @property
    def voice_to_voice_ms(self) -> float | None:
        """Last sample of the caller's speech sent to first audible bot packet received."""
        return (self.bot_began_at - self.ended_at) * 1000 if self.bot_began_at else None

    @property
    def barge_in_ms(self) -> float | None:
        """First sample over the bot sent to last audible packet of the bot's interrupted speech."""
        return max(0.0, (self.bot_stopped_at - self.began_at) * 1000) if self.bot_stopped_at else None


@dataclass(slots=True)
class CallOutcome:
    """What a call was like at the caller's end."""

    said: list[SaidLine] = field(default_factory=list)
    finished: bool = False
    closed: str = ""


async def prepare(persona: Persona, render: Render, seed: int = 0) -> dict[str, Pcm]:
    """Every line of a story as audio at the caller's own level, so that nothing is synthesised during the call."""
    spoken: dict[str, Pcm] = {}
    lines = [beat.line for beat in persona.beats] + [Line(("对",))]
    for line in lines:
        if line.pieces and line.text not in spoken:
            parts: list[Pcm] = []
            for index, piece in enumerate(line.pieces):
                if index:
                    parts.append(np.zeros(int(line.pause_s * RATE), np.int16))
                parts.append(_soft_edges(await render(piece, persona.voice, line.speed)))
            spoken[line.text] = gain(np.concatenate(parts), line.gain_db)
    rng = np.random.default_rng(seed)
    level = 32768 * 10 ** (persona.noise_dbfs / 20)
    for text, pcm in spoken.items():
        noisy = pcm + rng.normal(0, level, len(pcm))
        spoken[text] = np.clip(noisy, -32768, 32767).astype(np.int16)
    return spoken


def _soft_edges(pcm: Pcm) -> Pcm:
    """Without the clicks that speech cut out of its silence has."""
    ramp = np.minimum(1.0, np.minimum(np.arange(len(pcm)), np.arange(len(pcm))[::-1]) / FADE_SAMPLES)
    faded: Pcm = (pcm * ramp).astype(np.int16)
    return faded


class Caller:
    """Phones `uri` and lives the story of its persona."""

    def __init__(
        self,
        persona: Persona,
        spoken: dict[str, Pcm],
        hear: Callable[[], str],
        on_line: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._memory = Memory(persona)
        self._persona = persona
        self._spoken = spoken
        self._hear = hear
        self._on_line = on_line
        self.outcome = CallOutcome()

    async def phone(self, agent: UserAgent, uri: str) -> CallOutcome:
        """The whole call; returns when it is over. Raises TimedOut or CallRefused when nobody answers."""
        call = await agent.dial(uri, sender=self._persona.number)
        packets = PacketLog.on(call)
        talking = asyncio.create_task(self._converse(call, packets), name=f"caller-{self._persona.name}")
        try:
            self.outcome.closed = await call.wait_closed(CALL_LIMIT_S)
        finally:
            talking.cancel()
            results = await asyncio.gather(talking, return_exceptions=True)
            await call.hang_up("caller")
        for result in results:
            if isinstance(result, Exception) and not isinstance(result, Unavailable):
                raise result  # a line that dies under a speaking caller is how calls end; anything else is a bug
        self.outcome.finished = self._memory.done
        return self.outcome

    async def _converse(self, call: SipCall, packets: PacketLog) -> None:
        since = time.monotonic()
        while True:
            began = await self._audible(packets, since, BOT_BEGINS_WITHIN_S)
            if self.outcome.said and not self.outcome.said[-1].bot_began_at and began:
                self.outcome.said[-1].bot_began_at = began
            over = self._memory.upcoming()
            if over is not None and over.over_s is not None and began:
                await asyncio.sleep(max(0.0, began + over.over_s - time.monotonic()))
                line = self._memory.next(self._hear())
            else:
                await self._quiet(packets)
                line = self._memory.next(self._hear())
            if line is None:
                return
            since = await self._do(call, packets, line)

    async def _do(self, call: SipCall, packets: PacketLog, line: Line) -> float:
        done = SaidLine(line)
        self._on_line(line.text)
        self.outcome.said.append(done)
        if line.keys:
            await call.press(line.keys)
            done.began_at = done.ended_at = time.monotonic()
            return done.ended_at
        said = await speak(call, self._spoken[line.text])
        done.began_at, done.ended_at = said.first_at, said.last_at
        if line.over_s is not None and not line.backchannel:
            stopped = packets.last_audible(done.began_at - 0.5, done.ended_at)
            done.bot_stopped_at = stopped.at if stopped is not None else done.began_at
        return done.began_at if line.backchannel else done.ended_at

    async def _audible(self, packets: PacketLog, since: float, within_s: float) -> float:
        """When the bot began to speak after `since`; 0.0 if it did not within the time."""
        until = time.monotonic() + within_s
        while time.monotonic() < until:
            if (heard := packets.first_audible(since)) is not None:
                return heard.at
            await asyncio.sleep(POLL_S)
        return 0.0

    async def _quiet(self, packets: PacketLog) -> None:
        for _ in range(int(BOT_ENDS_WITHIN_S / POLL_S)):
            if packets.quiet_for(QUIET_S):
                return
            await asyncio.sleep(POLL_S)
