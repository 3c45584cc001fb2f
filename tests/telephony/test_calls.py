"""Calls between the hotline and our own far-end user agent: media, events, limits, transfers, shutdown."""

from __future__ import annotations

import asyncio
import struct
import time
import wave
from pathlib import Path

import numpy as np
import pytest
from aiortp.packet import RtpPacket
from prometheus_client import REGISTRY

from common.errors import BadInput, NotFound, Overloaded, TimedOut, Unavailable
from dialog.api import HandoffSummary
from telephony.agent import PacketLog, ReferPolicy, UserAgent, handed_over, speak, tone
from telephony.api import CallRefused, CallState
from telephony.settings import TelephonySettings
from tests.telephony.lines import VOICE, Handler, hotline, lossy, loud, soon
from voice_gateway.api import Call, Closed, Direction, Dtmf, Held, Resumed, TransferOutcome

SUMMARY = HandoffSummary(
    "s1",
    "emotion",
    "来电者第三次询问退款进度，情绪激动，要求人工处理。",
    {"order": "202411230001"},
    (0.1, 0.5, 0.9),
    "我要投诉",
)


async def test_echo_comes_back_soon_and_evenly() -> None:
    handler = Handler()
    async with hotline(handler) as edge, UserAgent() as caller:
        call = await caller.dial(edge.uri, sender="13800000000")
        log = PacketLog.on(call)
        said = await speak(call, tone(1.0))
        await soon(lambda: log.first_audible(said.first_at) and log.quiet_for(0.15))
        first, last = log.first_audible(said.first_at), log.last_audible(said.last_at)
        assert first is not None and last is not None
        assert first.at - said.first_at < 0.3  # a port and a jitter buffer deep at most
        assert last.at - said.last_at < 0.3
        gaps = np.diff([heard.at for heard in log.received_packets])
        assert 0.018 < np.median(gaps) < 0.022
        await call.hang_up()
        await handler.until(lambda: bool(handler.ended))
    info = handler.calls[0].info
    assert (info.caller, info.called, info.direction) == ("13800000000", "hotline", Direction.INBOUND)
    assert handler.ended == {info.id: "bye"}


async def test_what_was_played_is_known_and_clear_stops_it() -> None:
    seen: list[tuple[int, int]] = []
    up = asyncio.Event()

    async def handler(call: Call) -> None:
        start = call.audio.played_ms
        for _ in range(30):
            await call.audio.write(VOICE[:160])
        dropped = call.audio.clear()
        seen.append((call.audio.played_ms - start, dropped))
        await call.audio.drain()
        up.set()
        with pytest.raises(BadInput):
            await call.audio.write(VOICE[:80])
        async for _ in call.audio.frames():
            pass
        with pytest.raises(Unavailable):
            await call.audio.write(VOICE[:160])

    async with hotline(handler) as edge, UserAgent() as caller:
        call = await caller.dial(edge.uri)
        log = PacketLog.on(call)
        await up.wait()
        await soon(lambda: log.quiet_for(0.1))
        audible = sum(heard.level_dbfs > -40 for heard in log.received_packets)
        await call.hang_up()
    played, dropped = seen[0]
    assert played + dropped == 600 and 0 < dropped <= 200
    assert abs(audible * 20 - played) <= 40


@pytest.mark.parametrize("codec", ["PCMA", "PCMU"])
async def test_both_laws(codec: str) -> None:
    handler = Handler()
    async with hotline(handler, codecs=(codec,)) as edge, UserAgent() as caller:
        call = await caller.dial(edge.uri)
        PacketLog.on(call)
        await speak(call, tone(0.3))
        await handler.until(lambda: loud(handler.heard[handler.calls[0].info.id]) > 10)
        await call.hang_up()


async def test_no_common_codec_is_488() -> None:
    async with hotline(Handler(), codecs=("PCMA",)) as edge, UserAgent(codecs=("PCMU",)) as caller:
        with pytest.raises(CallRefused) as refused:
            await caller.dial(edge.uri)
        assert refused.value.status == 488
        assert await edge.list_calls() == ()


async def test_ten_percent_loss_each_way_is_concealed_and_loses_no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    handler = Handler()
    lost = lossy(monkeypatch, 0.10)
    async with hotline(handler, t1_s=0.05) as edge, UserAgent() as caller:
        call = await caller.dial(edge.uri)
        PacketLog.on(call)
        await speak(call, tone(2.0))
        await call.press("13*")
        await handler.until(lambda: Dtmf("*") in handler.events)
        await call.hang_up()
        await handler.until(lambda: bool(handler.ended))
    assert lost["rtp"] > 15
    assert [e for e in handler.events if isinstance(e, Dtmf)] == [Dtmf("1"), Dtmf("3"), Dtmf("*")]
    assert list(handler.ended.values()) == ["bye"]
    levels = handler.heard[handler.calls[0].info.id]
    talk = levels[next(i for i, level in enumerate(levels) if level > -40) :][:95]
    assert loud(talk) > 92  # one packet in ten was lost, hardly a frame is missing


