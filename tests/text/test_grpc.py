"""gRPC Chat over a real socket."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from common.auth import Authority, Principal, Role
from common.errors import BadInput, Forbidden, NotFound
from common.pb import chat_pb2 as pb
from common.pb import chat_pb2_grpc
from common.rpc.client import RpcClient
from common.rpc.server import GrpcServer
from dialog.api import ReplyChunk, ReplyEnd
from tests.text.fake_dialog import FakeDialog
from text_gateway.api import Failure, Outgoing, Transcript, Welcome
from text_gateway.convert import outgoing_from_pb
from text_gateway.desk import NoDesk
from text_gateway.server import register
from text_gateway.service import TextChat


class Line:
    """One Converse stream: `send` puts, iteration gives."""

    def __init__(self, world: World, token: str) -> None:
        self.requests: asyncio.Queue[pb.ChatIn | None] = asyncio.Queue(16)
        self.client = RpcClient(f"127.0.0.1:{world.server.port}", lambda: token)
        stub = chat_pb2_grpc.ChatStub(self.client.channel)
        self.answers = self.client.converse(stub.Converse, self._requests())
        self.token = ""

    async def _requests(self) -> AsyncIterator[pb.ChatIn]:
        while (request := await self.requests.get()) is not None:
            yield request

    async def hello(self, session: str = "", seen: int = 0) -> Welcome:
        await self.requests.put(pb.ChatIn(hello=pb.Hello(session=session, seen=seen, user="u1")))
        async with asyncio.timeout(5):
            first = await anext(self.answers)
        self.token = first.welcome.token
        welcome = outgoing_from_pb(first).event
        assert isinstance(welcome, Welcome)
        return welcome

    async def say(self, turn: int, text: str) -> None:
        await self.requests.put(pb.ChatIn(user=pb.UserMessage(turn=turn, text=text)))

    async def until(self, kind: type) -> list[Outgoing]:
        got: list[Outgoing] = []
        async with asyncio.timeout(5):
            while not got or not isinstance(got[-1].event, kind):
                got.append(outgoing_from_pb(await anext(self.answers)))
        return got

    async def aclose(self) -> None:
        await self.answers.aclose()
        await self.client.aclose()


class World:
    def __init__(self) -> None:
        self.dialog = FakeDialog()
        self.chat = TextChat(self.dialog, NoDesk())
        self.authority = Authority("k" * 48)
        self.server = GrpcServer("127.0.0.1:0", self.authority, drain_s=1.0)
        self.lines: list[Line] = []

    def line(self, token: str = "") -> Line:
        made = Line(self, token or self.authority.issue(Principal("app", Role.SERVICE)))
        self.lines.append(made)
        return made


@pytest.fixture
async def world() -> AsyncIterator[World]:
    it = World()
    register(it.server, it.chat, it.authority)
    await it.server.start()
    yield it
    it.dialog.gate.set()
    for line in it.lines:
        await line.aclose()
    await it.server.aclose()
    await it.chat.aclose()


def texts(outs: list[Outgoing]) -> list[str]:
    return [out.event.text for out in outs if isinstance(out.event, ReplyChunk)]


async def test_conversation_and_reconnect(world: World) -> None:
    line = world.line()
    welcome = await line.hello()
    assert welcome.next_turn == 1 and texts(await line.until(ReplyEnd)) == ["您好"]
    await line.say(1, "你好")
    outs = await line.until(ReplyEnd)
    assert texts(outs) == ["你说你好"] and outs[-1].turn == 1
    await line.aclose()
    again = world.line(line.token)
    assert (await again.hello(welcome.session, outs[-1].seq)).next_turn == 2
    await again.say(2, "再来")
    assert texts(await again.until(ReplyEnd)) == ["你说再来"]


async def test_what_is_wrong_is_said_and_the_stream_goes_on(world: World) -> None:
    line = world.line()
    await line.hello()
    await line.until(ReplyEnd)
    await line.say(9, "太早了")
    failure = (await line.until(Failure))[-1].event
    assert isinstance(failure, Failure) and failure.code == "bad_input"
    await line.say(1, "好")
    assert texts(await line.until(ReplyEnd)) == ["你说好"]


async def test_other_peoples_conversations_are_closed(world: World) -> None:
    first = world.line()
    session = (await first.hello()).session
    stranger = world.line(world.authority.issue(Principal("eve", Role.CALLER, "web-other")))
    with pytest.raises(Forbidden):
        await stranger.hello(session)
    opener = world.line(world.authority.issue(Principal("eve", Role.CALLER, "web-other")))
    with pytest.raises(Forbidden):
        await opener.hello()
    with pytest.raises(NotFound):
        await world.line().hello("web-unknown")


async def test_hello_comes_first(world: World) -> None:
    line = world.line()
    await line.say(1, "喂")
    with pytest.raises(BadInput, match="hello"):
        await line.until(Transcript)
