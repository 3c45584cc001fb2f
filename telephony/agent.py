"""The far end of the line: a SIP user agent that dials, answers, presses keys, holds, and follows a REFER.

For simulated callers, human extensions and measurements; it is the same stack as the hotline's, used from the other
side. `PacketLog` (a `Tap`) keeps when each packet was sent and received, which is what latencies are measured by:

    async with UserAgent(user="caller") as ua:
        call = await ua.dial("sip:hotline@127.0.0.1:5060")
        log = PacketLog.on(call)
        said = await speak(call, pcm)              # real time; said.last_at = when its last sample was sent
        heard = log.first_audible(after=said.last_at)
        latency_s = heard.at - said.last_at
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Literal

import numpy as np
from aiosipua import SipDigestAuth, SipRequest

from common.audio import dbfs
from common.audio import frames as cut
from common.errors import HotlineError, TimedOut
from common.telemetry import get_logger
from dialog.api import HandoffSummary
from telephony import context
from telephony.api import CallRefused
from telephony.call import SipCall
from telephony.media.media import ReceivedPacket, SentPacket
from telephony.media.playout import FRAME_SAMPLES
from telephony.settings import CodecName, RecordingSettings, TelephonySettings
from telephony.sip.refer import split_refer_to
from telephony.sip.transaction import ServerTransaction
from telephony.station import METHODS, Station
from voice_gateway.api import Pcm

AUDIBLE_DBFS = -45.0
LOG_PACKETS = 50 * 3600

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Heard:
    """A received packet: when, and how loud."""

    at: float
    level_dbfs: float


@dataclass(frozen=True, slots=True)
class Said:
    """When the first and the last packet of an utterance were sent (time.monotonic)."""

    first_at: float
    last_at: float


@dataclass(slots=True)
class PacketLog:
    """Every packet of a call at the far end, with its time (time.monotonic, taken at the socket)."""

    received_packets: deque[Heard] = field(default_factory=lambda: deque(maxlen=LOG_PACKETS))
    sent_packets: deque[SentPacket] = field(default_factory=lambda: deque(maxlen=LOG_PACKETS))
    audio: list[Pcm] | None = None  # what was heard, only with keep_audio

    @classmethod
    def on(cls, call: SipCall, *, keep_audio: bool = False) -> PacketLog:
        """A log of everything from now on."""
        made = cls(audio=[] if keep_audio else None)
        call.tap = made
        return made

    def sent(self, packet: SentPacket) -> None:
        self.sent_packets.append(packet)

    def received(self, packet: ReceivedPacket) -> None:
        self.received_packets.append(Heard(packet.at, dbfs(packet.pcm)))
        if self.audio is not None:
            self.audio.append(packet.pcm)

    def first_audible(self, after: float, level_dbfs: float = AUDIBLE_DBFS) -> Heard | None:
        """The first packet received after `after` that can be heard."""
        found = None
        for heard in reversed(self.received_packets):
            if heard.at <= after:
                break
            if heard.level_dbfs >= level_dbfs:
                found = heard
        return found

    def last_audible(self, after: float, until: float = float("inf"), level_dbfs: float = AUDIBLE_DBFS) -> Heard | None:
        """The last packet received between `after` and `until` that can be heard."""
        for heard in reversed(self.received_packets):
            if heard.at <= after:
                return None
            if heard.at <= until and heard.level_dbfs >= level_dbfs:
                return heard
        return None

    def quiet_for(self, seconds: float, level_dbfs: float = AUDIBLE_DBFS) -> bool:
        """Whether nothing audible came in the last `seconds` of what was received."""
        if not self.received_packets:
            return False
        end = self.received_packets[-1].at
        return self.last_audible(end - seconds, level_dbfs=level_dbfs) is None


async def speak(call: SipCall, pcm: Pcm) -> Said:
    """Say `pcm` (int16, 8 kHz) in real time; returns when its last packet was sent.

    Raises Unavailable when the line dies. The call's tap must be a PacketLog.
    """
    packets = call.tap
    if not isinstance(packets, PacketLog):
        raise TypeError("speak needs PacketLog.on(call) first")
    start = len(packets.sent_packets)
    for frame in cut(pcm, FRAME_SAMPLES):
        await call.audio.write(frame)
    await call.audio.drain()
    await asyncio.sleep(0)
    queued = [p for p in list(packets.sent_packets)[start:] if p.queued]
    if not queued:
        now = asyncio.get_running_loop().time()
        return Said(now, now)
    return Said(queued[0].at, queued[-1].at)


ReferPolicy = Literal["follow", "decline", "ignore"]


class UserAgent:
    """One phone. Inbound calls are answered after `ring_s` and come out of `incoming`, in order.

    refer: what to do when asked to call somebody else: follow (and report progress; the new call comes out of
    `incoming` too), decline (603), or accept and never report (ignore).
    """

    def __init__(
        self,
        *,
        user: str = "caller",
        host: str = "127.0.0.1",
        port: int = 0,
        codecs: tuple[CodecName, ...] = ("PCMA", "PCMU"),
        answer_status: int = 200,
        ring_s: float = 0.0,
        refer: ReferPolicy = "follow",
        auth: SipDigestAuth | None = None,
        record_to: Path | None = None,
        settings: TelephonySettings | None = None,
    ) -> None:
        self._settings = settings or TelephonySettings(
            host=host,
            port=port,
            user=user,
            codecs=codecs,
            rtp_ports=(0, 0),
            session_expires_s=0,
            recording=RecordingSettings(enabled=record_to is not None, folder=record_to),
        )
        self._station = Station(self._settings, on_invite=self._on_invite, methods=(*METHODS, "REFER"))
        self._answer_status = answer_status
        self._ring_s = ring_s
        self._refer = refer
        self._auth = auth
        self._arrived: asyncio.Queue[SipCall] = asyncio.Queue()

    async def __aenter__(self) -> UserAgent:
        await self._station.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._station.aclose()

    @property
    def uri(self) -> str:
        """Where this phone can be called."""
        return self._station.uri

    @property
    def calls(self) -> tuple[SipCall, ...]:
        """Calls that are ringing or up."""
        return tuple(self._station.calls.values())

    async def dial(
        self, uri: str, *, headers: Mapping[str, str] | None = None, ring_timeout_s: float = 30.0, sender: str = ""
    ) -> SipCall:
        """Call, as `sender` (a number or a SIP URI) when given; see Station.dial for what it raises."""
        return await self._station.dial(
            uri,
            on_established=_nothing,
            sender=sender,
            auth=self._auth,
            headers=headers,
            ring_timeout_s=ring_timeout_s,
            on_refer=self._on_refer,
        )

    async def incoming(self, timeout_s: float = 30.0) -> SipCall:
        """The next call that was answered here. Raises TimedOut."""
        try:
            async with asyncio.timeout(timeout_s):
                return await self._arrived.get()
        except TimeoutError:
            raise TimedOut(f"no call came within {timeout_s:g} s") from None

    def _on_invite(self, request: SipRequest, transaction: ServerTransaction) -> None:
        if self._answer_status != 200:
            transaction.reply(180)
            transaction.reply(self._answer_status)
            return
        call = self._station.inbound(
            request, transaction, on_established=self._arrived.put_nowait, on_refer=self._on_refer
        )
        self._station.endpoint.tasks.spawn(self._station.answer(call, ring_s=self._ring_s), name="ua-answer")

    def _on_refer(self, call: SipCall, target: str) -> bool:
        if self._refer == "decline":
            return False
        if self._refer == "follow":
            self._station.endpoint.tasks.spawn(self._follow(call, target), name="ua-refer")
        return True

    async def _follow(self, call: SipCall, refer_to: str) -> None:
        target, headers = split_refer_to(refer_to)
        await call.notify(100, "Trying")
        try:
            new = await self.dial(target, headers=headers)
        except CallRefused as refused:
            await call.notify(refused.status or 503, "Refused")
        except TimedOut:
            await call.notify(408, "Request Timeout")
        except HotlineError:
            await call.notify(503, "Service Unavailable")
        else:
            self._arrived.put_nowait(new)
            await call.notify(200, "OK")


def handed_over(call: SipCall) -> HandoffSummary | None:
    """The context that came with a transferred call, at the human's extension."""
    return context.from_headers(call.info.headers)


def _nothing(call: SipCall) -> None:
    return None


def tone(seconds: float, hz: float = 440.0, level: float = 0.3) -> Pcm:
    """A sine at 8 kHz."""
    t = np.arange(int(seconds * 8000)) / 8000
    wave: Pcm = (level * 32767 * np.sin(2 * np.pi * hz * t)).astype(np.int16)
    return wave
