"""The pure parts of the phone line: offers, session timers, transfers, keys, latching, playout, recording, context."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
import wave
from pathlib import Path

import numpy as np
import pytest
from aiortp.codecs import get_codec
from aiortp.packet import RtpPacket
from aiosipua.sdp import serialize_sdp

from common.errors import Misconfigured, Overloaded, Unavailable
from dialog.api import HandoffSummary
from telephony import context
from telephony.agent import tone
from telephony.media.dtmf import KeyReceiver, key_packets
from telephony.media.latch import Latch
from telephony.media.media import Media
from telephony.media.playout import SILENCE, Playout
from telephony.media.ports import PortPairs
from telephony.media.recording import Recorder
from telephony.settings import TelephonySettings
from telephony.sip import session_timer
from telephony.sip.dtmf_info import digit_of
from telephony.sip.endpoint import Endpoint
from telephony.sip.offer import MediaPlan, Negotiation, NotAcceptable, read_sdp
from telephony.sip.refer import Progress, Transfer, refer_to, sipfrag_status, split_refer_to
from telephony.sip.session_timer import IntervalTooSmall, SessionTiming
from telephony.sip.syntax import parse, uri_of
from tests.telephony.lines import free_port
from tests.telephony.test_bad_sip import message

OFFER = """v=0
o=- 1 1 IN IP4 192.0.2.1
s=-
c=IN IP4 192.0.2.1
t=0 0
m=audio 4000 RTP/AVP 18 0 8 96
a=rtpmap:96 telephone-event/8000
a={direction}
m=video 4002 RTP/AVP 97
"""


def offer(direction: str = "sendrecv", **changes: str) -> str:
    text = OFFER.format(direction=direction)
    for old, new in changes.items():
        text = text.replace(old, new)
    return text


# --- offers ---


def test_answer_takes_our_preferred_codec_and_their_dtmf_type_and_refuses_video() -> None:
    answer, plan = Negotiation(("127.0.0.1", 5000), ("PCMA", "PCMU")).answer(read_sdp(offer()))
    assert (plan.payload_type, plan.dtmf_type, plan.remote) == (8, 96, ("192.0.2.1", 4000))
    assert [m.port for m in answer.media] == [5000, 0]
    assert answer.media[0].formats == ["8", "96"]


@pytest.mark.parametrize(
    ("direction", "answered", "held", "sending"),
    [
        ("sendrecv", "sendrecv", False, True),
        ("sendonly", "recvonly", True, False),
        ("inactive", "inactive", True, False),
        ("recvonly", "sendonly", False, True),
    ],
)
def test_hold_by_direction(direction: str, answered: str, held: bool, sending: bool) -> None:
    answer, plan = Negotiation(("127.0.0.1", 5000), ("PCMA",)).answer(read_sdp(offer(direction)))
    assert (answer.media[0].direction, plan.held, plan.sending) == (answered, held, sending)


def test_hold_by_address_zero() -> None:
    plan = Negotiation(("127.0.0.1", 5000), ("PCMA",)).answer(read_sdp(offer().replace("192.0.2.1", "0.0.0.0")))[1]
    assert plan.held and not plan.sending


def test_versions_count_up_and_the_session_stays() -> None:
    negotiation = Negotiation(("127.0.0.1", 5000), ("PCMA",))
    first, second = negotiation.offer().origin, negotiation.offer().origin
    assert first.session_id == second.session_id and int(second.session_version) == int(first.session_version) + 1


def test_offers_and_answers_meet() -> None:
    caller, callee = Negotiation(("127.0.0.1", 1000), ("PCMU",)), Negotiation(("127.0.0.1", 2000), ("PCMA", "PCMU"))
    answer, theirs = callee.answer(read_sdp(serialize_sdp(caller.offer())))
    ours = caller.accept(read_sdp(serialize_sdp(answer)))
    assert (ours.payload_type, ours.remote, theirs.remote) == (0, ("127.0.0.1", 2000), ("127.0.0.1", 1000))
    with pytest.raises(NotAcceptable):
        Negotiation(("127.0.0.1", 1), ("PCMA",)).accept(answer)


# --- session timers ---


def invite(**headers: str) -> session_timer.SipRequest:
    request = parse(message(**headers).encode(), ("127.0.0.1", 5060))
    assert isinstance(request, session_timer.SipRequest)
    return request


@pytest.mark.parametrize(
    ("asks", "supported", "refresher_us", "interval", "requires"),
    [
        ("", "", True, 1800, False),  # a peer without timers: we refresh
        ("", "timer", False, 1800, True),
        ("600;refresher=uas", "timer", True, 600, False),
        ("600", "timer", False, 600, True),
    ],
)
def test_session_timer_grant(asks: str, supported: str, refresher_us: bool, interval: int, requires: bool) -> None:
    headers = {k: v for k, v in (("Session_Expires", asks), ("Supported", supported)) if v}
    timer, answer = session_timer.grant(invite(**headers), SessionTiming())
    assert (timer.interval, timer.refresher, "Require" in answer) == (interval, refresher_us, requires)
    assert timer.delay == (interval / 2 if refresher_us else interval - min(32, interval / 3))


def test_session_timer_too_small_and_switched_off() -> None:
    with pytest.raises(IntervalTooSmall):
        session_timer.grant(invite(Session_Expires="30", Supported="timer"), SessionTiming())
    assert session_timer.grant(invite(), SessionTiming(0, 90))[0].interval == 0


# --- transfers ---


def notify(frag: str, state: str) -> session_timer.SipRequest:
    text = message("NOTIFY sip:x@y SIP/2.0", CSeq="9 NOTIFY", body=frag, Subscription_State=state)
    request = parse(text.encode(), ("127.0.0.1", 5060))
    assert isinstance(request, session_timer.SipRequest)
    return request


def test_transfer_progress() -> None:
    accepted, refused, vague = Transfer(), Transfer(), Transfer()
    accepted.answered(202)
    accepted.notify(notify("SIP/2.0 180 Ringing", "active"))
    assert accepted.progress is Progress.PENDING
    accepted.notify(notify("SIP/2.0 200 OK", "terminated"))
    assert accepted.progress is Progress.ACCEPTED
    refused.answered(603)
    assert refused.progress is Progress.REFUSED
    vague.notify(notify("SIP/2.0 100 Trying", "terminated;reason=noresource"))
    assert vague.progress is Progress.REFUSED


@pytest.mark.parametrize(("reports", "progress"), [(False, Progress.ACCEPTED), (True, Progress.REFUSED)])
def test_bye_during_a_transfer(reports: bool, progress: Progress) -> None:
    transfer = Transfer(notified=reports)
    transfer.peer_left()
    assert transfer.progress is progress


def test_refer_to_carries_headers_but_never_routes() -> None:
    value = refer_to("sip:a@b", {"User-to-User": "ab;encoding=hex", "X-Hotline-Session": "s1"})
    assert split_refer_to(uri_of(value)) == ("sip:a@b", {"User-to-User": "ab;encoding=hex", "X-Hotline-Session": "s1"})
    assert split_refer_to("sip:a@b?Route=%3Csip:evil%3E&X-A=b%0D%0AVia:x&Replaces=1") == ("sip:a@b", {})
    assert sipfrag_status("SIP/2.0 486 Busy Here\r\n") == 486 and sipfrag_status("what") == 0


# --- context ---

LONG = HandoffSummary("s1", "emotion", "说" * 900, {f"k{n}": "值" * 9 for n in range(20)}, (0.25,) * 30, "话" * 400)


@pytest.mark.parametrize("summary", [HandoffSummary("s1", "requested", "要求人工。", {"a": "b"}, (0.5,), "快点"), LONG])
def test_context_survives_and_stays_small(summary: HandoffSummary) -> None:
    headers = context.to_headers(summary)
    assert sum(len(k) + len(v) for k, v in headers.items()) < 1000
    back = context.from_headers({k.upper(): v for k, v in headers.items()})
    assert back is not None and back.session == "s1" and back.reason == summary.reason
    assert summary.summary.startswith(back.summary) and summary.summary[:20] == back.summary[:20]


def test_context_of_strangers() -> None:
    assert context.from_headers({}) is None
    assert context.from_headers({"User-to-User": "zz"}) is None
    assert context.from_headers({"User-to-User": "5b5d;encoding=hex"}) is None  # JSON, but a list
    assert context.from_headers({"X-Hotline-Session": "s9"}) == HandoffSummary("s9", "", "")


# --- keys ---


@pytest.mark.parametrize("lost", [(), (0,), (0, 1, 2), tuple(range(1, 8)), tuple(range(1, 9))])
def test_a_key_is_heard_once_whatever_is_lost(lost: tuple[int, ...]) -> None:
    receiver = KeyReceiver()
    packets = [p for n, p in enumerate(key_packets("7", 120)) if n not in lost]
    heard = [receiver.push(1000, payload) for payload, _ in packets]
    assert [h for h in heard if h] == ["7"]
    assert receiver.push(5000, packets[0][0]) == "7"  # pressed again
    assert receiver.push(1000, packets[0][0]) is None  # a straggler
    assert receiver.push(1, b"x") is None


def test_a_long_press_is_one_key() -> None:
    receiver = KeyReceiver()
    first = list(key_packets("5", 8000))[:-3]
    assert [k for k in (receiver.push(0, p) for p, _ in first) if k] == ["5"]
    end = int.from_bytes(first[-1][0][2:4], "big")
    assert receiver.push(end, first[0][0]) is None


@pytest.mark.parametrize(
    ("kind", "body", "digit"),
    [
        ("application/dtmf-relay", "Signal=5\r\nDuration=160\r\n", "5"),
        ("application/dtmf-relay; x=y", "Signal= *\n", "*"),
        ("application/dtmf-relay", "Signal=11\n", "#"),
        ("application/dtmf", "#", "#"),
        ("application/dtmf-relay", "nothing", ""),
        ("text/plain", "5", None),
    ],
)
def test_keys_in_info(kind: str, body: str, digit: str | None) -> None:
    assert digit_of(kind, body) == digit


# --- latching ---

SDP, NAT, EVIL = ("10.0.0.5", 4000), ("192.0.2.9", 6000), ("198.51.100.1", 4000)


def test_latching_believes_the_sdp_and_the_signalling_host_only() -> None:
    latch = Latch()
    assert not latch.admit(SDP, 0)
    latch.expect(SDP, "192.0.2.9")
    assert latch.target == SDP
    assert not latch.admit(EVIL, 0)
    assert latch.admit(NAT, 0.1) and latch.target == NAT
    assert not latch.admit(EVIL, 0.2)
    assert not latch.admit(("192.0.2.9", 6002), 0.3)  # another port of the host while the first one talks
    assert latch.admit(("192.0.2.9", 6002), 2.0)  # a NAT that forgot its mapping
    latch.expect(("10.0.0.5", 4444), "192.0.2.9")  # re-INVITE
    assert latch.target == ("10.0.0.5", 4444)


# --- playout ---


@pytest.mark.parametrize("samples", [80, 160, 240, 320, 480])
def test_packets_of_any_length_come_out_as_even_frames(samples: int) -> None:
    playout = Playout(200)
    wave_in = (np.sin(np.arange(4800) / 8) * 8000).astype("<i2")
    codec, out, sent = get_codec(8), [], 0
    for tick in range(30):
        while sent < 4800 and sent <= (tick + 3) * 160:
            chunk = wave_in[sent : sent + samples]
            playout.push(8, sent, codec.encode(chunk.tobytes()))
            sent += samples
        out.append(playout.tick())
    assert playout.concealed == 0
    heard = np.frombuffer(b"".join(f for f in out if f != SILENCE), "<i2")
    assert len(heard) >= 4000
    assert np.max(np.abs(heard[:3200].astype(int) - wave_in[:3200].astype(int))) < 600  # A-law's own error


def test_a_lost_packet_is_made_up_and_a_dead_line_is_silent() -> None:
    playout = Playout(200)
    loud = tone(0.02).astype("<i2").tobytes()
    payload = get_codec(0).encode(loud)
    for n in (0, 1, 2, 4):
        playout.push(0, n * 160, payload)
    frames = [playout.tick() for _ in range(40)]
    assert all(np.any(np.frombuffer(f, "<i2")) for f in frames[:5])
    assert frames[-1] == SILENCE and playout.concealed >= 1


# --- recording ---


async def test_a_recording_that_the_disk_cannot_follow_stays_aligned(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "deep" / "folder")
    recording = recorder.open("call-1")
    gate = asyncio.Event()
    accepted = recorder.submit
    recorder.submit = lambda job: gate.is_set() and accepted(job)  # type: ignore[method-assign]
    ones, twos = np.ones(160, np.int16), np.full(160, 2, np.int16)
    for _ in range(100):
        recording.add(ones, twos)  # 2 s that find no room
    gate.set()
    for _ in range(60):
        recording.add(ones, twos)
    await recording.close()
    await recorder.aclose()
    await recorder.aclose()
    with wave.open(str(recording.path)) as file:
        data = np.frombuffer(file.readframes(file.getnframes()), np.int16).reshape(-1, 2)
    assert len(data) == 160 * 160
    assert not data[:16000].any() and (data[16000:] == (1, 2)).all()


# --- ports and settings ---


async def test_ports_are_even_pairs_and_run_out_politely() -> None:
    low = free_port()
    ports = PortPairs("127.0.0.1", low, low + 2)
    assert await ports.allocate() == (low, low + 1)
    with pytest.raises(Overloaded):
        await ports.allocate()
    await ports.release(low)
    assert await ports.allocate() == (low, low + 1)


async def test_a_taken_port_names_the_setting() -> None:
    def unused(*_: object) -> None:
        raise AssertionError

    async def start(port: int) -> Endpoint:
        endpoint = Endpoint(host="127.0.0.1", port=port, tcp=True, on_invite=unused, allow=("INVITE",), user="x")
        await endpoint.start()
        return endpoint

    first = await start(0)
    with pytest.raises(Misconfigured, match=r"telephony\.host"):
        await start(first.local[1])
    await first.aclose()


@pytest.mark.parametrize(
    "wrong",
    [
        {"codecs": ()},
        {"rtp_ports": (9, 8)},
        {"allow_from": ("x",)},
        {"full_status": 404},
        {"prot": 1},
        {"host": "0.0.0.0"},
    ],
)
def test_wrong_settings_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError):
        TelephonySettings.model_validate(wrong)


# --- sockets and the clock ---


async def test_a_call_that_ends_while_its_sockets_are_bound_leaves_none() -> None:
    ports = PortPairs("127.0.0.1", 0, 0)
    media = Media(ports, jitter_max_ms=200, vanish_s=9, hold_vanish_s=9, on_key=print, on_vanished=print)
    opening = asyncio.create_task(media.open("127.0.0.1"))
    await asyncio.sleep(0)
    await media.aclose()
    with pytest.raises(Unavailable):
        await opening
    assert ports._taken == set()


async def test_a_loop_that_stalls_loses_no_audio() -> None:
    """A bot whose inference holds the interpreter up: what waited in the socket is played, not made up."""
    media = Media(
        PortPairs("127.0.0.1", 0, 0), jitter_max_ms=200, vanish_s=9, hold_vanish_s=9, on_key=print, on_vanished=print
    )
    port = await media.open("127.0.0.1")
    stop = threading.Event()
    sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sender.bind(("127.0.0.1", 0))

    def talk() -> None:  # another process's clock, as far as the loop is concerned
        start = time.monotonic()
        for n in range(1000):
            packet = RtpPacket(payload_type=8, sequence_number=n, timestamp=160 * n, ssrc=1, payload=b"\x2a" * 160)
            sender.sendto(packet.serialize(), ("127.0.0.1", port))
            if stop.wait(max(0.0, start + 0.02 * (n + 1) - time.monotonic())):
                return

    media.apply(MediaPlan(sender.getsockname(), 8, frozenset((8,)), None, held=False, sending=True), "127.0.0.1")
    thread = threading.Thread(target=talk)
    thread.start()
    media.start()
    try:
        frames = media.port.frames()
        for _ in range(20):
            await anext(frames)
        before = media._playout.concealed
        for _ in range(4):
            time.sleep(0.09)  # noqa: ASYNC251 - the stall itself
            for _ in range(10):
                await anext(frames)
        assert media._playout.concealed - before <= 4  # 16 without taking the socket's backlog in first
    finally:
        stop.set()
        thread.join()
        await media.aclose()
        sender.close()
