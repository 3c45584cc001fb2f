"""What the tests of the phone line share: a hotline with a fake handler, processes of real peers, bad networks."""

from __future__ import annotations

import asyncio
import contextlib
import random
import re
import shutil
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import numpy as np
import pytest

from common.audio import dbfs
from common.errors import Unavailable
from telephony.agent import tone
from telephony.media import stream
from telephony.service import SipTelephony
from telephony.settings import RecordingSettings, TelephonySettings
from telephony.sip import transport
from voice_gateway.api import Call, CallEvent, Closed, Pcm

SCENARIOS = Path(__file__).parent / "sipp"


class Handler:
    """A fake voice session: says what `voice` gives (None = echoes), keeps levels, events and the end of each call."""

    def __init__(self, voice: Pcm | None = None) -> None:
        self._voice = voice
        self.calls: list[Call] = []
        self.events: list[CallEvent] = []
        self.heard: dict[str, list[float]] = {}
        self.ended: dict[str, str] = {}
        self.changed = asyncio.Event()

    async def __call__(self, call: Call) -> None:
        self.calls.append(call)
        self.heard[call.info.id] = []
        self.changed.set()
        async with asyncio.TaskGroup() as group:
            group.create_task(self._watch(call))
            if self._voice is not None:
                group.create_task(self._say(call, self._voice))
            async for frame in call.audio.frames():
                self.heard[call.info.id].append(dbfs(frame))
                self.changed.set()
                if self._voice is None:
                    with contextlib.suppress(Unavailable):
                        await call.audio.write(frame)

    async def _say(self, call: Call, voice: Pcm) -> None:
        with contextlib.suppress(Unavailable):
            while True:
                for start in range(0, len(voice) - 159, 160):
                    await call.audio.write(voice[start : start + 160])

    async def _watch(self, call: Call) -> None:
        async for event in call.events():
            self.events.append(event)
            if isinstance(event, Closed):
                self.ended[call.info.id] = event.reason
            self.changed.set()

    async def until(self, condition: Callable[[], bool], seconds: float = 8.0) -> None:
        """Wait until something happened on a call that makes `condition` true."""
        async with asyncio.timeout(seconds):
            while not condition():
                self.changed.clear()
                await self.changed.wait()


@contextlib.asynccontextmanager
async def hotline(
    handler: Callable[[Call], Awaitable[object]], folder: Path | None = None, **settings: object
) -> AsyncIterator[SipTelephony]:
    """A running telephone edge on free ports of 127.0.0.1, with quick timers."""
    base: dict[str, object] = {
        "port": 0,
        "rtp_ports": (0, 0),
        "recording": RecordingSettings(enabled=folder is not None, folder=folder),
        "t1_s": 0.1,
    }
    edge = SipTelephony(TelephonySettings.model_validate(base | settings), handler)
    await edge.start()
    try:
        yield edge
    finally:
        await edge.aclose()


def port_of(uri: str) -> int:
    """The port of a SIP URI of ours."""
    return int(uri.rsplit(":", 1)[1])


def need(program: str, package: str) -> str:
    """The program's path; skips the test when it is not installed."""
    found = shutil.which(program)
    if found is None:
        pytest.skip(f"{program} is not installed (Debian package {package})")
    return found


def free_port() -> int:
    """An even UDP port that was free a moment ago, with the next one free too."""
    while True:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one, socket.socket(type=socket.SOCK_DGRAM) as two:
            one.bind(("127.0.0.1", 0))
            port = int(one.getsockname()[1])
            with contextlib.suppress(OSError, OverflowError):
                two.bind(("127.0.0.1", port + 1))
                if port % 2 == 0:
                    return port


async def sipp(
    scenario: str, target: str, tmp_path: Path, *options: str, calls: int = 1, port: int | None = None
) -> None:
    """Run a scenario of ours (or a built-in one, with -sn) against `target`; fails with sipp's own errors."""
    program = need("sipp", "sip-tester")
    chosen = ["-sn", scenario] if scenario in ("uac", "uas") else ["-sf", str(SCENARIOS / f"{scenario}.xml")]
    media = free_port()
    command = [
        *(program, target.removeprefix("sip:").split("@")[-1], *chosen),
        *("-i", "127.0.0.1", "-p", str(port or free_port()), "-mi", "127.0.0.1", "-mp", str(media)),
        *("-m", str(calls), "-l", str(calls), "-r", "50", "-s", "hotline"),
        *("-timeout", "20", "-timeout_error", "-nostdin", "-trace_err", "-error_file", str(tmp_path / "errors")),
        *options,
    ]
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd=tmp_path,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        async with asyncio.timeout(30):
            code = await process.wait()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    errors = tmp_path / "errors"
    assert code == 0, f"sipp {scenario} ended with {code}: {errors.read_text() if errors.exists() else 'no errors'}"