async def test_sip_survives_losing_every_third_message(monkeypatch: pytest.MonkeyPatch) -> None:
    handler = Handler()
    lost = lossy(monkeypatch, 0.34, seed=3)
    async with hotline(handler, t1_s=0.05) as edge:
        for _ in range(4):
            async with UserAgent(settings=_quick()) as caller:
                call = await caller.dial(edge.uri)
                await handler.until(lambda: len(handler.calls) > len(handler.ended))
                await call.hang_up()
                await handler.until(lambda: len(handler.calls) == len(handler.ended))
    assert lost["sip"] > 5
    assert list(handler.ended.values()) == ["bye"] * 4


async def test_keys_hold_and_resume() -> None:
    handler = Handler(VOICE)
    async with hotline(handler) as edge, UserAgent() as caller:
        call = await caller.dial(edge.uri)
        log = PacketLog.on(call)
        await call.press("1#D")
        await call.press("5", by_info=True)
        await handler.until(lambda: len(handler.events) == 4)
        with pytest.raises(BadInput):
            await call.press("x")
        assert await call.hold()
        assert (await edge.list_calls())[0].state is CallState.HELD
        await soon(lambda: time.monotonic() - log.received_packets[-1].at > 0.1)
        before = len(log.received_packets)
        played = handler.calls[0].audio.played_ms
        await asyncio.sleep(0.2)  # a time in which nothing may come
        assert len(log.received_packets) == before  # nothing is said to a caller on hold
        assert handler.calls[0].audio.played_ms == played
        call._media.mute(False)  # music on hold is not the caller's voice
        said = await speak(call, tone(0.3))
        call._media.mute(True)
        assert said.last_at > said.first_at
        assert loud(handler.heard[handler.calls[0].info.id]) == 0
        assert await call.resume()
        await soon(lambda: len(log.received_packets) > before + 5)
        await call.hang_up()
        await handler.until(lambda: bool(handler.ended))
    assert {e.digit for e in handler.events if isinstance(e, Dtmf)} == set("1#D5")
    assert [e for e in handler.events if not isinstance(e, Dtmf)] == [Held(), Resumed(), Closed("bye")]


async def test_transfer_brings_the_context_to_the_human() -> None:
    handler = Handler()
    async with (
        UserAgent(user="human") as human,
        UserAgent() as caller,
        hotline(handler, transfer_targets={"human": human.uri}, transfer_target="sip:x@127.0.0.1:9") as edge,
    ):
        call = await caller.dial(edge.uri)
        await handler.until(lambda: bool(handler.calls))
        assert await handler.calls[0].transfer("human", SUMMARY) is TransferOutcome.ACCEPTED
        taken = await human.incoming()
        assert handed_over(taken) == SUMMARY
        assert await call.wait_closed(5) == "bye"
        new = await caller.incoming()
        PacketLog.on(new)
        heard = PacketLog.on(taken)
        said = await speak(new, tone(0.3))
        await soon(lambda: heard.first_audible(said.first_at))  # caller and human talk with one another
        await handler.until(lambda: bool(handler.ended))
        await taken.hang_up()
        assert await new.wait_closed(5) == "bye"
        assert edge._station.calls == {}
    assert list(handler.ended.values()) == ["transferred"]


@pytest.mark.parametrize(
    ("refer", "human_status", "target", "outcome"),
    [
        ("decline", 200, "human", TransferOutcome.REFUSED),
        ("follow", 486, "human", TransferOutcome.REFUSED),
        ("follow", 200, "no_such_queue", TransferOutcome.REFUSED),
        ("follow", 200, "", TransferOutcome.REFUSED),  # no default target is set
        ("ignore", 200, "human", TransferOutcome.TIMEOUT),
    ],
)
async def test_failed_transfer_leaves_the_call_usable(
    refer: ReferPolicy, human_status: int, target: str, outcome: TransferOutcome
) -> None:
    handler = Handler()
    async with (
        UserAgent(user="human", answer_status=human_status) as human,
        UserAgent(refer=refer) as caller,
        hotline(handler, transfer_targets={"human": human.uri}, transfer_timeout_s=0.6) as edge,
    ):
        call = await caller.dial(edge.uri)
        log = PacketLog.on(call)
        await handler.until(lambda: bool(handler.calls))
        assert await handler.calls[0].transfer(target, SUMMARY) is outcome
        said = await speak(call, tone(0.2))
        await soon(lambda: log.first_audible(said.first_at))  # the echo still answers
        await handler.calls[0].hang_up()
        assert await call.wait_closed(5) == "bye"
        await handler.until(lambda: bool(handler.ended))
    assert list(handler.ended.values()) == ["local"]


