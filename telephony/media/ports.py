"""Even and odd UDP port pairs for RTP and RTCP."""

from __future__ import annotations

import asyncio
import random
import socket

from aiortp.port_allocator import PortAllocator

from common.errors import Overloaded

TRIES_ANYWHERE = 100


class PortPairs(PortAllocator):
    """Pairs of one host out of a range; (0, 0) = wherever the system has room. Starts at a random place of the range,
    so that a new call does not get the port on which an old one's packets still come in."""

    def __init__(self, host: str, low: int, high: int) -> None:
        super().__init__((low, high))
        self._host = host
        first = low + low % 2
        self._range = range(first, high, 2) if (low, high) != (0, 0) else range(0)
        self._taken: set[int] = set()

    async def allocate(self) -> tuple[int, int]:
        """A free pair. Raises Overloaded when there is none."""
        for port in self._candidates():
            found = None if port in self._taken else self._probe(port)
            if found is not None:
                self._taken.add(found)
                return found, found + 1
            await asyncio.sleep(0)
        raise Overloaded("no free RTP port pair; widen telephony.rtp_ports")

    def _candidates(self) -> list[int]:
        if not self._range:
            return [0] * TRIES_ANYWHERE
        start = random.randrange(len(self._range))
        return [self._range[(start + i) % len(self._range)] for i in range(len(self._range))]

    def _probe(self, port: int) -> int | None:
        with (
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as rtp,
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as rtcp,
        ):
            try:
                rtp.bind((self._host, port))
                found = int(rtp.getsockname()[1])
                rtcp.bind((self._host, found + 1))
            except (OSError, OverflowError):
                return None
        return found if found % 2 == 0 and found not in self._taken else None

    async def release(self, rtp_port: int) -> None:
        """The pair may be used again."""
        self._taken.discard(rtp_port)
