"""What a human agent needs at a glance: a few Chinese sentences made from what happened. Pure."""

from __future__ import annotations

from dialog.api import HandoffSummary
from dialog.state import State
from dialog.talk import Talk

_REASON = {
    "requested": "客户要求转人工",
    "emotion": "客户情绪激动",
    "repeated_failure": "机器人连续几次没能帮上忙",
    "flow": "这项业务需要人工处理",
}
_OUTCOME = {"done": "已办", "left": "客户中途放弃", "failed": "没有办成", "dropped": "没有办完"}
_MOOD = ((0.6, "很不满"), (0.4, "有些不满"), (0.0, "平静"))
_WORTH = ("order_number", "phone", "address", "return_kind", "reason", "complaint", "invoice_title", "email")


def summarise(talk: Talk, reason: str) -> HandoffSummary:
    """The summary of the conversation so far. Slots that the agent must act on keep their real values."""
    state = talk.state
    sentences = [_who(talk), _topics(talk), _order(state), _ticket(state), _feelings(state)]
    sentences.append(f"转人工原因：{_REASON.get(reason, reason)}。")
    return HandoffSummary(
        session=state.session,
        reason=reason,
        summary="".join(sentences),
        slots={slot: value for slot in _WORTH if (value := talk.value(slot))},
        emotion_trend=tuple(round(reading.score, 3) for reading in state.emotions),
        last_said=state.last_text,
    )


def _who(talk: Talk) -> str:
    return f"外呼客户，事由：{talk.state.purpose}。" if talk.state.purpose else ""


def _topics(talk: Talk) -> str:
    flows = talk.books.flows.flows
    told = []
    for topic, outcome in talk.state.topics:
        if topic.startswith("问："):
            told.append(f"{topic}（已答）")
        elif topic in flows and not flows[topic].quiet:
            told.append(f"{flows[topic].title}（{_OUTCOME.get(outcome, outcome)}）")
    told = list(dict.fromkeys(told))
    return f"客户本次办理：{'；'.join(told[-5:])}。" if told else "客户还没有说明具体问题。"


def _order(state: State) -> str:
    facts = state.facts
    if "order.id" not in facts:
        number = state.slots.get("order_number")
        return f"提到订单{number}。" if number else ""
    refund = f"，退款{facts['order.refund.status']}" if "order.refund.status" in facts else ""
    return f"涉及订单{facts['order.id']}（{facts.get('order.product', '')}，{facts.get('order.status', '')}{refund}）。"


def _ticket(state: State) -> str:
    number = state.facts.get("ticket.number")
    return f"已受理，编号{number}。" if number else ""


def _feelings(state: State) -> str:
    if not state.emotions:
        return ""
    first, last = state.emotions[0].score, state.emotions[-1].score
    before, now = _mood(first), _mood(last)
    changed = f"由{before}变为{now}" if before != now else now
    return f"客户情绪{changed}（{first:.2f}→{last:.2f}）。"


def _mood(score: float) -> str:
    return next(name for least, name in _MOOD if score >= least)
