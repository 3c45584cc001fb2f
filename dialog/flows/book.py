"""All flows and slots of a folder, loaded and checked as a whole."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from pydantic import TypeAdapter, ValidationError

from common.errors import Misconfigured
from dialog.flows import language as lang

FOLDER = Path(__file__).parent
SLOTS_FILE = "slots.yaml"
_SLOTS: TypeAdapter[dict[str, lang.SlotSpec]] = TypeAdapter(dict[str, lang.SlotSpec])


_Safe = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the C parser where PyYAML was built with it


class _Loader(_Safe):  # type: ignore[misc, valid-type]
    """YAML 1.2's booleans: only true and false. `on`, `yes` and `no` are words of the flow language."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in found if tag != "tag:yaml.org,2002:bool"]
    for first, found in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile(r"^(?:true|false)$"), list("tf"))


@dataclass(frozen=True)
class FlowBook:
    """Flows by name, slots by name, and which flow an intent starts."""

    flows: Mapping[str, lang.Flow]
    slots: Mapping[str, lang.SlotSpec]
    by_intent: Mapping[str, str]

    def flow(self, name: str) -> lang.Flow:
        """The flow of that name."""
        return self.flows[name]

    def by_keyword(self, text: str) -> str:
        """The flow whose longest keyword is in `text`, "" for none: understanding's poor stand-in while it is down."""
        found = [(len(w), name) for name, flow in self.flows.items() for w in flow.keywords if w in text]
        return max(found)[1] if found else ""


def load(folder: Path, *, prompts: Collection[str], actions: Mapping[str, Collection[str]]) -> FlowBook:
    """Read every flow of `folder`. `actions`: the outcomes of each action. Misconfigured names file, flow and step."""
    slots = _slots(folder / SLOTS_FILE)
    flows: dict[str, lang.Flow] = {}
    files: dict[str, str] = {}
    for path in sorted(folder.glob("*.yaml")):
        if path.name == SLOTS_FILE:
            continue
        flow = _flow(path)
        if flow.flow in flows:
            raise Misconfigured(f"{path.name}: flow {flow.flow} is defined in {files[flow.flow]} already")
        flows[flow.flow], files[flow.flow] = flow, path.name
    by_intent: dict[str, str] = {}
    for name, flow in flows.items():
        for step in flow.steps:
            _check(f"{files[name]}: flow {name}: step {step.id}", flow, step, flows, slots, prompts, actions)
        _check_names(f"{files[name]}: flow {name}: forget", flow.forget, slots, "slot")
        _check_reach(f"{files[name]}: flow {name}", flow)
        for intent in flow.intents:
            if intent in by_intent:
                raise Misconfigured(f"{files[name]}: flow {name}: intent {intent} starts {by_intent[intent]} already")
            by_intent[intent] = name
    _check_runs(flows, files)
    return FlowBook(flows, slots, by_intent)


def read_yaml(path: Path) -> Any:
    """The content of a YAML file; Misconfigured with the place of the fault."""
    try:
        return yaml.load(path.read_text(encoding="utf-8"), _Loader)  # a SafeLoader
    except OSError as error:
        raise Misconfigured(f"{path}: cannot be read: {error.strerror}") from None
    except yaml.YAMLError as error:
        raise Misconfigured(f"{path.name}: not valid YAML: {error}") from None


def _slots(path: Path) -> dict[str, lang.SlotSpec]:
    try:
        return _SLOTS.validate_python(read_yaml(path))
    except ValidationError as error:
        raise Misconfigured(f"{path.name}: {_first(error)}") from None


