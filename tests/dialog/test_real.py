"""Conversations with the real understanding (its models come with the packages), scripted feelings and knowledge."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from nlu.api import NluService
from nlu.factory import build as build_nlu
from nlu.settings import NluSettings
from tests.dialog.conftest import World
from tests.fakes.dialog_script import Caller


@pytest.fixture
async def nlu() -> AsyncIterator[NluService]:
    service = build_nlu(NluSettings())
    yield service
    await service.aclose()


async def test_with_real_understanding(world: World, nlu: NluService) -> None:
    world.nlu = nlu  # type: ignore[assignment]
    dialog = world.build(nlu_timeout_s=20.0)
    await Caller(dialog, "a", emotion=world.emotion).play(
        """
        > 你好我想查一下我的订单到哪里了
        < 订单号
        > 二零二六幺幺零三
        > 零九二五
        > 不对最后一位是六
        < 零九二六
        > 对
        < 扫地机器人
        > 退款什么时候到账
        < 后天到账
        > 没有了解决了谢谢
        < hangup solved
        """
    )
    await Caller(dialog, "b", emotion=world.emotion).play(
        """
        > 我的快递怎么还没到
        < 订单号
        !angry 0.7
        > 我都等了一个星期了你们到底管不管
        < 抱歉
        !angry 0.9
        > 什么破服务气死我了我要投诉你们
        < handoff emotion
        """
    )
    world.emotion.score = lambda request: 0.1
    await Caller(dialog, "c", emotion=world.emotion).play(
        """
        > 请问退货多久
        < 七天内
        > 等一下满多少包邮
        < 59元
        [1]
        < hangup solved
        """
    )
    await Caller(dialog, "d", emotion=world.emotion).play(
        "> 帮我把衣服退了\n< 订单号\n> 找不到了\n< 来电号码\n> 行\n< 无线耳机"
    )
    await Caller(dialog, "e", emotion=world.emotion).play(
        "> 我想改下收货地址\n< 订单号\n> 转人工吧\n< handoff requested"
    )
    await Caller(dialog, "f", emotion=world.emotion).play("> 账号登不上去了密码忘了\n< 号码的账户\n> 是的\n< 短信")