class Registrar(asyncio.DatagramProtocol):
    """A registrar that wants MD5 digest. Written without our SIP code, so that both cannot be wrong alike."""

    def __init__(self, password: str, *, expires: int = 60, fail_first: int = 0, min_expires: int = 0) -> None:
        self.password = password
        self.expires = expires
        self.fail_first = fail_first
        self.min_expires = min_expires
        self.accepted: list[dict[str, str]] = []
        self.attempts = 0
        self.port = 0
        self.changed = asyncio.Event()
        self._wire: asyncio.DatagramTransport | None = None

    async def start(self) -> None:
        loop = asyncio.get_running_loop()
        self._wire, _ = await loop.create_datagram_endpoint(lambda: self, local_addr=("127.0.0.1", 0))
        self.port = self._wire.get_extra_info("sockname")[1]

    def close(self) -> None:
        assert self._wire is not None
        self._wire.close()

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        import hashlib

        def md5(text: str) -> str:
            return hashlib.md5(text.encode()).hexdigest()

        lines = data.decode().split("\r\n")
        headers = {k.strip().lower(): v.strip() for k, _, v in (line.partition(":") for line in lines[1:]) if v}
        self.attempts += 1
        status, extra = "200 OK", f"Contact: {headers['contact']};expires={self.expires}\r\n"
        auth = dict(re.findall(r'(\w+)="?([^",]+)"?', headers.get("authorization", "")))
        if self.fail_first:
            self.fail_first -= 1
            status, extra = "503 Service Unavailable", ""
        elif self.min_expires and int(headers["expires"]) < self.min_expires and headers["expires"] != "0":
            status, extra = "423 Interval Too Brief", f"Min-Expires: {self.min_expires}\r\n"
        elif not auth:
            status = "401 Unauthorized"
            extra = 'WWW-Authenticate: Digest realm="trunk", nonce="n0nce", algorithm=MD5, qop="auth"\r\n'
        else:
            ha1, ha2 = md5(f"hot:trunk:{self.password}"), md5(f"REGISTER:{auth['uri']}")
            expected = md5(f"{ha1}:n0nce:{auth['nc']}:{auth['cnonce']}:auth:{ha2}")
            if auth["response"] != expected:
                status, extra = "403 Forbidden", ""
            else:
                self.accepted.append(headers)
        reply = f"SIP/2.0 {status}\r\n"
        for name in ("Via", "From", "To", "Call-ID", "CSeq"):
            reply += f"{name}: {headers[name.lower()]}{';tag=r1' if name == 'To' else ''}\r\n"
        assert self._wire is not None
        self._wire.sendto(f"{reply}{extra}Content-Length: 0\r\n\r\n".encode(), addr)
        self.changed.set()

    async def until(self, condition: Callable[[], bool], seconds: float = 8.0) -> None:
        async with asyncio.timeout(seconds):
            while not condition():
                self.changed.clear()
                await self.changed.wait()


async def soon(condition: Callable[[], object], seconds: float = 5.0) -> None:
    """Wait until `condition` is true."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - packets raise no event
            await asyncio.sleep(0.01)


def loud(levels: list[float]) -> int:
    """How many frames of these levels can be heard."""
    return int(np.sum(np.array(levels) > -40))


VOICE = tone(1.0, 500)


def lossy(monkeypatch: pytest.MonkeyPatch, loss: float, seed: int = 7) -> dict[str, int]:
    """From now on every socket of this process loses the share `loss` of what it receives; counts what it lost."""
    dice = random.Random(seed)
    lost = {"rtp": 0, "sip": 0}
    hear_rtp, hear_sip = stream._Wire.datagram_received, transport.UdpTransport.received

    def rtp(self: stream._Wire, data: bytes, addr: tuple[str, int]) -> None:
        if dice.random() < loss:
            lost["rtp"] += 1
        else:
            hear_rtp(self, data, addr)

    def sip(self: transport.UdpTransport, data: bytes, addr: tuple[str, int]) -> None:
        if dice.random() < loss:
            lost["sip"] += 1
        else:
            hear_sip(self, data, addr)

    monkeypatch.setattr(stream._Wire, "datagram_received", rtp)
    monkeypatch.setattr(transport.UdpTransport, "received", sip)
    return lost
