"""Blind transfer (RFC 3515) as seen by the one who sends REFER: requests, sipfrag, and what became of it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import quote, unquote

from aiosipua import SipRequest

SIPFRAG = "message/sipfrag;version=2.0"
_UNRESERVED = "-_.!~*'()[]/?:+$"  # what a header value inside a SIP URI may keep unescaped


class Progress(StrEnum):
    """Where a transfer stands."""

    PENDING = "pending"
    ACCEPTED = "accepted"
    REFUSED = "refused"


def refer_to(target: str, headers: Mapping[str, str]) -> str:
    """A Refer-To value; `headers` are put into the URI so that the new INVITE carries them (RFC 3261 19.1.1)."""
    embedded = "&".join(f"{quote(n, safe=_UNRESERVED)}={quote(v, safe=_UNRESERVED)}" for n, v in headers.items())
    return f"<{target}?{embedded}>" if embedded else f"<{target}>"


def split_refer_to(uri: str) -> tuple[str, dict[str, str]]:
    """The bare target of a Refer-To URI and the headers that it wants in the INVITE (never ones that route)."""
    target, _, embedded = uri.partition("?")
    headers = {}
    for pair in filter(None, embedded.split("&")):
        name, _, value = pair.partition("=")
        name, value = unquote(name), unquote(value)
        if name.lower().startswith(("x-", "user-to-user", "call-info")) and not {"\r", "\n"} & set(name + value):
            headers[name] = value
    return target, headers


@dataclass(slots=True)
class Transfer:
    """Progress of one REFER, folded from its NOTIFYs. `notified`: the peer reports progress at all."""

    progress: Progress = Progress.PENDING
    notified: bool = False

    def answered(self, status: int) -> None:
        """The REFER itself got a final answer."""
        if status >= 300:
            self.progress = Progress.REFUSED

    def notify(self, request: SipRequest) -> None:
        """A NOTIFY of the implicit subscription came."""
        self.notified = True
        if self.progress is not Progress.PENDING:
            return
        status = sipfrag_status(request.text)
        over = (request.headers.get_first("subscription-state") or "").lower().startswith("terminated")
        if 200 <= status < 300:
            self.progress = Progress.ACCEPTED
        elif status >= 300 or over:
            self.progress = Progress.REFUSED

    def peer_left(self) -> None:
        """BYE while pending: a peer that reports no progress took the call over; one that does was given up."""
        if self.progress is Progress.PENDING:
            self.progress = Progress.REFUSED if self.notified else Progress.ACCEPTED


def sipfrag_status(text: str) -> int:
    """The status of a message/sipfrag body, 0 without."""
    parts = text.split(None, 2)
    return int(parts[1]) if len(parts) > 1 and parts[0].upper().startswith("SIP/") and parts[1].isdigit() else 0