async def test_hanging_up_while_a_transfer_is_under_way_leaves_no_leg() -> None:
    handler = Handler()
    async with UserAgent(refer="ignore") as caller, hotline(handler, transfer_target="sip:x@127.0.0.1:9") as edge:
        call = await caller.dial(edge.uri)
        await handler.until(lambda: bool(handler.calls))
        transfer = asyncio.create_task(handler.calls[0].transfer("", SUMMARY))
        await soon(lambda: caller.calls[0].leg._dialog._state.remote_cseq)  # the REFER is there
        await handler.calls[0].hang_up()
        assert await transfer is not TransferOutcome.ACCEPTED
        assert await call.wait_closed(5) == "bye"
        assert edge._station.calls == {}


async def test_outbound_call_is_given_to_the_handler_with_its_purpose() -> None:
    handler = Handler()
    async with UserAgent(user="customer", ring_s=0.1) as customer, hotline(handler) as edge:
        placed = await edge.place_call(customer.uri, "delivery_delayed")
        answered = await customer.incoming()
        await handler.until(lambda: bool(handler.calls))
        info = handler.calls[0].info
        assert (info.purpose, info.called, info.direction) == ("delivery_delayed", "customer", Direction.OUTBOUND)
        await answered.hang_up()
        assert await placed.wait_closed(5) == "bye"


async def test_outbound_failures_say_whose_fault_it_is() -> None:
    async with hotline(Handler(), max_calls=1, t1_s=0.03) as edge:
        async with UserAgent(answer_status=486) as busy:
            with pytest.raises(CallRefused) as refused:
                await edge.place_call(busy.uri)
            assert refused.value.status == 486
        async with UserAgent(ring_s=5) as slow:
            with pytest.raises(TimedOut):
                await edge.place_call(slow.uri, ring_timeout_s=0.3)
            assert await _gone(slow)  # the CANCEL reached it
        with pytest.raises(CallRefused):  # nobody listens there: 408 after 64 T1
            await edge.place_call("sip:nobody@127.0.0.1:9", ring_timeout_s=20)
        with pytest.raises(CallRefused):
            await edge.place_call("sip:nobody@127.0.0.1:9;transport=tcp")
        for uri in ("mailto:x@y", "10086", "sip:", "sip:a b@c"):
            with pytest.raises(BadInput):
                await edge.place_call(uri)
        assert edge._station.calls == {}
        with pytest.raises(NotFound):
            await edge.hang_up("call-1")
        async with UserAgent() as customer:
            await edge.place_call(customer.uri)
            with pytest.raises(Overloaded):
                await edge.place_call(customer.uri)


async def test_recording_is_stereo_aligned_and_valid_while_the_call_runs(tmp_path: Path) -> None:
    handler = Handler(tone(1.0, 1000))
    async with hotline(handler, folder=tmp_path) as edge, UserAgent() as caller:
        call = await caller.dial(edge.uri)
        PacketLog.on(call)
        await speak(call, tone(1.3, 300))
        during = edge._station.recorder.path(handler.calls[0].info.id)
        with wave.open(str(during)) as file:  # as a crash would leave it
            assert file.getnframes() >= 8000
        await call.hang_up()
        await handler.until(lambda: bool(handler.ended))
        await handler.calls[0].hang_up()
        assert handler.calls[0].recording == during  # type: ignore[attr-defined]
        assert during.stat().st_mode & 0o077 == 0
        with wave.open(str(during)) as file:
            assert (file.getnchannels(), file.getframerate(), file.getsampwidth()) == (2, 8000, 2)
            data = np.frombuffer(file.readframes(file.getnframes()), dtype=np.int16).reshape(-1, 2)
    assert 1.25 < len(data) / 8000 < 2.2
    for channel, hz in ((0, 300), (1, 1000)):
        spectrum = np.abs(np.fft.rfft(data[4000:8000, channel]))
        assert abs(int(np.argmax(spectrum)) * 2 - hz) <= 4


