"""Malformed and unwelcome SIP: the right answer, or none, and a counter; a call that runs notices nothing."""

from __future__ import annotations

import asyncio
import contextlib

import pytest
from prometheus_client import REGISTRY

from telephony.agent import UserAgent
from telephony.sip.syntax import BadSip, parse
from telephony.sip.transport import MAX_HEADER_BYTES, Framer
from tests.telephony.lines import Handler, hotline, port_of

SDP = (
    "v=0\r\no=a 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 40000 RTP/AVP 8\r\n"
)  # fmt: skip
LINES = {
    "Via": "SIP/2.0/UDP 127.0.0.1:{port};branch=z9hG4bK{branch};rport",
    "From": "<sip:a@127.0.0.1>;tag=a1",
    "To": "<sip:hotline@127.0.0.1>",
    "Call-ID": "c{branch}",
    "CSeq": "1 INVITE",
    "Contact": "<sip:a@127.0.0.1:{port}>",
    "Max-Forwards": "70",
    "Content-Type": "application/sdp",
}


def message(
    first: str = "INVITE sip:hotline@127.0.0.1 SIP/2.0", *, body: str = SDP, length: str = "", **changes: str | None
) -> str:
    """A good INVITE with something wrong. Header names as keywords with _ for -; None leaves one out."""
    lines: dict[str, str | None] = dict(LINES)
    for name, value in changes.items():
        lines[next((k for k in lines if k.lower() == name.lower().replace("_", "-")), name.replace("_", "-"))] = value
    head = "".join(f"{k}: {v}\r\n" for k, v in lines.items() if v is not None)
    return f"{first}\r\n{head}Content-Length: {length or len(body)}\r\n\r\n{body}"


ANSWERED = {
    "no From": (message(From=None), 400),
    "no To": (message(To=None), 400),
    "no Call-ID": (message(Call_ID=None), 400),
    "no CSeq": (message(CSeq=None), 400),
    "CSeq of another method": (message(CSeq="1 BYE"), 400),
    "CSeq too large": (message(CSeq="99999999999 INVITE"), 400),
    "CSeq no number": (message(CSeq="one INVITE"), 400),
    "unclosed From": (message(From="<sip:a@127.0.0.1;tag=1"), 400),
    "body shorter than declared": (message(length="9999"), 400),
    "Content-Length no number": (message(length="-1"), 400),
    "Max-Forwards no number": (message(Max_Forwards="lots"), 400),
    "SIP/7.0": (message("INVITE sip:hotline@127.0.0.1 SIP/7.0"), 505),
    "scheme nobody knows": (message("INVITE nobodyKnowsThis:x SIP/2.0"), 416),
    "method nobody knows": (message("NEWMETHOD sip:x@y SIP/2.0", CSeq="1 NEWMETHOD"), 501),
    "method we do not do": (message("SUBSCRIBE sip:x@y SIP/2.0", CSeq="1 SUBSCRIBE"), 405),
    "extension we do not have": (message(Require="100rel, nothingSupportsThis"), 420),
    "no SDP but text": (message(Content_Type="text/plain"), 415),
    "SDP that is none": (message(body="m=audio x y z\r\n"), 488),
    "video only": (message(body=SDP.replace("m=audio 40000 RTP/AVP 8", "m=video 40000 RTP/AVP 96")), 488),
    "encrypted only": (message(body=SDP.replace("RTP/AVP", "RTP/SAVP")), 488),
    "no codec of ours": (message(body=SDP.replace("AVP 8", "AVP 18")), 488),
    "audio port 0": (message(body=SDP.replace("40000", "0")), 488),
    "re-INVITE to nothing": (message(To="<sip:hotline@127.0.0.1>;tag=gone"), 481),
    "BYE to nothing": (message("BYE sip:x@y SIP/2.0", CSeq="2 BYE", body=""), 481),
    "CANCEL to nothing": (message("CANCEL sip:x@y SIP/2.0", CSeq="1 CANCEL", body=""), 481),
    "OPTIONS": (message("OPTIONS sip:x@y SIP/2.0", CSeq="1 OPTIONS", body="", Content_Type=None), 200),
}
DROPPED = {
    "noise": "\x00\x01\x02 hello",
    "HTTP": "GET / HTTP/1.1\r\nHost: x\r\nVia: 1.1 proxy\r\n\r\n",
    "no Via": message(Via=None),
    "Via without host": message(Via="SIP/2.0/UDP ;branch=z9hG4bK1"),
    "a response to nothing": "SIP/2.0 200 OK\r\n" + message().split("\r\n", 1)[1],
    "a response with status 42": "SIP/2.0 42 What\r\n" + message().split("\r\n", 1)[1],
    "ACK to nothing": message("ACK sip:x@y SIP/2.0", CSeq="1 ACK", body=""),
    "keep-alive": "\r\n\r\n",
    "300 headers": message(Subject="x\r\n" + "".join(f"X-{n}: y\r\n" for n in range(300)).removesuffix("\r\n")),
}


class Wire(asyncio.DatagramProtocol):
    """A raw UDP peer that keeps what comes."""

    def __init__(self) -> None:
        self.came: asyncio.Queue[str] = asyncio.Queue()

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self.came.put_nowait(data.decode())


def bad_count() -> float:
    """All bad messages counted so far."""
    return sum(
        sample.value
        for metric in REGISTRY.collect()
        if metric.name == "hotline_sip_bad_messages"
        for sample in metric.samples
        if sample.name.endswith("_total")
    )


