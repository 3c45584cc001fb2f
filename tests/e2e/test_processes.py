"""One call through a house whose nlu, emotion, kb and dialog are processes of their own.

Everything is real: SIP, RTP, recogniser, voices, gRPC between five processes, the sample shop's order API. Whether the
words were understood is the demo's matter; here they must travel.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest

from common.audio import dbfs, resample
from common.rpc.client import RpcClient
from dialog.api import HistoryItem
from dialog.client import DialogClient
from hotline.serve import Hotline
from hotline.settings import Addresses, PathSettings, Settings
from telephony.agent import PacketLog, UserAgent, speak
from voice_gateway.api import SessionReport
from voice_gateway.observer import NoObserver
from voice_gateway.tts.api import Speech
from voice_gateway.tts.settings import EngineChoice

START_S = 150.0
SAYS = "请问怎么申请退货"


class Ended(NoObserver):
    """Remembers the session that ended."""

    def __init__(self) -> None:
        self.report: asyncio.Future[SessionReport] = asyncio.get_running_loop().create_future()

    def on_end(self, report: SessionReport) -> None:
        self.report.set_result(report)


@asynccontextmanager
async def process(service: str, data: Path, **services: str) -> AsyncIterator[str]:
    """`hotline serve SERVICE` on a free port; gives its address."""
    env = dict(os.environ)
    env |= {
        "HOTLINE_PATHS__DATA": str(data),
        "HOTLINE_RPC__LISTEN": "127.0.0.1:0",
        "HOTLINE_METRICS__PORT": "-1",
        "HOTLINE_SHOP__PORT": "0",
    }
    env |= {f"HOTLINE_SERVICES__{name.upper()}": address for name, address in services.items()}
    running = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "hotline", "serve", service, env=env, stderr=asyncio.subprocess.PIPE
    )
    assert running.stderr is not None
    said: list[str] = []
    reader: asyncio.Task[None] | None = None
    try:
        async with asyncio.timeout(START_S):
            address = ""
            while not address:
                line = (await running.stderr.readline()).decode()
                said.append(line)
                assert line, f"{service} ended while starting:\n{''.join(said)}"
                if line.startswith("gRPC: "):
                    address = line.split()[1].rstrip(";")

        async def drain() -> None:
            assert running.stderr is not None
            async for _ in running.stderr:
                pass

        reader = asyncio.create_task(drain())
        yield address
    finally:
        if running.returncode is None:
            running.terminate()
        async with asyncio.timeout(30):
            assert await running.wait() == 0, f"{service} did not stop cleanly"
        if reader is not None:
            await reader


@pytest.mark.timeout(400)
async def test_a_call_over_five_processes(tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        start = stack.enter_async_context
        nlu = await start(process("nlu", tmp_path))
        emotion = await start(process("emotion", tmp_path))
        kb = await start(process("kb", tmp_path))
        dialog = await start(process("dialog", tmp_path, nlu=nlu, emotion=emotion, kb=kb))
        settings = Settings(
            paths=PathSettings(data=tmp_path),
            services=Addresses(nlu=nlu, emotion=emotion, kb=kb, dialog=dialog),
        )
        settings = settings.model_copy(
            update={
                "rpc": settings.rpc.model_copy(update={"listen": "127.0.0.1:0"}),
                "metrics": settings.metrics.model_copy(update={"port": -1}),
                "tts": settings.tts.model_copy(update={"engine": EngineChoice.ESPEAK}),
                "telephony": settings.telephony.model_copy(update={"port": 0, "rtp_ports": (0, 0)}),
            }
        )
        ended = Ended()
        hotline = await start(Hotline(settings, "telephony", observer=ended))
        assert hotline.telephony is not None
        mouth = await hotline.house.tts()
        spoken = [chunk async for chunk in mouth.stream(Speech(SAYS))]
        pcm = resample(spoken[0].pcm, spoken[0].sample_rate, 8000)

        phone = await start(UserAgent(user="13900000001"))
        call = await phone.dial(hotline.telephony.uri)
        log = PacketLog.on(call)
        await until(lambda: log.first_audible(0.0) is not None, 30, "a greeting")
        await until(lambda: log.quiet_for(0.8), 60, "the end of the greeting")
        said = await speak(call, pcm)
        await until(lambda: log.first_audible(said.last_at) is not None, 30, "an answer")
        await call.hang_up()
        async with asyncio.timeout(30):
            report = await ended.report

        assert report.turns >= 1
        client = DialogClient(RpcClient(dialog, hotline.house.authority.service_token("test")))
        items: tuple[HistoryItem, ...] = await client.history(report.session)
        await client.aclose()
        assert [item.role for item in items][0] == "bot"
        assert any(item.role == "user" for item in items)
        recording = tmp_path / "recordings" / f"{report.session}.wav"
        await both_sides_are_heard(recording)


async def until(true: Callable[[], bool], seconds: float, what: str) -> None:
    for _ in range(int(seconds / 0.02)):
        if true():
            return
        await asyncio.sleep(0.02)
    pytest.fail(f"{what} did not come true within {seconds:g} s")


async def both_sides_are_heard(recording: Path) -> None:
    import soundfile

    data, rate = await asyncio.to_thread(soundfile.read, recording, dtype="int16")
    assert rate == 8000 and data.shape[1] == 2
    assert dbfs(data[:, 0]) > -50 and dbfs(data[:, 1]) > -50
