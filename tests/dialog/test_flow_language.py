"""Flow files: what is refused, and how it is said."""

from __future__ import annotations

from pathlib import Path

import pytest

from common.errors import Misconfigured
from dialog.actions import OUTCOMES
from dialog.factory import load_books
from dialog.flows import book
from dialog.settings import DialogSettings

PROMPTS = {"ask_it", "done"}
SLOTS = "order_number: {title: 订单号, type: digits, length: 12}\n"


def load(folder: Path, text: str) -> book.FlowBook:
    (folder / book.SLOTS_FILE).write_text(SLOTS)
    (folder / "x.yaml").write_text(text)
    return book.load(folder, prompts=PROMPTS, actions=OUTCOMES)


def flow(*steps: str) -> str:
    return "flow: x\nsteps:\n" + "".join(f"  - {step}\n" for step in steps)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (flow("{id: a, say: ask_itt}"), "step a: no prompt is called ask_itt; did you mean ask_it?"),
        (flow("{id: a, say: done, next: b}"), "step a: no step is called b"),
        (flow("{id: a, call: ordr}"), "step a: no action is called ordr; did you mean order?"),
        (flow("{id: a, call: order, on: {okay: end}}"), "step a: no outcome of order is called okay; did you mean ok?"),
        (flow("{id: a, collect: phone, ask: ask_it}"), "step a: no slot is called phone"),
        (flow("{id: a, collect: order_number}"), "step a: ask: Field required"),
        (flow("{id: a, say: done, call: order}"), "step a: needs exactly one of"),
        (flow("{id: a, ask: done}"), "step a: needs exactly one of"),
        (flow("{id: a, say: done, nxt: end}"), "step a: nxt: Extra inputs are not permitted"),
        (flow("{id: a, say: done}", "{id: a, say: done}"), "step a: this id is used twice"),
        (flow("{id: a, say: done, next: end}", "{id: b, say: done}"), "step b: nothing leads here"),
        (flow("{id: a, run: y}"), "step a: no flow is called y"),
        (flow("{id: a, run: x}"), "runs itself by way of x -> x"),
        ("flow: x\n", "a flow file is a mapping with `flow` and a list of `steps`"),
        ("flow: x\nsteps: []\n", "it has no steps"),
        ("flow: x\ntitel: y\nsteps: [{say: done}]\n", "titel: Extra inputs are not permitted"),
        ("flow: [\n", "not valid YAML"),
    ],
)
def test_a_faulty_flow_is_refused_by_file_flow_and_step(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(Misconfigured) as caught:
        load(tmp_path, text)
    assert says in caught.value.message and "x.yaml" in caught.value.message


def test_one_intent_starts_one_flow(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("flow: a\nintents: [i]\nsteps: [{say: done}]\n")
    with pytest.raises(Misconfigured, match="intent i starts a already"):
        load(tmp_path, "flow: x\nintents: [i]\nsteps: [{say: done}]\n")


def test_words_of_the_language_are_not_booleans(tmp_path: Path) -> None:
    made = load(tmp_path, flow("{id: a, question: ask_it, yes: b, no: end}", "{id: b, call: order, on: {ok: end}}"))
    assert made.flow("x").steps[0].model_dump()["yes"] == "b"


def test_a_missing_folder_or_prompt_is_named(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="slots.yaml: cannot be read"):
        book.load(tmp_path, prompts=PROMPTS, actions=OUTCOMES)
    own = tmp_path / "own.yaml"
    own.write_text("greeting: [您好]\n")
    with pytest.raises(Misconfigured, match="prompts are missing: .*goodbye"):
        load_books(DialogSettings(replies=own))


def test_the_shipped_flows_cover_what_is_promised() -> None:
    flows = load_books(DialogSettings()).flows
    assert {
        *("order_status", "refund_status", "return_refund", "exchange", "complaint", "address_change", "invoice"),
        *("password_reset", "human_agent", "opening_hours", "small_talk", "closing"),
    } <= set(flows.flows)
    assert flows.by_keyword("我想查一下退款进度") == "refund_status" and flows.by_keyword("呱呱") == ""
