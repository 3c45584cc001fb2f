"""The gRPC ground over a real socket: tokens, roles, errors both ways, deadlines, trace, health, reflection, drain."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from common.auth import Authority, Principal, Role
from common.errors import BadInput, Forbidden, HotlineError, Internal, Overloaded, TimedOut, Unauthenticated
from common.pb import kb_pb2, kb_pb2_grpc
from common.rpc.client import RpcClient
from common.rpc.interceptor import principal
from common.rpc.server import GrpcServer
from common.telemetry import trace_id

KEY = "k" * 48


class Servicer(kb_pb2_grpc.KbServicer):
    """Does what the query says."""

    def __init__(self) -> None:
        self.gate = asyncio.Event()
        self.entered = asyncio.Event()

    async def Count(self, request: kb_pb2.CountRequest, context: Any) -> kb_pb2.CountResponse:
        self.entered.set()
        await self.gate.wait()
        return kb_pb2.CountResponse(count=7)

    async def Answer(self, request: kb_pb2.AnswerRequest, context: Any) -> kb_pb2.AnswerResponse:
        match request.question:
            case "bad":
                raise BadInput("the question is empty; send one")
            case "full":
                raise Overloaded("too many", retry_after_s=2.5)
            case "bug":
                raise KeyError("secret detail")
            case "who":
                who = principal.get()
                assert who is not None
                return kb_pb2.AnswerResponse(text=f"{who.subject}/{who.role}/{trace_id.get()}")
        return kb_pb2.AnswerResponse(text=request.question)

    async def Texts(self, request: kb_pb2.TextsRequest, context: Any) -> AsyncIterator[kb_pb2.TextsResponse]:
        yield kb_pb2.TextsResponse(texts=["one"])
        raise BadInput("the second part is missing")


class World:
    """A running server and ways to call it."""

    def __init__(self) -> None:
        self.authority = Authority(KEY)
        self.servicer = Servicer()
        self.server = GrpcServer("127.0.0.1:0", self.authority, drain_s=5.0)
        self.clients: list[RpcClient] = []

    def client(self, role: Role | None = Role.SERVICE, token: str | None = None) -> RpcClient:
        if token is None:
            token = self.authority.issue(Principal("tester", role)) if role else ""
        made = RpcClient(f"127.0.0.1:{self.server.port}", lambda: token, timeout_s=5.0)
        self.clients.append(made)
        return made


@pytest.fixture
async def world() -> AsyncIterator[World]:
    it = World()
    it.server.add(
        lambda server: kb_pb2_grpc.add_KbServicer_to_server(it.servicer, server), "hotline.v1.Kb", {Role.SERVICE}
    )
    await it.server.start()
    yield it
    it.servicer.gate.set()
    for client in it.clients:
        await client.aclose()
    await it.server.aclose()
    await it.server.aclose()


async def ask(client: RpcClient, question: str) -> str:
    stub = kb_pb2_grpc.KbStub(client.channel)
    return (await client.unary(stub.Answer, kb_pb2.AnswerRequest(question=question))).text


@pytest.mark.parametrize(
    ("question", "kind", "says"),
    [("bad", BadInput, "send one"), ("full", Overloaded, "too many"), ("bug", Internal, "trace id")],
)
async def test_errors_cross_the_wire(world: World, question: str, kind: type[HotlineError], says: str) -> None:
    with pytest.raises(kind) as caught:
        await ask(world.client(), question)
    assert says in caught.value.message
    assert "secret" not in caught.value.message
    if kind is Overloaded:
        assert caught.value.retry_after_s == 2.5


async def test_trace_and_principal_reach_the_handler(world: World) -> None:
    trace_id.set("trace-1")
    assert await ask(world.client(), "who") == "tester/service/trace-1"


async def test_tokens_are_checked(world: World) -> None:
    with pytest.raises(Unauthenticated):
        await ask(world.client(role=None), "x")
    with pytest.raises(Unauthenticated):
        await ask(world.client(token=Authority("z" * 48).issue(Principal("eve", Role.ADMIN))), "x")
    with pytest.raises(Forbidden):
        await ask(world.client(role=Role.CALLER), "x")
    assert await ask(world.client(role=Role.ADMIN), "x") == "x"


async def test_a_stream_ends_with_its_error(world: World) -> None:
    client = world.client()
    stub = kb_pb2_grpc.KbStub(client.channel)
    seen = []
    with pytest.raises(BadInput):
        async for part in client.stream(stub.Texts, kb_pb2.TextsRequest()):
            seen.append(list(part.texts))
    assert seen == [["one"]]


async def test_a_deadline_is_kept(world: World) -> None:
    client = world.client()
    stub = kb_pb2_grpc.KbStub(client.channel)
    with pytest.raises(TimedOut):
        await client.unary(stub.Count, kb_pb2.CountRequest(), timeout_s=0.1)


async def test_health_and_reflection(world: World) -> None:
    client = world.client()
    health = health_pb2_grpc.HealthStub(client.channel)
    answer = await health.Check(health_pb2.HealthCheckRequest(service="hotline.v1.Kb"))
    assert answer.status == health_pb2.HealthCheckResponse.SERVING
    stub = reflection_pb2_grpc.ServerReflectionStub(client.channel)

    async def requests() -> AsyncIterator[reflection_pb2.ServerReflectionRequest]:
        yield reflection_pb2.ServerReflectionRequest(list_services="")

    names = [
        s.name
        async for part in client.converse(stub.ServerReflectionInfo, requests())
        for s in part.list_services_response.service
    ]
    assert "hotline.v1.Kb" in names


async def test_drain_lets_running_calls_end(world: World) -> None:
    client = world.client()
    stub = kb_pb2_grpc.KbStub(client.channel)
    running = asyncio.ensure_future(client.unary(stub.Count, kb_pb2.CountRequest()))
    await world.servicer.entered.wait()
    closing = asyncio.ensure_future(world.server.aclose())
    await asyncio.sleep(0)
    world.servicer.gate.set()
    assert (await running).count == 7
    await closing
    with pytest.raises(grpc.aio.AioRpcError):
        await stub.Answer(kb_pb2.AnswerRequest(question="x"), timeout=1)
