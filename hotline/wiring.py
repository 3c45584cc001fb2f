"""The one composition root, and the only switch between one process and many.

A service whose address is set becomes a gRPC client; one without is built in place. Both satisfy the same Protocol.
Everything built is closed in reverse order when the house is left.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Any, Protocol, TypeVar

from common.auth import Authority, load_or_create_key
from common.rpc.client import RpcClient
from dialog.api import DialogService
from emotion.api import EmotionService
from hotline.company import asr_settings, product_names
from hotline.settings import Settings, export_paths
from kb.api import KbService
from nlu.api import NluService
from voice_gateway.asr.api import AsrEngine
from voice_gateway.observer import SessionObserver
from voice_gateway.service import Gateway
from voice_gateway.tts.api import TtsEngine


class _Closable(Protocol):
    async def aclose(self) -> None: ...


WARM_UP = "您好，请问怎么退货？"

T = TypeVar("T")
C = TypeVar("C", bound=_Closable)


class House:
    """Builds each service once, when it is first asked for."""

    def __init__(self, settings: Settings, *, observer: SessionObserver | None = None) -> None:
        export_paths(settings)
        self.settings = settings
        self.key_file = settings.paths.data / "keys" / "jwt.key"
        self.authority = Authority(load_or_create_key(self.key_file))
        self._observer = observer
        self._built: dict[str, Any] = {}
        self._locks: dict[str, asyncio.Lock] = {}
        self._stack = AsyncExitStack()

    def keep(self, made: C) -> C:
        """Close `made` when the house is left."""
        self._stack.push_async_callback(made.aclose)
        return made

    async def _once(self, name: str, make: Callable[[], Awaitable[T]]) -> T:
        async with self._locks.setdefault(name, asyncio.Lock()):
            if name not in self._built:
                self._built[name] = await make()
        made: T = self._built[name]
        return made

    def _client(self, address: str) -> RpcClient:
        return self.keep(RpcClient(address, self.authority.service_token("hotline")))

    async def nlu(self) -> NluService:
        """Understanding."""

        async def make() -> NluService:
            if address := self.settings.services.nlu:
                from nlu.client import NluClient

                return NluClient(self._client(address))
            from nlu.factory import build

            words = product_names(self.settings)
            return self.keep(await asyncio.to_thread(build, self.settings.nlu, words=words))

        return await self._once("nlu", make)

    async def emotion(self) -> EmotionService:
        """Emotion analysis."""

        async def make() -> EmotionService:
            if address := self.settings.services.emotion:
                from emotion.client import EmotionClient

                return EmotionClient(self._client(address))
            from emotion.factory import build

            return self.keep(await asyncio.to_thread(build, self.settings.emotion))

        return await self._once("emotion", make)

    async def kb(self) -> KbService:
        """Knowledge."""

        async def make() -> KbService:
            if address := self.settings.services.kb:
                from kb.client import KbClient

                return KbClient(self._client(address))
            from kb.factory import build

            made = self.keep(await asyncio.to_thread(build, self.settings.kb))
            await made.answer(WARM_UP)  # loads what is loaded at the first question
            return made

        return await self._once("kb", make)

    async def dialog(self) -> DialogService:
        """Conversations."""

        async def make() -> DialogService:
            if address := self.settings.services.dialog:
                from dialog.client import DialogClient

                return DialogClient(self._client(address))
            from dialog.factory import build

            nlu, emotion, kb = await self.nlu(), await self.emotion(), await self.kb()
            return self.keep(build(self.settings.dialog, nlu=nlu, emotion=emotion, kb=kb))

        return await self._once("dialog", make)

    async def asr(self) -> AsrEngine:
        """Ears."""

        async def make() -> AsrEngine:
            if address := self.settings.services.speech:
                from voice_gateway.speech_client import RemoteAsr

                return await RemoteAsr.connect(self._client(address))
            from voice_gateway.asr.factory import build

            return self.keep(await asyncio.to_thread(build, asr_settings(self.settings)))

        return await self._once("asr", make)

    async def tts(self) -> TtsEngine:
        """Mouth."""

        async def make() -> TtsEngine:
            if address := self.settings.services.speech:
                from voice_gateway.speech_client import RemoteTts

                return await RemoteTts.connect(self._client(address))
            from voice_gateway.tts.factory import build

            return self.keep(await asyncio.to_thread(build, self.settings.tts))

        return await self._once("tts", make)

    async def voice(self) -> Gateway:
        """Voice conversations."""

        async def make() -> Gateway:
            from voice_gateway.factory import build

            return self.keep(
                build(
                    self.settings.voice,
                    dialog=await self.dialog(),
                    emotion=await self.emotion(),
                    asr=await self.asr(),
                    tts=await self.tts(),
                    observer=self._observer,
                    phrases=product_names(self.settings),
                )
            )

        return await self._once("voice", make)

    async def __aenter__(self) -> House:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()
