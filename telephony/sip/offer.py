"""Offer and answer (RFC 3264) for one G.711 audio stream with telephone-events (RFC 4733). No sockets."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from aiosipua.sdp import (
    Codec,
    ConnectionData,
    MediaDescription,
    Origin,
    SdpMessage,
    SdpNegotiationError,
    negotiate_sdp,
    parse_sdp,
)

from telephony.sip.syntax import Addr

PAYLOAD_TYPES = {"PCMU": 0, "PCMA": 8}
OUR_DTMF_TYPE = 101
PTIME_MS = 20


class NotAcceptable(Exception):
    """The other side's body offers nothing that we can do. `status` and `headers` are the answer's."""

    def __init__(self, why: str, status: int = 488) -> None:
        super().__init__(why)
        self.status = status
        self.headers = {"Accept": "application/sdp"} if status == 415 else {}


@dataclass(frozen=True, slots=True)
class MediaPlan:
    """What was agreed, seen from us.

    payload_type: what we send; accepted: what may come; dtmf_type: of telephone-events, None = not agreed.
    held: the far end put us on hold. sending: whether the far end wants our audio.
    """

    remote: Addr
    payload_type: int
    accepted: frozenset[int]
    dtmf_type: int | None
    held: bool
    sending: bool


def read_sdp(text: str) -> SdpMessage:
    """Parse; NotAcceptable when it is no SDP."""
    try:
        sdp = parse_sdp(text)
    except (ValueError, IndexError):
        raise NotAcceptable("unreadable SDP") from None
    if sdp.audio is None:
        raise NotAcceptable("no audio in SDP")
    return sdp


class Negotiation:
    """Our side of one call's offers and answers: keeps the o= line's identity and counts its version."""

    def __init__(self, local: Addr, codecs: Sequence[str]) -> None:
        self._local = local
        self._codecs = tuple(codecs)
        self._id = str(time.time_ns() // 1000)
        self._version = 0
        self.holding = False  # we put the far end on hold

    def offer(self) -> SdpMessage:
        """A fresh offer of everything we can do."""
        types = [PAYLOAD_TYPES[name] for name in self._codecs]
        rtpmap = [f"{PAYLOAD_TYPES[name]} {name}/8000" for name in self._codecs]
        audio = MediaDescription(
            media="audio",
            port=self._local[1],
            formats=[str(t) for t in (*types, OUR_DTMF_TYPE)],
            attributes={
                "rtpmap": [*rtpmap, f"{OUR_DTMF_TYPE} telephone-event/8000"],
                "fmtp": [f"{OUR_DTMF_TYPE} 0-15"],
                "ptime": [str(PTIME_MS)],
                "sendonly" if self.holding else "sendrecv": [],
            },
        )
        family = "IP6" if ":" in self._local[0] else "IP4"
        sdp = SdpMessage(
            session_name="-", connection=ConnectionData(addr_type=family, address=self._local[0]), media=[audio]
        )
        return self._identified(sdp)

    def answer(self, offer: SdpMessage) -> tuple[SdpMessage, MediaPlan]:
        """Our answer and what it agrees to. Raises NotAcceptable."""
        audio = _usable(offer)
        dtmf = _dtmf_type(audio)
        types = [PAYLOAD_TYPES[name] for name in self._codecs if _has(audio, PAYLOAD_TYPES[name])]
        try:
            answer, chosen = negotiate_sdp(
                offer, self._local[0], self._local[1], supported_codecs=types[:1], dtmf_payload_type=dtmf or 0,
                ptime=PTIME_MS, session_id=self._id,
            )  # fmt: skip
        except (SdpNegotiationError, ValueError) as error:
            raise NotAcceptable(str(error)) from None
        if answer.audio is not None:
            answer.audio.attributes["ptime"] = [str(PTIME_MS)]
            if self.holding:
                _set_direction(answer.audio, "inactive" if audio.direction in ("sendonly", "inactive") else "sendonly")
        return self._identified(answer), self._plan(offer, audio, chosen, frozenset((chosen,)), dtmf)

    def accept(self, answer: SdpMessage) -> MediaPlan:
        """What the answer to our offer agrees to. Raises NotAcceptable."""
        audio = _usable(answer)
        accepted = [t for t in (int(f) for f in audio.formats if f.isdigit()) if t in self._types]
        if not accepted:
            raise NotAcceptable("the answer has no codec of our offer")
        return self._plan(answer, audio, accepted[0], frozenset(accepted), _dtmf_type(audio))

    @property
    def _types(self) -> frozenset[int]:
        return frozenset(PAYLOAD_TYPES[name] for name in self._codecs)

    def _identified(self, sdp: SdpMessage) -> SdpMessage:
        self._version += 1
        family = "IP6" if ":" in self._local[0] else "IP4"
        sdp.origin = Origin("hotline", self._id, str(self._version), "IN", family, self._local[0])
        return sdp

    def _plan(
        self, sdp: SdpMessage, audio: MediaDescription, chosen: int, accepted: frozenset[int], dtmf: int | None
    ) -> MediaPlan:
        address = sdp.rtp_address
        if address is None:
            raise NotAcceptable("no connection address in SDP")
        nowhere = address[0] in ("0.0.0.0", "::")  # RFC 2543 hold
        return MediaPlan(
            remote=address,
            payload_type=chosen,
            accepted=accepted,
            dtmf_type=dtmf,
            held=not self.holding and (nowhere or audio.direction in ("sendonly", "inactive")),
            sending=not nowhere and audio.direction in ("sendrecv", "recvonly"),
        )


def _usable(sdp: SdpMessage) -> MediaDescription:
    audio = sdp.audio
    if audio is None or not 0 < audio.port < 65536:
        raise NotAcceptable("no audio stream")
    if audio.proto.upper() not in ("RTP/AVP", "RTP/AVPF"):
        raise NotAcceptable(f"media protocol {audio.proto} is not supported")
    return audio


def _set_direction(audio: MediaDescription, direction: str) -> None:
    for name in ("sendrecv", "sendonly", "recvonly", "inactive"):
        audio.attributes.pop(name, None)
    audio.attributes[direction] = []


def _has(audio: MediaDescription, payload_type: int) -> bool:
    return any(_is_static(codec, payload_type) for codec in audio.codecs)


def _is_static(codec: Codec, payload_type: int) -> bool:
    name = next(name for name, number in PAYLOAD_TYPES.items() if number == payload_type)
    return codec.payload_type == payload_type and codec.encoding_name.upper() == name


def _dtmf_type(audio: MediaDescription) -> int | None:
    for codec in audio.codecs:
        if codec.encoding_name.lower() == "telephone-event" and codec.clock_rate in (0, 8000):
            return codec.payload_type
    return None
