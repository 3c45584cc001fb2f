"""The same conversations over both forms: in place, and over gRPC."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from common.auth import Authority, Principal, Role
from common.errors import BadInput, Forbidden, NotFound
from common.rpc.client import RpcClient
from common.rpc.server import GrpcServer
from dialog.api import Channel, DialogService, Handoff, TurnKind
from dialog.client import DialogClient
from dialog.server import register
from tests.dialog.conftest import World
from tests.fakes.dialog_helpers import ON_THE_WAY
from tests.fakes.dialog_script import Caller


@pytest.fixture(params=["in place", "over gRPC"])
async def dialog(request: pytest.FixtureRequest, world: World) -> AsyncIterator[DialogService]:
    service = world.build()
    if request.param == "in place":
        yield service
        return
    authority = Authority("k" * 48)
    async with GrpcServer("127.0.0.1:0", authority) as server:
        register(server, service)
        await server.start()
        client = DialogClient(RpcClient(f"127.0.0.1:{server.port}", authority.service_token("test")))
        yield client
        await client.aclose()


async def test_a_conversation(dialog: DialogService, world: World) -> None:
    caller = Caller(dialog, emotion=world.emotion)
    await caller.play(
        """
        > 查订单
        < expect digits order_number 12
        > 二零二六幺幺零八
        > 零四幺七
        < expect yes_no order_number
        > 对
        < 无线耳机
        > 满多少包邮
        < 59元
        !angry 0.95
        > 什么破东西
        < handoff emotion
        """
    )
    last = caller.answers[-1].last
    assert isinstance(last, Handoff) and last.summary.slots["order_number"] == ON_THE_WAY
    answered = caller.answers[-2]
    assert [s.id for s in answered.end.sources] == ["faq-包邮"]
    assert (await caller.again(5, TurnKind.SPEECH, "满多少包邮")).events == answered.events
    await dialog.transfer_failed("s1", "refused")
    await caller.play("(silence)\n< 回电")
    await dialog.interrupted("s1", caller.answers[-1].reply_id, "抱歉")
    await dialog.feedback("s1", True, "好")
    history = await dialog.history("s1")
    assert [item for item in history if item.heard is not None][0].heard == "抱歉"
    assert history[0].role == "bot" and history[-1].role == "system"
    assert await dialog.history("s1", after=history[-2].seq) == history[-1:]
    await dialog.close("s1", "bye")


async def test_buttons(dialog: DialogService) -> None:
    caller = Caller(dialog, channel=Channel.WECHAT)
    answer = await caller.open()
    assert answer.end.choices[0].value == "flow:order_status"


async def test_errors(dialog: DialogService) -> None:
    with pytest.raises(NotFound):
        await dialog.history("nobody")
    with pytest.raises(BadInput):
        await Caller(dialog, session="").open()
    with pytest.raises(NotFound):
        await Caller(dialog, session="nobody").say("喂")


async def test_fixed_prompts(dialog: DialogService) -> None:
    prompts = await dialog.fixed_prompts()
    assert "您好，这里是云杉商城，我是智能客服。" in prompts and len(set(prompts)) == len(prompts)


async def test_only_services_may_call(world: World) -> None:
    authority = Authority("k" * 48)
    async with GrpcServer("127.0.0.1:0", authority) as server:
        register(server, world.build())
        await server.start()
        token = authority.issue(Principal("someone", Role.CALLER, "s1"))
        client = DialogClient(RpcClient(f"127.0.0.1:{server.port}", lambda: token))
        with pytest.raises(Forbidden):
            await client.history("s1")
        await client.aclose()
