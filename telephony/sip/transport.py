"""UDP and TCP transports of aiosipua's SipTransport interface.

aiosipua's own UDP transport asserts `isinstance(transport, asyncio.DatagramTransport)`, which the selector loop of
Python 3.11 does not satisfy; its TCP transport cannot connect on demand. Messages that must not be acted on go to
`on_bad`, with the exception that says why.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import ClassVar

from aiosipua import SipRequest, SipResponse, SipTransport

from common.aio import TaskSet
from common.telemetry import get_logger
from telephony.sip.syntax import Addr, BadSip, parse, reply_address

MAX_HEADER_BYTES = 64 * 1024
MAX_BODY_BYTES = 256 * 1024
MAX_UNSENT_BYTES = 1024 * 1024
MAX_CONNECTIONS = 512
CONNECT_TIMEOUT_S = 5.0

log = get_logger(__name__)
BadCallback = Callable[[BadSip, Addr], None]
LostCallback = Callable[[Addr], None]


@dataclass
class WireTransport(SipTransport):
    """What both have: parsing, `on_bad`, and `on_lost` for a peer that cannot be reached."""

    name: ClassVar[str] = ""

    on_bad: BadCallback | None = None
    on_lost: LostCallback | None = None

    def reply_to(self, request: SipRequest, source: Addr) -> Addr:
        """Where responses to `request` go."""
        raise NotImplementedError

    def connected(self, addr: Addr) -> bool:
        """Whether messages to `addr` can leave without opening a connection."""
        return True

    def _dispatch(self, data: bytes, addr: Addr) -> None:
        try:
            message = parse(data, addr)
        except BadSip as bad:
            if self.on_bad is not None:
                self.on_bad(bad, addr)
            return
        if self.on_message is not None:
            try:
                self.on_message(message, addr)
            except Exception:
                log.exception("sip_handler_failed", transport=self.name)

    def _lost(self, addr: Addr) -> None:
        if self.on_lost is not None:
            self.on_lost(addr)


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, owner: UdpTransport) -> None:
        self._owner = owner

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self._owner.received(data, (addr[0], addr[1]))

    def error_received(self, exc: Exception) -> None:
        log.debug("sip_udp_error", error=str(exc))  # the transaction's own timers decide


@dataclass
class UdpTransport(WireTransport):
    """One datagram is one message."""

    name: ClassVar[str] = "UDP"
    reliable: ClassVar[bool] = False
    _socket: asyncio.DatagramTransport | None = field(default=None, init=False, repr=False)

    async def start(self) -> None:
        loop = asyncio.get_running_loop()
        self._socket, _ = await loop.create_datagram_endpoint(lambda: _Datagrams(self), local_addr=self.local_addr)
        self.local_addr = self._socket.get_extra_info("sockname")[:2]

    def received(self, data: bytes, addr: Addr) -> None:
        """A datagram; keep-alives (RFC 5626) and STUN-like probes are ignored."""
        if data.strip(b"\r\n\x00 \t"):
            self._dispatch(data, addr)

    def reply_to(self, request: SipRequest, source: Addr) -> Addr:
        return reply_address(request)

    def send(self, message: SipRequest | SipResponse, addr: Addr) -> None:
        if self._socket is None or self._socket.is_closing():
            return
        try:
            self._socket.sendto(bytes(message), addr)
        except (OSError, ValueError) as error:
            log.warning("sip_udp_send_failed", error=str(error))

    async def stop(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None


class Framer:
    """Cuts a TCP stream into messages by Content-Length (RFC 3261 18.3). Pure."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[bytes]:
        """Whole messages that `data` completes. ValueError: this stream can no longer be understood."""
        self._buffer += data
        messages: list[bytes] = []
        while True:
            while self._buffer[:2] == b"\r\n":  # keep-alive
                del self._buffer[:2]
            end = self._buffer.find(b"\r\n\r\n")
            if end < 0:
                if len(self._buffer) > MAX_HEADER_BYTES:
                    raise ValueError("header_too_long")
                return messages
            size = end + 4 + _content_length(bytes(self._buffer[:end]))
            if len(self._buffer) < size:
                return messages
            messages.append(bytes(self._buffer[:size]))
            del self._buffer[:size]


