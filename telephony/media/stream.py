"""One RTP stream in both directions on its own pair of sockets, with RTCP (RFC 3550) by aiortp.

What is received goes to a `StreamUser`, packet by packet with its time of arrival; what is sent is one packet per call
of `send_audio`, `send_key` or `skip`. Pacing is the caller's.
"""

from __future__ import annotations

import asyncio
from typing import Protocol

from aiortp.base_session import BaseRTPSession
from aiortp.cn import parse_cn_payload
from aiortp.codecs import get_codec
from aiortp.packet import RtcpByePacket, RtcpPacket, RtcpRrPacket, RtcpSrPacket, RtpPacket
from aiortp.sender import RtpSender
from aiortp.transport import RtpTransport

from common.errors import Unavailable
from common.telemetry import get_logger
from telephony import metrics
from telephony.media.latch import Latch
from telephony.media.playout import FRAME_SAMPLES
from telephony.media.ports import PortPairs
from telephony.sip.offer import MediaPlan
from telephony.sip.syntax import Addr

CN_TYPE = 13
MAX_AUDIO_BYTES = 1600  # 200 ms
BIND_TRIES = 5

log = get_logger(__name__)


class StreamUser(Protocol):
    """Who hears the stream. Times are those of the event loop's clock (time.monotonic)."""

    def audio(self, at: float, packet: RtpPacket) -> None: ...

    def key(self, at: float, packet: RtpPacket) -> None: ...

    def comfort_noise(self, level: int, timestamp: int) -> None: ...

    def new_source(self) -> None: ...


class _Wire(RtpTransport):
    """aiortp's transport, which logs a warning for each ICMP answer, without the flood: one debug line."""

    def error_received(self, exc: Exception) -> None:
        log.debug("rtp_socket_error", error=str(exc))


