"""Bringing in a human: the transfer itself, bounded and never raising."""

from __future__ import annotations

from common.aio import within
from common.errors import HotlineError
from common.telemetry import get_logger
from dialog.api import Handoff, HandoffSummary
from voice_gateway.api import Call, TransferOutcome

log = get_logger(__name__)


async def transfer(call: Call, handoff: Handoff, seconds: float) -> TransferOutcome:
    """Try it for `seconds`; what goes wrong is an outcome."""
    try:
        return await within(_transfer(call, handoff), seconds, "the transfer")
    except HotlineError as error:
        log.warning("transfer_failed", session=call.info.id, code=error.code)
        return TransferOutcome.TIMEOUT
    except Exception as error:
        log.error("transfer_raised", session=call.info.id, exc_info=error)
        return TransferOutcome.REFUSED


async def _transfer(call: Call, handoff: Handoff) -> TransferOutcome:
    return await call.transfer(handoff.target, handoff.summary)


def give_up_summary(session: str) -> HandoffSummary:
    """What a human is told when the bot's own parts failed."""
    return HandoffSummary(session, "repeated_failure", "系统多次出错，未能继续自动服务，请人工接听。")
