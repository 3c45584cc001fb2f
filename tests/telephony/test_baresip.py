"""The phone line against baresip, a softphone of other people's."""

from __future__ import annotations

import asyncio
import contextlib
import glob
import json
from collections.abc import AsyncIterator
from pathlib import Path

from common.audio import write_wav
from dialog.api import HandoffSummary
from telephony.agent import UserAgent, handed_over, tone
from tests.telephony.lines import VOICE, Handler, free_port, hotline, loud, need
from voice_gateway.api import Dtmf, Held, Resumed, TransferOutcome

MODULES = next(
    (path for path in ("/usr/lib/baresip/modules", *glob.glob("/usr/lib/*/baresip/modules")) if Path(path).is_dir()), ""
)
SUMMARY = HandoffSummary("s1", "requested", "要求人工。")


class Baresip:
    """A softphone that plays a tone, controlled over its ctrl_tcp (netstrings of JSON)."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, uri: str, folder: Path) -> None:
        self.uri = uri
        self.folder = folder
        self.events: list[str] = []
        self._reader = reader
        self._writer = writer
        self._changed = asyncio.Event()

    async def listen(self) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                size = int((await self._reader.readuntil(b":"))[:-1])
                message = json.loads(await self._reader.readexactly(size))
                await self._reader.readexactly(1)
                if message.get("event"):
                    self.events.append(message["type"])
                    self._changed.set()

    async def command(self, name: str, params: str = "") -> None:
        text = json.dumps({"command": name, "params": params, "token": "t"})
        self._writer.write(f"{len(text)}:{text},".encode())
        await self._writer.drain()

    async def until(self, event: str, seconds: float = 8.0) -> None:
        async with asyncio.timeout(seconds):
            while event not in self.events:
                self._changed.clear()
                await self._changed.wait()


@contextlib.asynccontextmanager
async def baresip(folder: Path, *, codec: str = "pcmu") -> AsyncIterator[Baresip]:
    program = need("baresip", "baresip-core")
    sip, control, rtp = free_port(), free_port(), free_port()
    lines = [
        "poll_method epoll",
        f"sip_listen 127.0.0.1:{sip}",
        f"rtp_ports {rtp}-{rtp + 20}",
        f"audio_source aufile,{folder / 'voice.wav'}",
        "audio_player aubridge,nowhere",
        "net_interface 127.0.0.1",
        "audio_alert aubridge,nowhere",
        "call_local_timeout 30",
        f"module_path {MODULES}",
        *(f"module {name}.so" for name in ("g711", "aufile", "aubridge", "ctrl_tcp")),
        *(f"module_app {name}.so" for name in ("account", "menu")),
        f"ctrl_tcp_listen 127.0.0.1:{control}",
    ]
    (folder / "config").write_text("\n".join(lines) + "\n")
    account = f"<sip:bare@127.0.0.1:{sip}>;regint=0;answermode=auto;audio_codecs={codec}/8000/1"
    (folder / "accounts").write_text(account + "\n")
    write_wav(folder / "voice.wav", tone(20, 440), 8000)
    (folder / "contacts").write_text("")
    log = (folder / "log").open("wb")
    process = await asyncio.create_subprocess_exec(
        *(program, "-f", str(folder), "-t", "30"), stdin=asyncio.subprocess.DEVNULL, stdout=log, stderr=log, cwd=folder
    )
    try:
        async with asyncio.timeout(8):
            while True:
                with contextlib.suppress(OSError):
                    reader, writer = await asyncio.open_connection("127.0.0.1", control)
                    break
                assert process.returncode is None, (folder / "log").read_text()
                await asyncio.sleep(0.05)
        phone = Baresip(reader, writer, f"sip:bare@127.0.0.1:{sip}", folder)
        listening = asyncio.create_task(phone.listen())
        try:
            yield phone
        finally:
            listening.cancel()
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()
    finally:
        log.close()
        if process.returncode is None:
            process.kill()
            await process.wait()


async def test_it_calls_presses_keys_holds_and_resumes(tmp_path: Path) -> None:
    handler = Handler(VOICE)
    async with hotline(handler) as edge, baresip(tmp_path) as phone:
        await phone.command("dial", edge.uri)
        await phone.until("CALL_ESTABLISHED")
        await handler.until(lambda: bool(handler.calls))
        heard = handler.heard[handler.calls[0].info.id]
        await handler.until(lambda: loud(heard) > 15)
        await phone.command("sndcode", "4")
        await handler.until(lambda: Dtmf("4") in handler.events)
        await phone.command("hold")
        await handler.until(lambda: Held() in handler.events)
        await phone.command("resume")
        await handler.until(lambda: Resumed() in handler.events)
        await phone.command("hangup")
        await handler.until(lambda: bool(handler.ended))
    assert list(handler.ended.values()) == ["bye"]


async def test_we_call_it_and_hang_up(tmp_path: Path) -> None:
    handler = Handler(VOICE)
    async with hotline(handler) as edge, baresip(tmp_path, codec="pcma") as phone:
        call = await edge.place_call(phone.uri)
        await phone.until("CALL_ESTABLISHED")
        await handler.until(lambda: loud(handler.heard[call.info.id]) > 15)
        await call.hang_up()
        await phone.until("CALL_CLOSED")


async def test_it_follows_our_transfer(tmp_path: Path) -> None:
    handler = Handler(VOICE)
    async with UserAgent(user="human") as human, hotline(handler) as edge, baresip(tmp_path) as phone:
        await phone.command("dial", edge.uri)
        await handler.until(lambda: bool(handler.calls))
        outcome = await handler.calls[0].transfer(human.uri, SUMMARY)
        assert outcome is TransferOutcome.ACCEPTED
        taken = await human.incoming()
        assert taken.info.caller == "bare"
        assert handed_over(taken) == SUMMARY
        await handler.until(lambda: bool(handler.ended))
    assert list(handler.ended.values()) == ["transferred"]


async def test_its_transfer_to_nobody_fails_and_the_call_goes_on(tmp_path: Path) -> None:
    handler = Handler(VOICE)
    async with (
        UserAgent(user="human", answer_status=603) as human,
        hotline(handler, transfer_timeout_s=4) as edge,
        baresip(tmp_path) as phone,
    ):
        await phone.command("dial", edge.uri)
        await handler.until(lambda: bool(handler.calls))
        assert await handler.calls[0].transfer(human.uri, SUMMARY) is TransferOutcome.REFUSED
        assert handler.ended == {}
        await handler.calls[0].hang_up()
        await phone.until("CALL_CLOSED")
