"""The context of a hand-over on its way through SIP: a hand-over summary in headers, and back.

User-to-User (RFC 7433, encoding=hex) carries a compact JSON object: s session, r reason, t summary, k slots, e emotion
trend, l last words. What does not fit into `MAX_BYTES` is shortened, last words first, then slots, then the summary:
a datagram that a network drops would lose the call. X-Hotline-Session carries the session id alone, for peers that
strip User-to-User: by it the whole history can be read over the API.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

from dialog.api import HandoffSummary

SESSION_HEADER = "X-Hotline-Session"
UUI_HEADER = "User-to-User"
MAX_BYTES = 420  # of JSON; twice that in hex, so that a REFER with the rest stays under 1,300 bytes (RFC 3261 18.1.1)


def to_headers(summary: HandoffSummary) -> dict[str, str]:
    """The headers that carry `summary`."""
    data = _compact(summary).encode().hex()
    return {UUI_HEADER: f"{data};encoding=hex", SESSION_HEADER: _token(summary.session)}


def from_headers(headers: Mapping[str, str]) -> HandoffSummary | None:
    """What `to_headers` put in, None when there is nothing readable. Header names in any case."""
    found = {name.lower(): value for name, value in headers.items()}
    session = found.get(SESSION_HEADER.lower(), "")
    try:
        data = json.loads(bytes.fromhex(_hex(found.get(UUI_HEADER.lower(), ""))).decode())
        return HandoffSummary(
            session=str(data.get("s") or session),
            reason=str(data.get("r", "")),
            summary=str(data.get("t", "")),
            slots={str(k): str(v) for k, v in dict(data.get("k", {})).items()},
            emotion_trend=tuple(float(v) for v in data.get("e", ())),
            last_said=str(data.get("l", "")),
        )
    except (ValueError, TypeError, AttributeError):
        return HandoffSummary(session=session, reason="", summary="") if session else None


def _compact(summary: HandoffSummary) -> str:
    data = {
        "s": summary.session,
        "r": summary.reason,
        "t": summary.summary,
        "k": dict(summary.slots),
        "e": [round(score, 2) for score in summary.emotion_trend[-8:]],
        "l": summary.last_said,
    }
    while len((text := _dump(data)).encode()) > MAX_BYTES:
        slots = data["k"]
        if data["l"]:
            data["l"] = str(data["l"])[:-8]
        elif isinstance(slots, dict) and len(slots) > 4:
            slots.popitem()
        elif data["t"]:
            data["t"] = str(data["t"])[:-8]
        elif slots:
            data["k"] = {}
        else:
            break
    return text


def _dump(data: Mapping[str, object]) -> str:
    filled = {key: value for key, value in data.items() if value}
    return json.dumps(filled, ensure_ascii=False, separators=(",", ":"))


def _hex(value: str) -> str:
    """The leading hex digits: what follows is the encoding parameter, which some softphones garble."""
    found = re.match(r"[0-9a-fA-F]*", value.strip())
    return found[0] if found else ""


def _token(value: str) -> str:
    return "".join(c for c in value if c.isascii() and (c.isalnum() or c in "-_.~@"))[:128]
