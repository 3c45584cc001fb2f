"""Ears and mouth in place and over gRPC: callers cannot tell which. And what only the wire can get wrong."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, aclosing
from dataclasses import dataclass

import numpy as np
import pytest

from common.auth import Authority
from common.errors import BadInput, HotlineError, Overloaded
from common.pb import speech_pb2 as pb
from common.pb import speech_pb2_grpc
from common.rpc.client import RpcClient
from common.rpc.server import GrpcServer
from tests.fakes.speech import FakeAsr, FakeTts
from voice_gateway.asr.api import DIGITS, AsrClosed, AsrEngine, AsrFailed, AsrModelError, AsrOverloaded, DecodingHint
from voice_gateway.speech_client import RemoteAsr, RemoteTts
from voice_gateway.speech_server import MAX_TEXT, register
from voice_gateway.tts.api import Speech, TtsEngine

WORDS = {np.full(160, 100 + index, np.int16).tobytes(): char for index, char in enumerate("一二三")}
FRAMES = [np.frombuffer(data, np.int16) for data in WORDS]


@dataclass
class Engines:
    """What the caller holds, and the fakes behind it."""

    asr: AsrEngine
    tts: TtsEngine
    fake_asr: FakeAsr
    fake_tts: FakeTts
    client: RpcClient | None = None
    server: GrpcServer | None = None


@pytest.fixture(params=["in place", "grpc"])
async def engines(request: pytest.FixtureRequest) -> AsyncIterator[Engines]:
    asr, tts = FakeAsr(WORDS, final_s=0, partial_s=0), FakeTts(first_s=0)
    if request.param == "in place":
        yield Engines(asr, tts, asr, tts)
        return
    async with remote(asr, tts) as found:
        yield found


@pytest.fixture
async def wire() -> AsyncIterator[Engines]:
    asr, tts = FakeAsr(WORDS, final_s=0, partial_s=0), FakeTts(first_s=0)
    async with remote(asr, tts) as found:
        yield found


class remote(AsyncExitStack):
    def __init__(self, asr: FakeAsr, tts: FakeTts) -> None:
        super().__init__()
        self._fakes = asr, tts

    async def __aenter__(self) -> Engines:  # type: ignore[override]
        authority = Authority("k" * 48)
        server = await self.enter_async_context(GrpcServer("127.0.0.1:0", authority, drain_s=0.2))
        register(server, *self._fakes)
        address = f"127.0.0.1:{await server.start()}"
        clients = [RpcClient(address, authority.service_token("test")) for _ in range(2)]
        asr, tts = await RemoteAsr.connect(clients[0]), await RemoteTts.connect(clients[1])
        self.push_async_callback(asr.aclose)
        self.push_async_callback(tts.aclose)
        return Engines(asr, tts, *self._fakes, clients[1], server)


async def test_capabilities_are_the_engines_own(engines: Engines) -> None:
    assert engines.asr.capabilities == engines.fake_asr.capabilities
    assert engines.tts.capabilities == engines.fake_tts.capabilities


async def test_an_utterance_gives_partials_then_one_final(engines: Engines) -> None:
    stream = await engines.asr.stream(DecodingHint(DIGITS.expect, ("幺",)))
    heard = []

    async def read() -> None:
        async for transcript in stream:
            heard.append(transcript)

    async with asyncio.TaskGroup() as group:
        group.create_task(read())
        for frame in FRAMES:
            await stream.push(frame)
        final = await stream.flush()
    await stream.aclose()
    assert final.text == "一二三" and final.final and final.confidence == pytest.approx(0.9)
    assert [t.final for t in heard].count(True) == 1 and heard[-1].text == "一二三"
    assert all("一二三".startswith(t.text) for t in heard)
    assert engines.fake_asr.hints == [DecodingHint(DIGITS.expect, ("幺",))]


async def test_closing_an_utterance_frees_it_and_ends_its_reader(engines: Engines) -> None:
    stream = await engines.asr.stream()
    await stream.push(FRAMES[0])
    reading = asyncio.create_task(_all(stream))
    await asyncio.sleep(0)
    await stream.aclose()
    await stream.aclose()
    async with asyncio.timeout(5):
        assert not any(t.final for t in await reading)
        await _until(lambda: not engines.fake_asr.open)


async def _until(true: Callable[[], bool]) -> None:
    for _ in range(500):
        if true():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it never came true")


async def _all(stream: object) -> list[object]:
    return [transcript async for transcript in stream]  # type: ignore[attr-defined]


async def test_a_refused_utterance_raises_the_engines_error(engines: Engines) -> None:
    engines.fake_asr.fail = AsrOverloaded("full", retry_after_s=2)
    with pytest.raises(AsrOverloaded) as caught:
        stream = await engines.asr.stream()
        await stream.flush()
    assert caught.value.retryable and caught.value.retry_after_s == 2


async def test_speech_comes_whole_and_in_order(engines: Engines) -> None:
    async with aclosing(engines.tts.stream(Speech("您好，再见。", voice="zf", speed=1.2, fixed=True))) as chunks:  # type: ignore[type-var]
        said = [chunk async for chunk in chunks]
    assert "".join(chunk.text for chunk in said) == "您好，再见。"
    assert [chunk.sample_rate for chunk in said] == [8000] * len(said)
    local = [chunk async for chunk in FakeTts(first_s=0).stream(Speech("您好，再见。"))]
    for ours, theirs in zip(said, local, strict=True):
        assert np.array_equal(ours.pcm, theirs.pcm)
    assert engines.fake_tts.said == [Speech("您好，再见。", "zf", 1.2, True)]


@pytest.mark.parametrize("error", [Overloaded("busy", retry_after_s=1), BadInput("no such voice")])
async def test_speech_raises_the_engines_error(engines: Engines, error: HotlineError) -> None:
    engines.fake_tts.fail = error
    with pytest.raises(type(error), match=error.message):
        await _all(engines.tts.stream(Speech("您好")))


async def test_closing_the_iterator_stops_the_engine(engines: Engines) -> None:
    async with aclosing(engines.tts.stream(Speech("一，" * 400))) as chunks:  # type: ignore[type-var]
        await anext(chunks)
        assert engines.fake_tts.running == 1
    await _until(lambda: not engines.fake_tts.running)


async def test_audio_after_the_end_is_refused(wire: Engines) -> None:
    stream = await wire.asr.stream()
    await stream.flush()
    with pytest.raises(AsrClosed):
        await stream.push(FRAMES[0])
    assert (await stream.flush()).final
    await stream.aclose()


async def test_a_rate_that_the_engine_does_not_take_is_refused(wire: Engines) -> None:
    with pytest.raises(AsrModelError, match="8000"):
        await wire.asr.stream(sample_rate=11_025)


async def test_a_closed_engine_refuses(wire: Engines) -> None:
    stream = await wire.asr.stream()
    await wire.asr.aclose()
    with pytest.raises(AsrClosed):
        await stream.flush()
    with pytest.raises(AsrClosed):
        await wire.asr.stream()


async def test_a_vanished_server_is_a_failure_not_a_hang(wire: Engines) -> None:
    stream = await wire.asr.stream()
    await stream.push(FRAMES[0])
    assert wire.server is not None
    await wire.server.aclose()
    async with asyncio.timeout(8):
        with pytest.raises(HotlineError):
            await stream.flush()
        with pytest.raises(HotlineError):
            await _all(wire.tts.stream(Speech("您好")))
    await stream.aclose()


async def _recognise(wire: Engines, *requests: pb.RecognizeRequest) -> list[pb.RecognizeResponse]:
    assert wire.client is not None
    stub = speech_pb2_grpc.SpeechStub(wire.client.channel)

    async def sent() -> AsyncIterator[pb.RecognizeRequest]:
        for request in requests:
            yield request

    return [answer async for answer in wire.client.converse(stub.StreamingRecognize, sent(), timeout_s=5)]


async def test_bad_streams_get_bad_input(wire: Engines) -> None:
    config = pb.RecognizeRequest(config=pb.RecognizeConfig(sample_rate=8000))
    for requests in (
        (),
        (pb.RecognizeRequest(pcm=b"\0\0"),),
        (config, pb.RecognizeRequest(pcm=b"\0\0\0")),
        (config, config),
    ):
        with pytest.raises(BadInput):
            await _recognise(wire, *requests)
    assert wire.fake_asr.open == 0


async def test_ending_without_flush_gives_no_final(wire: Engines) -> None:
    config = pb.RecognizeRequest(config=pb.RecognizeConfig(sample_rate=8000))
    answers = await _recognise(wire, config, pb.RecognizeRequest(pcm=FRAMES[0].tobytes()))
    assert not any(answer.final for answer in answers) and wire.fake_asr.open == 0


async def test_an_engine_that_dies_while_listening_is_reported(wire: Engines, monkeypatch: pytest.MonkeyPatch) -> None:
    async def push(self: object, frames: object) -> None:
        raise AsrFailed("decoder died")

    monkeypatch.setattr("tests.fakes.speech.FakeAsrStream.push", push)
    stream = await wire.asr.stream()
    await stream.push(FRAMES[0])
    with pytest.raises(AsrFailed, match="decoder died"):
        await stream.flush()
    await stream.aclose()


async def test_synthesis_at_another_rate(wire: Engines) -> None:
    assert wire.client is not None
    stub = speech_pb2_grpc.SpeechStub(wire.client.channel)
    request = pb.SynthesizeRequest(text="您好，再见。", sample_rate=16_000)
    chunks = [chunk async for chunk in wire.client.stream(stub.Synthesize, request)]
    assert {chunk.sample_rate for chunk in chunks} == {16_000}
    assert sum(len(chunk.pcm) for chunk in chunks) / 2 == pytest.approx(6 * 0.15 * 16_000, abs=640)
    for bad in (pb.SynthesizeRequest(text="好", sample_rate=44_100), pb.SynthesizeRequest(text="好" * (MAX_TEXT + 1))):
        with pytest.raises(BadInput):
            _ = [chunk async for chunk in wire.client.stream(stub.Synthesize, bad)]
