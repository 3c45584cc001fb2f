"""Keys carried by INFO: application/dtmf-relay and application/dtmf. Pure."""

from __future__ import annotations

DIGITS = frozenset("0123456789*#ABCD")
_NUMBERED = {"10": "*", "11": "#", "12": "A", "13": "B", "14": "C", "15": "D"}


def digit_of(content_type: str, body: str) -> str | None:
    """The key; "" for a body without a known one; None for a content type that is not DTMF."""
    kind = content_type.split(";")[0].strip().lower()
    if kind == "application/dtmf":
        value = body
    elif kind == "application/dtmf-relay":
        lines = (line.partition("=") for line in body.splitlines())
        value = next((value for name, _, value in lines if name.strip().lower() == "signal"), "")
    else:
        return None
    value = value.strip().upper()
    value = _NUMBERED.get(value, value)
    return value if value in DIGITS else ""
