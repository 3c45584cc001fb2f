"""Runs Hotline: everything in one process, or one service of it."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable
from contextlib import AsyncExitStack
from datetime import date
from types import TracebackType

from prometheus_client import start_http_server

from common.aio import TaskSet
from common.auth import Role
from common.errors import BadInput, Misconfigured
from common.rpc.server import GrpcServer
from common.telemetry import get_logger
from hotline.company import fill_sample, keep_graph_fresh, refresh_graph
from hotline.settings import Settings
from hotline.wiring import House
from telephony.service import SipTelephony
from voice_gateway.observer import SessionObserver

log = get_logger(__name__)
INSIDE = frozenset({Role.SERVICE})
SERVICES = ("nlu", "emotion", "kb", "dialog", "speech", "telephony", "text")
Progress = Callable[[str], None]


class Hotline:
    """The running program: builds what `service` names ("all" = everything), listens, and stops in order."""

    def __init__(
        self,
        settings: Settings,
        service: str = "all",
        *,
        observer: SessionObserver | None = None,
        progress: Progress = lambda _: None,
    ) -> None:
        if service != "all" and service not in SERVICES:
            raise BadInput(f"no such service: {service}; one of all, {', '.join(SERVICES)}")
        self.settings = settings
        self.house = House(settings, observer=observer)
        self.telephony: SipTelephony | None = None
        self.text_port = 0
        self.rpc_port = 0
        self._wanted = frozenset(SERVICES) if service == "all" else frozenset({service})
        self._hears = False
        self._progress = progress
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Hotline:
        try:
            await self._start()
        except BaseException:
            await self._stack.aclose()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    async def _start(self) -> None:
        house, wanted = self.house, self._wanted
        await self._stack.enter_async_context(house)
        places = self.settings.services
        dialog_here = not places.dialog and bool(wanted & {"dialog", "text", "telephony"})
        kb_here = not places.kb and (dialog_here or "kb" in wanted)
        if self.settings.company.sample and dialog_here:
            await self._start_shop()
        settings = self.settings
        if kb_here and settings.company.sample:
            await fill_sample(await house.kb(), self._progress)
        server = GrpcServer(settings.rpc.listen, house.authority, drain_s=settings.rpc.drain_s)
        await self._add_services(server)
        if "telephony" in wanted:
            await self._start_telephony(server)
        if "text" in wanted:
            await self._start_text(server)
        self.rpc_port = await server.start()
        self._stack.push_async_callback(server.aclose)
        if settings.metrics.port >= 0:
            self._start_metrics()

    async def _add_services(self, server: GrpcServer) -> None:
        house, wanted = self.house, self._wanted
        if "nlu" in wanted:
            from nlu.server import register as register_nlu

            self._progress("understanding: intents and entities")
            register_nlu(server, await house.nlu())
        if "emotion" in wanted:
            from emotion.server import register as register_emotion

            register_emotion(server, await house.emotion())
        if "kb" in wanted:
            from kb.server import register as register_kb

            register_kb(server, await house.kb())
        if "dialog" in wanted:
            from dialog.server import register as register_dialog

            register_dialog(server, await house.dialog())
        if "speech" in wanted:
            from voice_gateway.speech_server import register as register_speech

            await self._ears_and_mouth()
            register_speech(server, await house.asr(), await house.tts())

    async def _ears_and_mouth(self) -> None:
        house = self.house
        if not self.settings.services.speech and not self._hears:
            self._hears = True
            kb, dialog = await house.kb(), await house.dialog()
            await refresh_graph(self.settings, kb, dialog, self._progress)
            tasks = await self._stack.enter_async_context(TaskSet())
            tasks.spawn(keep_graph_fresh(self.settings, kb, dialog), name="asr-graph")
        await house.asr()
        await house.tts()

    async def _start_shop(self) -> None:
        from hotline.shop.app import build_app
        from hotline.shop.settings import resolve_token
        from text_gateway.web import WebServer

        shop = self.settings.shop
        app = build_app(resolve_token(shop), lambda: shop.today or date.today())
        web = await self._stack.enter_async_context(WebServer(app, shop.host, shop.port))
        url = f"http://{shop.host}:{web.port}"
        dialog = self.settings.dialog.model_copy(update={"shop_url": url})
        self.settings = self.house.settings = self.settings.model_copy(update={"dialog": dialog})
        self._progress(f"sample shop's order API: {url}")

    async def _start_telephony(self, server: GrpcServer) -> None:
        from telephony.factory import build
        from telephony.server import register

        await self._ears_and_mouth()
        voice = await self.house.voice()
        self._progress("voice: prompts")
        await voice.prepare()
        self.telephony = build(self.settings.telephony, voice.handle)
        await self.telephony.start()
        self._stack.push_async_callback(self.telephony.aclose)
        register(server, self.telephony)
        self._progress(f"telephone: {self.telephony.uri}")

    async def _start_text(self, server: GrpcServer) -> None:
        from text_gateway.factory import build
        from text_gateway.http import build_app
        from text_gateway.server import register
        from text_gateway.web import WebServer

        text = self.settings.text
        chat = build(text, await self.house.dialog())
        app = build_app(chat, self.house.authority, anonymous=text.anonymous, per_minute=text.sessions_per_minute)
        web = await self._stack.enter_async_context(WebServer(app, text.host, text.port))
        self._stack.push_async_callback(chat.aclose)
        tasks = await self._stack.enter_async_context(TaskSet())
        tasks.spawn(chat.run(), name="text-expire")
        register(server, chat, self.house.authority)
        self.text_port = web.port
        self._progress(f"chat page: http://{text.host}:{web.port}/")

    def _start_metrics(self) -> None:
        metrics = self.settings.metrics
        try:
            server, thread = start_http_server(metrics.port, addr=metrics.host)
        except OSError as error:
            raise Misconfigured(f"cannot serve metrics on {metrics.host}:{metrics.port}: {error.strerror}") from None

        def stop() -> None:
            server.shutdown()
            server.server_close()
            thread.join(5)

        self._stack.callback(stop)
        self._progress(f"metrics: http://{metrics.host}:{server.server_port}/metrics")


async def serve(settings: Settings, service: str, progress: Progress) -> None:
    """Run until SIGINT or SIGTERM, then drain and stop."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(name, stop.set)
    running = Hotline(settings, service, progress=progress)
    starting = asyncio.create_task(running.__aenter__())
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait({starting, stopping}, return_when=asyncio.FIRST_COMPLETED)
    if not starting.done():
        starting.cancel()
    try:
        await starting
        progress(f"gRPC: {settings.rpc.listen.rsplit(':', 1)[0]}:{running.rpc_port}; key file {running.house.key_file}")
        progress("ready; Ctrl-C stops")
        await stopping
        progress("stopping: letting running calls end")
    except asyncio.CancelledError:
        progress("stopped while starting")
    finally:
        stopping.cancel()
        await running.__aexit__(None, None, None)
