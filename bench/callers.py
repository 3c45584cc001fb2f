"""Simulated callers that measure: a process of its own, so that its work is not counted as Hotline's.

    python -m bench.callers URI FOLDER CALLS TURNS      ->  one JSON object on stdout

Every caller phones, waits for the greeting, then asks the WAV files of FOLDER (8 kHz, no silence around the speech) in
turn. Every second question is asked over the bot's reply. Both figures are taken at the caller's end, from packets:
voice-to-voice = last speech packet sent -> first audible packet received; barge-in = first speech packet sent over the
bot -> last audible packet before the bot falls silent.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

from common.audio import Pcm, read_wav
from common.telemetry import configure
from telephony.agent import Heard, PacketLog, UserAgent, speak
from telephony.call import SipCall

QUIET_S = 0.7
BOT_BEGINS_S = 12.0
BOT_ENDS_S = 40.0
TALK_OVER_S = 1.5  # into the reply
STOPS_WITHIN_S = 3.0
GAP_S = 0.25  # of silence: the bot has stopped
POLL_S = 0.02
STAGGER_S = 0.4
_FRAME_S = 0.02


@dataclass
class Measured:
    """All of one run, milliseconds. `unanswered`: turns without an audible reply in time."""

    voice_to_voice: list[float] = field(default_factory=list)
    barge_in: list[float] = field(default_factory=list)
    unanswered: int = 0
    not_stopped: int = 0
    turns: int = 0


class MeasuringCaller:
    """One call."""

    def __init__(self, call: SipCall, packets: PacketLog, questions: list[Pcm], measured: Measured) -> None:
        self._call, self._packets, self._questions, self._measured = call, packets, questions, measured

    async def converse(self, turns: int, first: int) -> None:
        """Ask `turns` questions, beginning with number `first`."""
        await self._first_audible(time.monotonic())
        await self._quiet()
        talked_over = False
        for turn in range(turns):
            ended = await self._ask(self._questions[(first + turn) % len(self._questions)], over=talked_over)
            heard = await self._first_audible(ended)
            self._measured.turns += 1
            if heard is None:
                self._measured.unanswered += 1
                talked_over = False
                continue
            self._measured.voice_to_voice.append((heard.at - ended) * 1000)
            talked_over = turn % 2 == 0 and await self._wait_into(heard)
            if not talked_over:
                await self._quiet()

    async def _ask(self, question: Pcm, *, over: bool) -> float:
        said = await speak(self._call, question)
        if over:
            stopped = self._stopped_at(said.first_at)
            if stopped is None:
                self._measured.not_stopped += 1
            else:
                self._measured.barge_in.append(max(0.0, stopped - said.first_at) * 1000)
        return said.last_at + _FRAME_S

    def _stopped_at(self, began: float) -> float | None:
        """The last audible packet before a gap."""
        last = began
        for heard in self._audible_between(began, began + STOPS_WITHIN_S):
            if heard.at - last > GAP_S:
                return last
            last = heard.at
        return last if last < began + STOPS_WITHIN_S - GAP_S else None

    def _audible_between(self, start: float, end: float) -> list[Heard]:
        return [h for h in self._packets.received_packets if start < h.at < end and h.level_dbfs >= -45.0]

    async def _wait_into(self, heard: Heard) -> bool:
        """Wait until the reply has run for a while; False if it was too short for that."""
        await asyncio.sleep(max(0.0, heard.at + TALK_OVER_S - time.monotonic()))
        return not self._packets.quiet_for(0.3)

    async def _first_audible(self, after: float) -> Heard | None:
        until = time.monotonic() + BOT_BEGINS_S
        while time.monotonic() < until:
            if (heard := self._packets.first_audible(after)) is not None:
                return heard
            await asyncio.sleep(POLL_S)
        return None

    async def _quiet(self) -> None:
        for _ in range(int(BOT_ENDS_S / POLL_S)):
            if self._packets.quiet_for(QUIET_S):
                return
            await asyncio.sleep(POLL_S)


async def run(uri: str, questions: list[Pcm], calls: int, turns: int) -> Measured:
    """All callers at once."""
    measured = Measured()
    async with UserAgent(user="bench") as agent, asyncio.TaskGroup() as tasks:
        for index in range(calls):
            tasks.create_task(_one(agent, uri, questions, measured, turns, index))
    return measured


async def _one(agent: UserAgent, uri: str, questions: list[Pcm], measured: Measured, turns: int, index: int) -> None:
    await asyncio.sleep(index * STAGGER_S)
    call = await agent.dial(uri, sender=f"139{index:08d}")
    packets = PacketLog.on(call)
    try:
        await MeasuringCaller(call, packets, questions, measured).converse(turns, index)
    finally:
        await call.hang_up("done")


def main() -> None:
    """See the module."""
    configure(level="ERROR", json=False)
    uri, folder, calls, turns = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
    questions = [read_wav(path, 8000) for path in sorted(folder.glob("*.wav"))]
    measured = asyncio.run(run(uri, questions, calls, turns))
    print(json.dumps(measured.__dict__))


if __name__ == "__main__":
    main()
