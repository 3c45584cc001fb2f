"""What callers may rely on, for the service in place and over gRPC alike; and its held-out accuracy."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from common.auth import Authority
from common.errors import BadInput, Overloaded
from common.rpc.client import RpcClient
from common.rpc.server import GrpcServer
from nlu.api import INFORM, OUT_OF_SCOPE, NluRequest, NluService
from nlu.client import NluClient
from nlu.evaluate import sets
from nlu.factory import build, labelled
from nlu.server import register
from nlu.service import LocalNlu
from nlu.settings import NluSettings


@pytest.fixture(params=["local", "grpc"])
async def service(request: pytest.FixtureRequest, shipped: LocalNlu) -> AsyncIterator[NluService]:
    if request.param == "local":
        yield shipped
        return
    authority = Authority("k" * 48)
    async with GrpcServer("127.0.0.1:0", authority) as server:
        register(server, shipped)
        port = await server.start()
        client = NluClient(RpcClient(f"127.0.0.1:{port}", authority.service_token("test")))
        yield client
        await client.aclose()
        await client.aclose()


async def test_a_dictated_order_number(service: NluService) -> None:
    result = await service.parse(NluRequest("我的订单号是二零二六幺幺零三四五六七", expected_slot="order_number"))
    assert result.text == "我的订单号是202611034567"
    assert result.intent.name == INFORM
    order = result.entity("order_number")
    assert order is not None and order.value == "202611034567" == result.text[order.start : order.end]
    assert "".join(t.text for t in result.tokens) == result.text


async def test_a_request_keeps_its_intent_while_a_slot_is_expected(service: NluService) -> None:
    result = await service.parse(NluRequest("等等，我想先改一下收货地址", expected_slot="order_number"))
    assert result.intent.name == "address_change" and result.intent.confidence > 0.5
    assert result.entity("digits") is None


async def test_out_of_scope_and_empty(service: NluService) -> None:
    assert (await service.parse(NluRequest("今天晚上月亮真圆啊"))).intent.name == OUT_OF_SCOPE
    empty = await service.parse(NluRequest(" "))
    assert empty.text == "" and empty.intent.name == OUT_OF_SCOPE and empty.tokens == ()


async def test_days_are_resolved_against_the_given_today(service: NluService) -> None:
    date = (await service.parse(NluRequest("昨天买的", today="2027-03-01"))).entity("date")
    assert date is not None and date.value == "2027-02-28"


@pytest.mark.parametrize("request_", [NluRequest("长" * 2001), NluRequest("昨天", today="today")])
async def test_bad_input(service: NluService, request_: NluRequest) -> None:
    with pytest.raises(BadInput):
        await service.parse(request_)


async def test_many_at_once_give_each_its_own_answer(service: NluService) -> None:
    texts = ["我要退货", "开发票", "转人工", "几点上班"] * 6
    results = await asyncio.gather(*(service.parse(NluRequest(text)) for text in texts))
    assert [r.intent.name for r in results] == ["return_request", "invoice", "human_agent", "opening_hours"] * 6
    assert [r.text for r in results] == texts


async def test_a_full_pool_says_so_at_once(cache: Path) -> None:
    service = build(NluSettings(threads=1, waiting=0), cache=cache)
    first = asyncio.create_task(service.parse(NluRequest("我要退货")))
    await asyncio.sleep(0)
    with pytest.raises(Overloaded):
        await service.parse(NluRequest("我要退货"))
    assert (await first).intent.name == "return_request"
    await service.aclose()
    await service.aclose()


async def test_held_out_sentences(shipped: LocalNlu) -> None:
    floors = {"clean": 0.87, "noisy": 0.92, OUT_OF_SCOPE: 0.9}
    for part, sentences in sets("heldout.yaml").items():
        got = [(await shipped.parse(NluRequest(text))).intent.name for text, _ in sentences]
        right = sum(name == wanted for name, (_, wanted) in zip(got, sentences, strict=True))
        assert right / len(sentences) >= floors[part], part


def test_no_test_sentence_is_trained_on() -> None:
    trained = {text for texts in labelled(None, "intents.yaml").values() for text in texts}
    phrases = {text for texts in labelled(None, "phrases.yaml").values() for text in texts}
    for file in ("heldout.yaml", "blind.yaml"):
        tested = [text for sentences in sets(file).values() for text, _ in sentences]
        assert len(tested) == len(set(tested))
        assert not trained & set(tested)
        assert len(phrases & set(tested)) <= len(tested) * 0.1  # short answers are what they are


def test_every_intent_has_examples_enough() -> None:
    examples = labelled(None, "intents.yaml")
    assert all(len(texts) >= 15 for texts in examples.values())
    assert set(labelled(None, "phrases.yaml")) <= set(examples)