async def test_bad_sip_gets_its_answer_or_none_while_a_call_runs() -> None:
    handler = Handler()
    async with hotline(handler) as edge, UserAgent() as caller:
        call = await caller.dial(edge.uri)
        loop = asyncio.get_running_loop()
        socket, wire = await loop.create_datagram_endpoint(
            Wire, remote_addr=("127.0.0.1", port_of(edge.uri)), local_addr=("127.0.0.1", 0)
        )
        port = socket.get_extra_info("sockname")[1]
        for n, (name, (text, status)) in enumerate(ANSWERED.items()):
            before = bad_count()
            socket.sendto(text.replace("{port}", str(port)).replace("{branch}", f"a{n}").encode())
            async with asyncio.timeout(2):
                while (answer := await wire.came.get()).startswith("SIP/2.0 1") or f"z9hG4bKa{n};" not in answer:
                    pass
            assert answer.startswith(f"SIP/2.0 {status} "), (name, answer)
            assert bad_count() - before >= (status != 200), name
            if "To: <" in text and status != 200:
                assert ";tag=" in answer.split("To: ")[1].split("\r\n")[0], name
        for n, (name, text) in enumerate(DROPPED.items()):
            while not wire.came.empty():
                wire.came.get_nowait()
            before = bad_count()
            socket.sendto(text.replace("{port}", str(port)).replace("{branch}", f"drop{n}x").encode())
            after = message("OPTIONS sip:x@y SIP/2.0", CSeq="1 OPTIONS", body="", Content_Type=None)
            socket.sendto(after.replace("{port}", str(port)).replace("{branch}", f"after{n}x").encode())
            async with asyncio.timeout(2):
                while f"after{n}x" not in (answer := await wire.came.get()):
                    assert f"drop{n}x" not in answer, name
            assert bad_count() - before == (name not in ("keep-alive", "ACK to nothing")), name
        socket.close()
        assert len(edge._station.calls) == 1 and not call.closed
        await call.hang_up()


async def test_what_comes_twice_is_answered_alike_and_done_once() -> None:
    handler = Handler()
    async with hotline(handler) as edge:
        loop = asyncio.get_running_loop()
        socket, wire = await loop.create_datagram_endpoint(
            Wire, remote_addr=("127.0.0.1", port_of(edge.uri)), local_addr=("127.0.0.1", 0)
        )
        port = str(socket.get_extra_info("sockname")[1])

        async def ask(text: str, branch: str) -> str:
            socket.sendto(text.replace("{port}", port).replace("{branch}", branch).encode())
            async with asyncio.timeout(2):
                while (answer := await wire.came.get()).startswith("SIP/2.0 1") or f"K{branch};" not in answer:
                    pass
            return answer

        first = await ask(message(Call_ID="one"), "i1")
        assert await ask(message(Call_ID="one"), "i1") == first  # a copy
        assert (await ask(message(Call_ID="one"), "i2")).startswith("SIP/2.0 482 ")  # the same over another way
        assert len(edge._station.calls) == 1
        to = first.split("To: ")[1].split("\r\n")[0]
        ack = message("ACK sip:x@y SIP/2.0", CSeq="1 ACK", To=to, Call_ID="one", body="", Content_Type=None)
        socket.sendto(ack.replace("{port}", port).replace("{branch}", "k1").encode())
        await handler.until(lambda: bool(handler.calls))
        bye = message("BYE sip:x@y SIP/2.0", CSeq="2 BYE", To=to, Call_ID="one", body="", Content_Type=None)
        assert (await ask(bye, "b1")).startswith("SIP/2.0 200 ")
        assert (await ask(bye, "b1")).startswith("SIP/2.0 200 ")
        assert (await ask(bye, "b2")).startswith("SIP/2.0 481 ")
        socket.close()
        await handler.until(lambda: bool(handler.ended))


async def test_tcp_stream_that_cannot_be_framed_is_closed_and_the_next_one_works() -> None:
    async with hotline(Handler()) as edge:
        for junk in (b"X" * (MAX_HEADER_BYTES + 10), b"INVITE sip:x SIP/2.0\r\nContent-Length: 99999999\r\n\r\n"):
            reader, writer = await asyncio.open_connection("127.0.0.1", port_of(edge.uri))
            writer.write(junk)
            async with asyncio.timeout(2):
                with contextlib.suppress(ConnectionResetError):
                    assert await reader.read() == b""
            writer.close()
        async with UserAgent() as caller:
            call = await caller.dial(edge.uri + ";transport=tcp")
            await call.hang_up()


async def test_only_allowed_networks_are_heard() -> None:
    async with hotline(Handler(), allow_from=("10.0.0.0/8",)) as edge, UserAgent() as caller:
        with pytest.raises(Exception, match="408|nobody answered"):
            await caller.dial(edge.uri, ring_timeout_s=0.4)


def test_framer_puts_pieces_together() -> None:
    framer = Framer()
    text = message(body="hello").encode()
    whole = b"\r\n\r\n" + text + text
    came = [m for start in range(0, len(whole), 7) for m in framer.feed(whole[start : start + 7])]
    assert came == [text, text]


def test_received_and_rport_are_filled_in() -> None:
    request = parse(message().replace("127.0.0.1:{port}", "10.1.1.1:5062").encode(), ("192.0.2.7", 4000))
    assert request.headers.get("via")[0].endswith("rport=4000;received=192.0.2.7")


@pytest.mark.parametrize("cut", range(0, 400, 13))
def test_a_cut_message_never_escapes_as_another_error(cut: int) -> None:
    with contextlib.suppress(BadSip):
        parse(message().encode()[:cut], ("127.0.0.1", 5060))
