"""Control of calls, in place and over gRPC: one suite over both forms."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

import pytest

from common.auth import Authority, Principal, Role
from common.errors import BadInput, Forbidden, NotFound, TimedOut
from common.rpc.client import RpcClient
from common.rpc.server import GrpcServer
from telephony.agent import UserAgent
from telephony.api import CallRefused, CallState, CallStatus, TelephonyControl
from telephony.client import TelephonyClient
from telephony.convert import status_from_pb, status_to_pb
from telephony.server import register
from telephony.service import SipTelephony
from tests.telephony.lines import Handler, hotline
from voice_gateway.api import Direction, TransferOutcome


@contextlib.asynccontextmanager
async def over_grpc(edge: SipTelephony, role: Role = Role.SERVICE) -> AsyncIterator[TelephonyControl]:
    authority = Authority("k" * 48)
    async with GrpcServer("127.0.0.1:0", authority, drain_s=1) as server:
        register(server, edge)
        port = await server.start()
        client = TelephonyClient(RpcClient(f"127.0.0.1:{port}", lambda: authority.issue(Principal("test", role))))
        yield client
        await client.aclose()


@contextlib.asynccontextmanager
async def control(form: str, edge: SipTelephony) -> AsyncIterator[TelephonyControl]:
    if form == "local":
        yield edge
    else:
        async with over_grpc(edge) as client:
            yield client


@pytest.mark.parametrize("form", ["local", "grpc"])
async def test_place_list_transfer_hang_up(form: str) -> None:
    handler = Handler()
    async with (
        UserAgent(user="customer", refer="decline") as customer,
        hotline(handler, transfer_target="sip:x@127.0.0.1:9") as edge,
        control(form, edge) as calls,
    ):
        placed = await calls.order_call(customer.uri, "care")
        assert (placed.direction, placed.called, placed.ended) == (Direction.OUTBOUND, "customer", "")
        assert [call.id for call in await calls.list_calls()] == [placed.id]
        assert (await calls.list_calls())[0].state is CallState.TALKING
        await handler.until(lambda: bool(handler.calls))
        assert handler.calls[0].info.purpose == "care"
        assert await calls.transfer(placed.id, "") is TransferOutcome.REFUSED
        await calls.hang_up(placed.id)
        await handler.until(lambda: bool(handler.ended))
        assert await calls.list_calls() == ()
        with pytest.raises(NotFound):
            await calls.hang_up(placed.id)
        with pytest.raises(NotFound):
            await calls.transfer(placed.id, "")
        with pytest.raises(BadInput):
            await calls.order_call("not a number")


@pytest.mark.parametrize("form", ["local", "grpc"])
async def test_failures_keep_their_kind(form: str) -> None:
    async with (
        UserAgent(answer_status=486) as busy,
        UserAgent(ring_s=9) as slow,
        hotline(Handler()) as edge,
        control(form, edge) as calls,
    ):
        with pytest.raises(CallRefused, match="486"):
            await calls.order_call(busy.uri)
        with pytest.raises(TimedOut):
            await calls.order_call(slow.uri, ring_timeout_s=0.2)


async def test_callers_may_not_place_calls() -> None:
    async with hotline(Handler()) as edge, over_grpc(edge, Role.CALLER) as calls:
        with pytest.raises(Forbidden):
            await calls.list_calls()


def test_status_round_trip() -> None:
    status = CallStatus("c", CallState.HELD, Direction.INBOUND, "1", "2", 3.5, "bye")
    assert status_from_pb(status_to_pb(status)) == status
