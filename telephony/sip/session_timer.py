"""Session timers (RFC 4028): what to ask for, what to grant, and when to act. Pure; the leg owns the clock."""

from __future__ import annotations

from dataclasses import dataclass

from aiosipua import SipRequest, SipResponse
from aiosipua.session_timer import parse_session_expires, watchdog_delay

from telephony.sip.syntax import tokens


@dataclass(frozen=True, slots=True)
class SessionTiming:
    """What we ask for and the least that we grant, seconds. expires_s 0 = we ask for none."""

    expires_s: int = 1800
    minimum_s: int = 90


class IntervalTooSmall(Exception):
    """The peer asked for less than our minimum: 422 with Min-SE."""


@dataclass(frozen=True, slots=True)
class SessionTimer:
    """What was agreed. refresher: whether we send the refreshes. interval 0 = no timer."""

    interval: int = 0
    refresher: bool = False

    @property
    def delay(self) -> float:
        """Seconds until we refresh, or until we give the session up."""
        return self.interval / 2 if self.refresher else watchdog_delay(self.interval)

    def headers(self, minimum: int) -> dict[str, str]:
        """Headers of a refresh of ours."""
        if not self.interval:
            return {}
        refresher = "uac" if self.refresher else "uas"
        return {"Session-Expires": f"{self.interval};refresher={refresher}", "Min-SE": str(minimum)}


def wish(interval: int, minimum: int) -> dict[str, str]:
    """Headers of a request that asks for a timer."""
    if not interval:
        return {"Supported": "timer"}
    return {"Supported": "timer", "Session-Expires": str(max(interval, minimum)), "Min-SE": str(minimum)}


def grant(request: SipRequest, timing: SessionTiming) -> tuple[SessionTimer, dict[str, str]]:
    """Our side of an INVITE or UPDATE that we accept: the timer and the headers of the 2xx. Raises IntervalTooSmall."""
    interval, minimum = timing.expires_s, timing.minimum_s
    asked, refresher = parse_session_expires(request.headers.get_first("session-expires") or "")
    supported = "timer" in tokens(request, "supported") | tokens(request, "require")
    if 0 < asked < minimum and supported:
        raise IntervalTooSmall
    if not asked and not interval:
        return SessionTimer(), {}
    seconds = max(asked or interval, minimum)
    theirs = supported and refresher != "uas"
    headers = {"Session-Expires": f"{seconds};refresher={'uac' if theirs else 'uas'}"}
    if theirs:
        headers["Require"] = "timer"
    return SessionTimer(seconds, refresher=not theirs), headers


def granted(response: SipResponse) -> SessionTimer:
    """What a 2xx to our request agreed to; we were its UAC."""
    seconds, refresher = parse_session_expires(response.headers.get_first("session-expires") or "")
    return SessionTimer(seconds, refresher=refresher != "uas") if seconds > 0 else SessionTimer()


def minimum_of(response: SipResponse) -> int:
    """Min-SE of a 422, 0 without."""
    return parse_session_expires(response.headers.get_first("min-se") or "")[0]