def _content_length(head: bytes) -> int:
    for line in head.split(b"\r\n")[1:]:
        name, colon, value = line.partition(b":")
        if colon and name.strip().lower() in (b"content-length", b"l"):
            text = value.strip()
            if not text.isdigit() or int(text) > MAX_BODY_BYTES:
                raise ValueError("content_length")
            return int(text)
    return 0


class _Connection(asyncio.Protocol):
    def __init__(self, owner: TcpTransport) -> None:
        self._owner = owner
        self._framer = Framer()
        self.wire: asyncio.Transport | None = None
        self.peer: Addr = ("", 0)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.wire = transport  # type: ignore[assignment]
        self.peer = transport.get_extra_info("peername")[:2]
        self._owner.joined(self)

    def data_received(self, data: bytes) -> None:
        try:
            messages = self._framer.feed(data)
        except ValueError as error:
            if self._owner.on_bad is not None:
                self._owner.on_bad(BadSip(str(error)), self.peer)
            self.close()
            return
        for message in messages:
            self._owner.received(message, self.peer)

    def connection_lost(self, exc: Exception | None) -> None:
        self._owner.left(self)

    def close(self) -> None:
        if self.wire is not None:
            self.wire.abort()


@dataclass
class TcpTransport(WireTransport):
    """Connections in both directions; one to a new peer is opened by the first message to it."""

    name: ClassVar[str] = "TCP"
    reliable: ClassVar[bool] = True
    _server: asyncio.Server | None = field(default=None, init=False, repr=False)
    _peers: dict[Addr, _Connection] = field(default_factory=dict, init=False, repr=False)
    _pending: dict[Addr, list[bytes]] = field(default_factory=dict, init=False, repr=False)
    _tasks: TaskSet = field(default_factory=TaskSet, init=False, repr=False)
    _stopped: bool = field(default=False, init=False, repr=False)

    async def start(self) -> None:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: _Connection(self), *self.local_addr)
        self.local_addr = self._server.sockets[0].getsockname()[:2]

    def joined(self, connection: _Connection) -> None:
        """A connection is up."""
        if self._stopped or len(self._peers) >= MAX_CONNECTIONS:
            connection.close()
            return
        self._peers[connection.peer] = connection

    def left(self, connection: _Connection) -> None:
        """A connection is gone."""
        if self._peers.get(connection.peer) is connection:
            del self._peers[connection.peer]

    def received(self, data: bytes, addr: Addr) -> None:
        """A whole message."""
        self._dispatch(data, addr)

    def reply_to(self, request: SipRequest, source: Addr) -> Addr:
        return source

    def connected(self, addr: Addr) -> bool:
        return addr in self._peers

    def send(self, message: SipRequest | SipResponse, addr: Addr) -> None:
        data = bytes(message)
        connection = self._peers.get(addr)
        if connection is not None and connection.wire is not None:
            self._write(connection, data)
        elif addr in self._pending:
            self._pending[addr].append(data)
        elif not self._stopped:
            self._pending[addr] = [data]
            self._tasks.spawn(self._connect(addr), name="sip-tcp-connect")

    def _write(self, connection: _Connection, data: bytes) -> None:
        assert connection.wire is not None
        if connection.wire.get_write_buffer_size() > MAX_UNSENT_BYTES:
            log.warning("sip_tcp_peer_stuck")
            connection.close()
            return
        connection.wire.write(data)

    async def _connect(self, addr: Addr) -> None:
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                _, connection = await asyncio.get_running_loop().create_connection(lambda: _Connection(self), *addr)
        except (OSError, TimeoutError) as error:
            log.info("sip_tcp_connect_failed", error=str(error))
            self._pending.pop(addr, None)
            self._lost(addr)
            return
        for data in self._pending.pop(addr, []):
            self._write(connection, data)

    async def stop(self) -> None:
        self._stopped = True
        await self._tasks.aclose()
        for connection in list(self._peers.values()):
            if connection.wire is not None:
                connection.wire.close()
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()
            self._server = None
