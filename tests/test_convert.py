"""Every dataclass that crosses the wire survives the way there and back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import dialog.api
import emotion.api
import kb.api
import nlu.api
import text_gateway.api
from dialog import convert as dialog_convert
from emotion import convert as emotion_convert
from kb import convert as kb_convert
from nlu import convert as nlu_convert
from text_gateway import convert as text_convert

PLAIN: dict[type, st.SearchStrategy[Any]] = {
    float: st.floats(allow_nan=False, allow_infinity=False),
    int: st.integers(-(2**31), 2**31 - 1),
}

CASES: list[tuple[Any, Callable[[Any], Any], Callable[[Any], Any]]] = [
    (nlu.api.NluResult, nlu_convert.result_to_pb, nlu_convert.result_from_pb),
    (emotion.api.HearRequest, emotion_convert.hear_to_pb, emotion_convert.hear_from_pb),
    (emotion.api.HearResult, emotion_convert.heard_to_pb, emotion_convert.heard_from_pb),
    (emotion.api.AssessRequest, emotion_convert.assess_to_pb, emotion_convert.assess_from_pb),
    (emotion.api.EmotionReading, emotion_convert.reading_to_pb, emotion_convert.reading_from_pb),
    (kb.api.Entry, kb_convert.entry_to_pb, kb_convert.entry_from_pb),
    (kb.api.Answer, kb_convert.answer_to_pb, kb_convert.answer_from_pb),
    (dialog.api.UserTurn, dialog_convert.turn_to_pb, dialog_convert.turn_from_pb),
    (dialog.api.ReplyEvent, dialog_convert.event_to_pb, dialog_convert.event_from_pb),
    (dialog.api.HistoryItem, dialog_convert.item_to_pb, dialog_convert.item_from_pb),
    (text_gateway.api.Outgoing, text_convert.outgoing_to_pb, text_convert.outgoing_from_pb),
]


for plain, strategy in PLAIN.items():  # here, not in a fixture: it imports, and pytest's rewriting of an import beside
    st.register_type_strategy(plain, strategy)  # the threads of other tests trips over CPython 3.11's one AST state


@pytest.mark.parametrize(("kind", "there", "back"), CASES, ids=lambda x: getattr(x, "__name__", str(x)[:20]))
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_round_trip(kind: Any, there: Callable[[Any], Any], back: Callable[[Any], Any], data: st.DataObject) -> None:
    value = data.draw(st.from_type(kind))
    wire = there(value).SerializeToString()
    assert back(type(there(value)).FromString(wire)) == value


def test_requests_with_a_default_language() -> None:
    request = nlu.api.NluRequest("你好", "phone", "", "2026-11-23")
    assert nlu_convert.request_from_pb(nlu_convert.request_to_pb(request)).language == "zh"
    start = dialog.api.SessionStart("s", dialog.api.Channel.PHONE, "138", "400", "en", "回访")
    assert dialog_convert.start_from_pb(dialog_convert.start_to_pb(start)) == start
