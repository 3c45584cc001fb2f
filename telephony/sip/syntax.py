"""Reading and building SIP messages: what is wrong with one, and the answer it deserves.

Parsing itself is aiosipua's; this adds the checks of RFC 3261 section 8.2 and RFC 4475 that it leaves out.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from aiosipua import SipMessage, SipRequest, SipResponse
from aiosipua.headers import Via, parse_uri, parse_via, stringify_via
from aiosipua.utils import format_addr, generate_tag

from telephony.sip.reasons import REASONS

Addr = tuple[str, int]

USER_AGENT = "Hotline"
KNOWN = frozenset(
    (
        *("INVITE", "ACK", "BYE", "CANCEL", "OPTIONS", "REGISTER", "PRACK"),
        *("SUBSCRIBE", "NOTIFY", "PUBLISH", "INFO", "REFER", "MESSAGE", "UPDATE"),
    )
)
SCHEMES = ("sip:", "sips:", "tel:")
_TOKEN = re.compile(r"[A-Za-z0-9.!%*_+`'~-]+")
_CSEQ = re.compile(r"(\d{1,10})[ \t]+([A-Za-z0-9.!%*_+`'~-]+)")
_SINGLE = ("from", "to", "call-id", "cseq", "max-forwards", "content-length", "content-type")


class BadSip(Exception):
    """A message that must not be acted on. `request` None = drop it; else answer it with `status`."""

    def __init__(self, reason: str, status: int = 400, request: SipRequest | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.status = status
        self.request = request


def parse(data: bytes, source: Addr) -> SipRequest | SipResponse:
    """One message as it came from `source`; requests get `received` and `rport` (RFC 3581). Raises BadSip."""
    line = data.split(b"\n", 1)[0].strip()
    try:
        message = SipMessage.parse(data)
    except (ValueError, IndexError):
        raise BadSip("unparsable") from None
    if isinstance(message, SipResponse):
        _check_response(message, line)
        return message
    _check_request(message, line, source, len(_body(data)))
    return message


def _body(data: bytes) -> bytes:
    for separator in (b"\r\n\r\n", b"\n\n"):
        head, found, body = data.partition(separator)
        if found:
            return body
    return b""


def _check_response(response: SipResponse, line: bytes) -> None:
    if not line.startswith(b"SIP/2.0 ") or not 100 <= response.status_code <= 699:
        raise BadSip("bad_status_line")
    if not all(response.headers.get(name) for name in ("via", "call-id", "cseq")):
        raise BadSip("missing_header")
    if not _CSEQ.fullmatch(response.headers.get_first("cseq") or ""):
        raise BadSip("bad_cseq")


def _check_request(request: SipRequest, line: bytes, source: Addr, body_bytes: int) -> None:
    version = line.rsplit(None, 1)[-1]
    if not version.upper().startswith(b"SIP/") or not _TOKEN.fullmatch(request.method):
        raise BadSip("not_sip")
    vias = request.headers.get("via")
    if not vias:
        raise BadSip("missing_via")
    _stamp(request, vias, source)
    if version.upper() != b"SIP/2.0":
        raise BadSip("version", 505, request)
    for name in ("from", "to", "call-id", "cseq"):
        if not request.headers.get_first(name):
            raise BadSip(f"missing_{name.replace('-', '_')}", 400, request)
    for name in _SINGLE:
        if len(request.headers.get(name)) > 1:
            raise BadSip("repeated_header", 400, request)
    cseq = _CSEQ.fullmatch(request.headers.get_first("cseq") or "")
    if cseq is None or int(cseq[1]) >= 2**31 or cseq[2] != request.method:
        raise BadSip("bad_cseq", 400, request)
    for name in ("from", "to"):
        if not _address_ok(request.headers.get_first(name) or ""):
            raise BadSip("bad_address", 400, request)
    declared = request.headers.get_first("content-length")
    if declared is not None and (not declared.isdigit() or int(declared) > body_bytes):
        raise BadSip("content_length", 400, request)
    hops = request.headers.get_first("max-forwards")
    if hops is not None and (not hops.isdigit() or int(hops) > 255):
        raise BadSip("max_forwards", 400, request)
    if not request.uri.lower().startswith(SCHEMES):
        raise BadSip("uri_scheme", 416, request)


def _address_ok(value: str) -> bool:
    uri = uri_of(value)
    return value.count("<") == value.count(">") <= 1 and ":" in uri and " " not in uri


def _stamp(request: SipRequest, vias: list[str], source: Addr) -> None:
    via = parse_via(vias[0])
    if not via.host or via.protocol.upper() != "SIP/2.0":
        raise BadSip("bad_via")
    wants_port = "rport" in via.params and not via.params["rport"]
    if via.host != source[0] or wants_port:
        via.params["received"] = source[0]
    if wants_port:
        via.params["rport"] = str(source[1])
    vias[0] = stringify_via(via)


def reply_address(request: SipRequest) -> Addr:
    """Where an unreliable answer goes (RFC 3261 18.2.2, RFC 3581). The request must have passed `parse`."""
    via = parse_via(request.headers.get("via")[0])
    port = via.rport if via.rport and via.rport.isdigit() else None
    return via.received or via.host, int(port) if port else via.port or 5060


def server_key(request: SipRequest) -> str:
    """What copies, the ACK of a failure and a CANCEL are matched to a request by (RFC 3261 17.2.3)."""
    via = parse_via(request.headers.get("via")[0])
    number, method = cseq_of(request)
    branch = via.branch or ""
    if not branch.startswith("z9hG4bK"):  # RFC 2543 peers
        branch = f"{branch}|{request.call_id}|{number}"
    return f"{branch}|{via.host}:{via.port}|{'INVITE' if method == 'ACK' else method}"


def client_key(message: SipRequest | SipResponse) -> str:
    """What a response is matched to our request by (RFC 3261 17.1.3)."""
    return f"{parse_via(message.headers.get('via')[0]).branch}|{cseq_of(message)[1]}"


def cseq_of(message: SipRequest | SipResponse) -> tuple[int, str]:
    """Number and method of CSeq."""
    number, method = (message.headers.get_first("cseq") or "0 -").split(None, 1)
    return int(number), method.strip()


def uri_of(value: str) -> str:
    """The URI of a From, To, Contact, Refer-To … value, verbatim."""
    if "<" in value and ">" in value:
        return value[value.index("<") + 1 : value.index(">")].strip()
    return value.split(";", 1)[0].strip()


def tag_of(value: str) -> str:
    """The tag of a From or To value, "" without."""
    after = value[value.index(">") + 1 :] if ">" in value else value
    for part in after.split(";")[1:]:
        name, _, tag = part.strip().partition("=")
        if name.strip().lower() == "tag":
            return tag.strip()
    return ""


def user_of(uri: str) -> str:
    """The user or number of a SIP or tel URI, "" without."""
    if uri.lower().startswith("tel:"):
        return uri[4:].split(";", 1)[0]
    parsed = parse_uri(uri)
    return (parsed.user or "").split(":", 1)[0]


def tokens(message: SipRequest | SipResponse, name: str) -> frozenset[str]:
    """The comma separated tokens of every header `name`, lower case."""
    return frozenset(t.strip().lower() for value in message.headers.get(name) for t in value.split(",") if t.strip())


def reply(
    request: SipRequest,
    status: int,
    *,
    tag: str = "",
    headers: Mapping[str, str] | None = None,
    body: str = "",
    content_type: str = "application/sdp",
) -> SipResponse:
    """A response to `request`; a To tag is added where it must have one."""
    response = SipResponse(status_code=status, reason_phrase=REASONS.get(status, "Error"))
    for via in request.headers.get("via"):
        response.headers.append("Via", via)
    for name in ("From", "To", "Call-ID", "CSeq"):
        if value := request.headers.get_first(name):
            response.headers.set_single(name, value)
    to = request.headers.get_first("to") or ""
    if status > 100 and to and not tag_of(to):
        response.headers.set_single("To", f"{to};tag={tag or generate_tag()}")
    for record_route in request.headers.get("record-route"):
        response.headers.append("Record-Route", record_route)
    response.headers.set_single("Server", USER_AGENT)
    for name, value in (headers or {}).items():
        response.headers.set_single(name, value)
    if body:
        response.text = body
        response.headers.set_single("Content-Type", content_type)
    return response


def request(
    method: str, uri: str, *, via: str, sender: str, to: str, call_id: str, cseq: int, headers: Mapping[str, str]
) -> SipRequest:
    """A request outside a dialog. `sender` and `to` are header values, the sender's with its tag."""
    made = SipRequest(method=method, uri=uri)
    made.headers.append("Via", via)
    made.headers.set_single("Max-Forwards", "70")
    made.headers.set_single("From", sender)
    made.headers.set_single("To", to)
    made.headers.set_single("Call-ID", call_id)
    made.headers.set_single("CSeq", f"{cseq} {method}")
    made.headers.set_single("User-Agent", USER_AGENT)
    for name, value in headers.items():
        made.headers.set_single(name, value)
    return made


def via(transport: str, local: Addr, branch: str) -> str:
    """Our Via value."""
    return stringify_via(
        Via(transport=transport, host=local[0], port=local[1], params={"branch": branch, "rport": None})
    )


def contact(user: str, local: Addr, transport: str) -> str:
    """Our Contact value."""
    suffix = ";transport=tcp" if transport == "TCP" else ""
    return f"<sip:{user}@{format_addr(*local)}{suffix}>"


def host_port(uri: str) -> tuple[str, int, str]:
    """Host, port (5060 by default) and transport (UDP by default) that a SIP URI names. ValueError for others."""
    parsed = parse_uri(uri)
    if not uri.lower().startswith("sip:") or not parsed.host or " " in uri:
        raise ValueError(f"not a sip: URI: {uri!r}")
    transport = (parsed.params.get("transport") or "udp").upper()
    if transport not in ("UDP", "TCP"):
        raise ValueError(f"transport {transport} is not supported: use udp or tcp")
    return parsed.host.strip("[]"), parsed.port or 5060, transport
