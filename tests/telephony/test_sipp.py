"""The phone line against SIPp, a SIP test tool of other people's."""

from __future__ import annotations

import asyncio
from pathlib import Path

from dialog.api import HandoffSummary
from tests.telephony.lines import VOICE, Handler, free_port, hotline, loud, sipp
from voice_gateway.api import Closed, Dtmf, Held, Resumed, TransferOutcome

GONE = "sip:127.0.0.1:9"
SUMMARY = HandoffSummary("s1", "emotion", "来电者要求退款，很生气。", {"order": "202411230001"}, (0.1, 0.8), "我要投诉")


async def test_twenty_calls_at_once_hear_and_are_heard(tmp_path: Path) -> None:
    handler = Handler(VOICE)
    async with hotline(handler) as edge:
        await sipp("call", edge.uri, tmp_path, "-rtp_echo", "-d", "2500", calls=20)
        await handler.until(lambda: len(handler.ended) == 20)
        assert await edge.list_calls() == ()
    assert set(handler.ended.values()) == {"bye"}
    for levels in handler.heard.values():
        assert 100 <= len(levels) <= 150
        assert loud(levels) > 80  # SIPp sends back what it gets: our tone


async def test_over_tcp(tmp_path: Path) -> None:
    handler = Handler(VOICE)
    async with hotline(handler) as edge:
        await sipp("call", edge.uri, tmp_path, "-t", "t1", "-rtp_echo", "-d", "600", calls=3)
        await handler.until(lambda: len(handler.ended) == 3)
    assert all(loud(levels) > 10 for levels in handler.heard.values())


async def test_cancel_before_answer(tmp_path: Path) -> None:
    handler = Handler()
    async with hotline(handler, ring_s=5.0) as edge:
        await sipp("cancel", edge.uri, tmp_path)
        assert await edge.list_calls() == ()
    assert handler.calls == []


async def test_caller_that_vanishes_without_bye(tmp_path: Path) -> None:
    handler = Handler(VOICE)
    async with hotline(handler, rtp_timeout_s=0.8) as edge:
        await sipp("vanish", edge.uri, tmp_path)
        await handler.until(lambda: bool(handler.ended))
    assert list(handler.ended.values()) == ["timeout"]


async def test_hold_and_resume(tmp_path: Path) -> None:
    handler = Handler(VOICE)
    async with hotline(handler) as edge:
        await sipp("hold", edge.uri, tmp_path, "-rtp_echo")
        await handler.until(lambda: bool(handler.ended))
    assert handler.events == [Held(), Resumed(), Closed("bye")]


async def test_keys_by_info(tmp_path: Path) -> None:
    handler = Handler()
    async with hotline(handler) as edge:
        await sipp("info", edge.uri, tmp_path)
        await handler.until(lambda: bool(handler.ended))
    assert handler.events == [Dtmf("5"), Dtmf("#"), Closed("bye")]


async def test_invite_without_sdp(tmp_path: Path) -> None:
    handler = Handler(VOICE)
    async with hotline(handler) as edge:
        await sipp("late_offer", edge.uri, tmp_path, "-rtp_echo", "-d", "700")
        await handler.until(lambda: bool(handler.ended))
    assert loud(next(iter(handler.heard.values()))) > 10


async def test_we_call_through_a_proxy_that_wants_a_password_and_a_longer_session_timer(tmp_path: Path) -> None:
    handler = Handler(VOICE)
    port = free_port()
    trunk = {"uri": f"sip:hotline@127.0.0.1:{port}", "username": "hot", "password": "s3cret", "registrar": GONE}
    async with hotline(handler, trunk=trunk) as edge:
        peer = asyncio.create_task(sipp("uas_challenge", "127.0.0.1:9", tmp_path, "-rtp_echo", port=port))
        call = await edge.place_call(f"sip:13800000000@127.0.0.1:{port}", "care", ring_timeout_s=8)
        await handler.until(lambda: loud(handler.heard.get(call.info.id, [])) > 10)
        await call.hang_up()
        await peer


async def test_transfer_accepted(tmp_path: Path) -> None:
    handler = Handler()
    async with hotline(handler) as edge:
        peer = asyncio.create_task(sipp("transfer_accepted", edge.uri, tmp_path))
        await handler.until(lambda: bool(handler.calls))
        assert await handler.calls[0].transfer("sip:human@127.0.0.1:9", SUMMARY) is TransferOutcome.ACCEPTED
        await peer
        await handler.until(lambda: bool(handler.ended))
    assert list(handler.ended.values()) == ["transferred"]


async def test_transfer_to_a_peer_that_only_says_bye(tmp_path: Path) -> None:
    handler = Handler()
    async with hotline(handler) as edge:
        peer = asyncio.create_task(sipp("transfer_silent", edge.uri, tmp_path))
        await handler.until(lambda: bool(handler.calls))
        assert await handler.calls[0].transfer("sip:human@127.0.0.1:9", SUMMARY) is TransferOutcome.ACCEPTED
        await peer
        await handler.until(lambda: bool(handler.ended))
    assert list(handler.ended.values()) == ["transferred"]


async def test_transfer_refused_and_the_call_goes_on(tmp_path: Path) -> None:
    handler = Handler()
    async with hotline(handler) as edge:
        peer = asyncio.create_task(sipp("transfer_refused", edge.uri, tmp_path))
        await handler.until(lambda: bool(handler.calls))
        call = handler.calls[0]
        assert await call.transfer("sip:human@127.0.0.1:9", SUMMARY) is TransferOutcome.REFUSED
        assert await call.transfer("sip:human@127.0.0.1:9", SUMMARY) is TransferOutcome.REFUSED
        assert handler.ended == {}
        await peer
        await handler.until(lambda: bool(handler.ended))
    assert list(handler.ended.values()) == ["bye"]


async def test_beyond_the_limit_calls_are_told_when_to_retry(tmp_path: Path) -> None:
    handler = Handler(VOICE)
    async with hotline(handler, max_calls=1) as edge:
        first = asyncio.create_task(sipp("call", edge.uri, tmp_path, "-d", "1500"))
        await handler.until(lambda: bool(handler.calls))
        (tmp_path / "second").mkdir()
        await sipp("busy", edge.uri, tmp_path / "second")
        await first
    assert len(handler.calls) == 1
