"""Builds the telephone edge."""

from __future__ import annotations

from telephony.service import Handler, SipTelephony
from telephony.settings import TelephonySettings


def build(settings: TelephonySettings, handler: Handler) -> SipTelephony:
    """Not started yet: call `start`. `handler` is given each answered call, in production `VoiceGateway.handle`."""
    return SipTelephony(settings, handler)