def _flow(path: Path) -> lang.Flow:
    raw = read_yaml(path)
    if not isinstance(raw, dict) or not isinstance(raw.get("steps"), list):
        raise Misconfigured(f"{path.name}: a flow file is a mapping with `flow` and a list of `steps`")
    where = f"{path.name}: flow {raw.get('flow', '?')}"
    steps = tuple(_step(f"{where}: step", number, item) for number, item in enumerate(raw["steps"], 1))
    ids = [step.id for step in steps]
    for step_id in ids:
        if ids.count(step_id) > 1:
            raise Misconfigured(f"{where}: step {step_id}: this id is used twice")
    try:
        flow = lang.Flow.model_validate({**raw, "steps": ()})
    except ValidationError as error:
        raise Misconfigured(f"{where}: {_first(error)}") from None
    if not steps:
        raise Misconfigured(f"{where}: it has no steps")
    return flow.model_copy(update={"steps": steps})


def _step(where: str, number: int, item: Any) -> lang.Step:
    if not isinstance(item, dict):
        raise Misconfigured(f"{where} {number}: a step is a mapping")
    name = str(item.get("id") or f"step{number}")
    kinds = [kind for kind in lang.STEP_KINDS if kind in item]
    if len(kinds) != 1:
        wanted = ", ".join(lang.STEP_KINDS)
        raise Misconfigured(f"{where} {name}: needs exactly one of {wanted}; has {', '.join(kinds) or 'none'}")
    try:
        return lang.STEP_KINDS[kinds[0]].model_validate({**item, "id": name})
    except ValidationError as error:
        raise Misconfigured(f"{where} {name}: {_first(error)}") from None


def _first(error: ValidationError) -> str:
    problem = error.errors()[0]
    place = ".".join(str(part) for part in problem["loc"])
    return f"{place}: {problem['msg']}" if place else str(problem["msg"])


def _check(
    where: str,
    flow: lang.Flow,
    step: lang.Step,
    flows: Mapping[str, lang.Flow],
    slots: Mapping[str, lang.SlotSpec],
    prompts: Collection[str],
    actions: Mapping[str, Collection[str]],
) -> None:
    _check_names(where, lang.targets(step), {*(s.id for s in flow.steps), lang.END}, "step")
    _check_names(where, lang.prompts(step), prompts, "prompt")
    match step:
        case lang.Collect(collect=slot) | lang.Confirm(confirm=slot):
            _check_names(where, [slot], slots, "slot")
        case lang.Set(set=values):
            _check_names(where, values, slots, "slot")
        case lang.Run(run=name):
            _check_names(where, [name], flows, "flow")
        case lang.Call(call=action, on=outcomes):
            _check_names(where, [action], actions, "action")
            _check_names(where, outcomes, actions[action], f"outcome of {action}")
            _check_names(where, (source for source in step.with_.values() if "." not in source), slots, "slot")


def _check_names(where: str, names: Any, known: Collection[str], what: str) -> None:
    for name in names:
        if name not in known:
            close = difflib.get_close_matches(name, sorted(known), n=1)
            hint = f"; did you mean {close[0]}?" if close else ""
            raise Misconfigured(f"{where}: no {what} is called {name}{hint}")


def _check_reach(where: str, flow: lang.Flow) -> None:
    """A step that nothing leads to is a mistake in the file."""
    seen: set[str] = set()
    todo = [flow.steps[0].id]
    while todo:
        name = todo.pop()
        if name in seen or name == lang.END:
            continue
        seen.add(name)
        step = flow.step(name)
        todo += lang.targets(step)
        if not isinstance(step, lang.LAST):
            todo.append(flow.after(step))
    for step in flow.steps:
        if step.id not in seen:
            raise Misconfigured(f"{where}: step {step.id}: nothing leads here")


def _check_runs(flows: Mapping[str, lang.Flow], files: Mapping[str, str]) -> None:
    """Flows must not run one another in a circle."""
    runs = {name: {s.run for s in flow.steps if isinstance(s, lang.Run)} for name, flow in flows.items()}

    def inside(name: str, path: tuple[str, ...]) -> None:
        if name in path:
            raise Misconfigured(f"{files[name]}: flow {name}: runs itself by way of {' -> '.join((*path, name))}")
        for inner in runs[name]:
            inside(inner, (*path, name))

    for name in flows:
        inside(name, ())