async def test_session_timer_is_refreshed_and_a_dead_peer_is_noticed() -> None:
    handler = Handler()
    timers = {"session_expires_s": 1, "min_se_s": 1}
    async with hotline(handler, **timers) as edge, UserAgent(settings=_quick(**timers)) as caller:
        call = await caller.dial(edge.uri)
        await asyncio.sleep(2.2)  # two intervals: only refreshes keep it up
        assert not call.closed and not handler.ended
        leg = call.leg
        assert leg is not None
        leg._clock.stop()  # the caller's side stops refreshing
        await handler.until(lambda: bool(handler.ended))
    assert list(handler.ended.values()) == ["timeout"]


async def test_strangers_cannot_speak_into_a_call() -> None:
    handler = Handler()
    async with hotline(handler) as edge, UserAgent() as caller:
        call = await caller.dial(edge.uri)
        PacketLog.on(call)
        await speak(call, tone(0.1))
        target = call._media.stream._remote_addr
        assert target is not None
        strange, types = dropped_rtp("source"), dropped_rtp("payload_type")
        loop = asyncio.get_running_loop()
        stranger, _ = await loop.create_datagram_endpoint(asyncio.DatagramProtocol, local_addr=("127.0.0.1", 0))
        loud_payload = bytes([0x2A, 0xAA] * 80)
        for n in range(10):
            packet = RtpPacket(payload_type=8, sequence_number=n, timestamp=n * 160, ssrc=1, payload=loud_payload)
            stranger.sendto(packet.serialize(), target)
        stranger.sendto(b"\x80", target)
        stranger.sendto(struct.pack("!BB", 0x80, 200), target)  # RTCP that is too short
        assert call._media.stream._rtp_transport is not None
        unknown = RtpPacket(payload_type=18, sequence_number=1, timestamp=160, ssrc=2, payload=loud_payload)
        call._media.stream._rtp_transport.send(unknown.serialize(), call._media.stream._remote_addr)
        await soon(lambda: dropped_rtp("source") == strange + 10 and dropped_rtp("payload_type") == types + 1)
        stranger.close()
        assert not call.closed
        await call.hang_up()
    assert loud(handler.heard[handler.calls[0].info.id]) < 10


async def test_a_lost_tcp_connection_does_not_lose_the_goodbye() -> None:
    handler = Handler()
    async with hotline(handler) as edge, UserAgent() as caller:
        call = await caller.dial(edge.uri + ";transport=tcp")
        await handler.until(lambda: bool(handler.calls))
        tcp = edge._station.endpoint.tcp
        assert tcp is not None
        for connection in tuple(tcp._peers.values()):
            connection.close()
        await soon(lambda: not tcp._peers)
        await handler.calls[0].hang_up()
        assert await call.wait_closed(5) == "bye"


async def test_handler_that_fails_hangs_up() -> None:
    async def broken(call: Call) -> None:
        raise RuntimeError("a bug")

    async with hotline(broken) as edge, UserAgent() as caller:
        call = await caller.dial(edge.uri)
        assert await call.wait_closed(5) == "bye"


async def test_drain_refuses_new_calls_and_waits_for_old_ones() -> None:
    handler = Handler()
    async with hotline(handler) as edge, UserAgent() as caller, UserAgent() as late:
        call = await caller.dial(edge.uri)
        await handler.until(lambda: bool(handler.calls))
        drained = asyncio.create_task(edge.drain(5))
        await soon(lambda: edge._draining)
        with pytest.raises(CallRefused) as refused:
            await late.dial(edge.uri)
        assert refused.value.status == 503 and refused.value.retry_after_s == 15
        assert not drained.done()
        await call.hang_up()
        await drained
    assert list(handler.ended.values()) == ["bye"]


async def test_closing_hangs_up_and_leaves_nothing_running() -> None:
    handler = Handler()
    async with UserAgent() as caller:
        async with hotline(handler) as edge:
            call = await caller.dial(edge.uri)
        await edge.aclose()  # twice is fine
        assert await call.wait_closed(5) == "bye"
    names = {task.get_name() for task in asyncio.all_tasks()}
    assert not {n for n in names if n.startswith(("call", "media", "sip", "ua"))}


def dropped_rtp(reason: str) -> float:
    return REGISTRY.get_sample_value("hotline_sip_rtp_dropped_total", {"reason": reason}) or 0


def _quick(**settings: object) -> TelephonySettings:
    base: dict[str, object] = {
        "port": 0, "rtp_ports": (0, 0), "t1_s": 0.05, "session_expires_s": 0, "recording": {"enabled": False}
    }  # fmt: skip
    return TelephonySettings.model_validate(base | settings)


async def _gone(agent: UserAgent) -> bool:
    async with asyncio.timeout(5):
        for call in agent.calls:
            await call.wait_closed(5)
    return True