class RtpStream(BaseRTPSession):
    """See the module."""

    def __init__(self, user: StreamUser, ports: PortPairs, *, rtcp_interval_s: float = 5.0) -> None:
        super().__init__(payload_type=0, clock_rate=8000, cname="hotline", rtcp_interval=rtcp_interval_s)
        self._port_allocator = ports
        self._user = user
        self._latch = Latch()
        self._plan: MediaPlan | None = None
        self._codec = get_codec(0)
        self._rtcp_from = ""
        self.heard_at = 0.0  # when the last RTP or RTCP packet of the peer came

    async def open(self, host: str) -> int:
        """Bind; the RTP port. RTCP is the port above it."""
        for _ in range(BIND_TRIES):
            try:
                await self._bind_transports((host, 0), ("127.0.0.1", 9))
            except OSError:  # somebody was quicker
                if self._allocated_rtp_port is not None and self._port_allocator is not None:
                    await self._port_allocator.release(self._allocated_rtp_port)
                continue
            assert self._allocated_rtp_port is not None
            if self._closed:  # the call ended while its sockets were being bound
                await self._let_go()
                raise Unavailable("the call is over")
            self.heard_at = asyncio.get_running_loop().time()
            return self._allocated_rtp_port
        raise Unavailable("no RTP sockets could be bound")

    async def _bind_transports(self, local_addr: Addr, remote_addr: Addr) -> None:
        assert self._port_allocator is not None
        self._loop = asyncio.get_running_loop()
        ports = await self._port_allocator.allocate()
        self._allocated_rtp_port = ports[0]
        self._rtp_transport = await self._bind(local_addr[0], ports[0])
        try:
            self._rtcp_transport = await self._bind(local_addr[0], ports[1])
        except OSError:
            self._rtp_transport.close()
            raise
        self._sender = RtpSender(self._rtp_transport, payload_type=0, ssrc=self._ssrc, enable_history=False)
        self._sender.timestamp_increment = FRAME_SAMPLES
        self._rtcp_task = asyncio.create_task(self._run_rtcp())

    async def _bind(self, host: str, port: int) -> RtpTransport:
        wire = _Wire(on_rtp=self._handle_rtp, on_rtcp=self._handle_rtcp)
        await asyncio.get_running_loop().create_datagram_endpoint(lambda: wire, local_addr=(host, port))
        return wire

    def apply(self, plan: MediaPlan, signalling_host: str) -> None:
        """Follow what was agreed, now or anew."""
        self._plan = plan
        self._codec = get_codec(plan.payload_type)
        if plan.remote[0] not in ("0.0.0.0", "::"):
            self._latch.expect(plan.remote, signalling_host)
            self._follow()
        self._rtcp_from = signalling_host
        self.heard_at = asyncio.get_running_loop().time()

    def _follow(self) -> None:
        target = self._latch.target
        if target is not None and target != self._remote_addr:
            self.update_remote(target)

    # --- receiving ---

    def _handle_rtp(self, data: bytes, addr: Addr) -> None:
        at = asyncio.get_running_loop().time()
        try:
            packet = RtpPacket.parse(data)
        except (ValueError, IndexError):
            metrics.rtp_dropped.labels("unparsable").inc()
            return
        plan = self._plan
        if plan is None:
            metrics.rtp_dropped.labels("early").inc()
            return
        kind = packet.payload_type
        if kind not in plan.accepted and kind not in (plan.dtmf_type, CN_TYPE):
            metrics.rtp_dropped.labels("payload_type").inc()
            return
        if len(packet.payload) > MAX_AUDIO_BYTES or not packet.payload:
            metrics.rtp_dropped.labels("size").inc()
            return
        if not self._latch.admit((addr[0], addr[1]), at):
            metrics.rtp_dropped.labels("source").inc()
            return
        self._follow()
        self.heard_at = at
        if packet.ssrc != self._remote_ssrc:
            self._count_lost()
            self._remote_ssrc_changed(packet.ssrc)
            self._user.new_source()
        if self._stream_stats is not None:
            self._stream_stats.add(packet)
        if kind == plan.dtmf_type:
            self._user.key(at, packet)
        elif kind == CN_TYPE:
            self._user.comfort_noise(parse_cn_payload(packet.payload), packet.timestamp)
        else:
            self._user.audio(at, packet)

    def _handle_rtcp(self, data: bytes, addr: Addr) -> None:
        target = self._latch.target
        if target is None or addr[0] not in (target[0], self._rtcp_from):
            metrics.rtp_dropped.labels("rtcp_source").inc()
            return
        try:
            packets = RtcpPacket.parse(data)
        except (ValueError, IndexError):
            metrics.rtp_dropped.labels("rtcp_unparsable").inc()
            return
        self._remote_rtcp_addr = (addr[0], addr[1])
        for packet in packets:
            if isinstance(packet, RtcpByePacket):
                continue
            self.heard_at = asyncio.get_running_loop().time()
            if isinstance(packet, RtcpSrPacket):
                self._record_incoming_sr(packet.sender_info.ntp_timestamp)
            if isinstance(packet, RtcpSrPacket | RtcpRrPacket):
                self._process_receiver_reports(packet.reports)

    # --- sending: each advances the RTP clock by 20 ms ---

    @property
    def can_send(self) -> bool:
        """Whether the far end wants our audio and we know where it is."""
        return self._plan is not None and self._plan.sending and self._latch.target is not None and not self._closed

    @property
    def can_send_keys(self) -> bool:
        """Whether telephone-events were agreed."""
        return self._plan is not None and self._plan.dtmf_type is not None

    @property
    def rtp_timestamp(self) -> int:
        """Timestamp of the next packet."""
        return self._sender.current_timestamp if self._sender is not None else 0

    def send_audio(self, pcm: bytes, *, marker: bool) -> None:
        """20 ms of s16le."""
        if self._sender is not None and self._plan is not None and self.can_send:
            self._sender.send_raw(
                self._plan.payload_type,
                self._codec.encode(pcm),
                self._sender.current_timestamp,
                marker=int(marker),
                addr=self._remote_addr,
            )
        self.skip()

    def send_key(self, payload: bytes, timestamp: int, *, marker: bool) -> None:
        """One telephone-event packet of the key press that began at `timestamp`."""
        if self._sender is not None and self._plan is not None and self._plan.dtmf_type is not None and self.can_send:
            self._sender.send_raw(self._plan.dtmf_type, payload, timestamp, marker=int(marker), addr=self._remote_addr)
        self.skip()

    def skip(self, frames: int = 1) -> None:
        """Let time pass without a packet."""
        for _ in range(frames if self._sender is not None else 0):
            assert self._sender is not None
            self._sender.advance_timestamp()

    # --- ending ---

    async def _let_go(self) -> None:
        self._closed = False
        await self.close()

    def _count_lost(self) -> None:
        if self._stream_stats is not None and self._stream_stats.packets_lost > 0:
            metrics.rtp_lost.inc(self._stream_stats.packets_lost)

    def _on_closing(self) -> None:
        self._count_lost()
