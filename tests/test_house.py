"""The floors of the house: a package imports only what stands below it, and the contracts' stubs are current."""

import ast
from pathlib import Path

import pytest

from common.rpc.generate import generate

ROOT = Path(__file__).resolve().parents[1]
BELOW: dict[str, set[str]] = {
    "common": set(),
    "nlu": {"common"},
    "emotion": {"common"},
    "kb": {"common"},
    "dialog": {"common", "nlu", "emotion", "kb"},
    "voice_gateway": {"common", "nlu", "emotion", "kb", "dialog"},
    "telephony": {"common", "nlu", "emotion", "kb", "dialog", "voice_gateway"},
    "text_gateway": {"common", "nlu", "emotion", "kb", "dialog"},
}
HOUSE = {*BELOW, "hotline"}


def imports(path: Path) -> set[str]:
    """First names of every module that this file imports, inside functions too."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {name.name.split(".")[0] for name in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            found.add(node.module.split(".")[0])
    return found


@pytest.mark.parametrize("package", BELOW)
def test_arrows_run_down(package: str) -> None:
    for path in (ROOT / package).rglob("*.py"):
        upward = (imports(path) & HOUSE) - BELOW[package] - {package}
        assert not upward, f"{path.relative_to(ROOT)} imports {', '.join(sorted(upward))}, which stands above {package}"


def test_an_upward_arrow_would_be_seen(tmp_path: Path) -> None:
    path = tmp_path / "x.py"
    path.write_text("def f():\n    from dialog.api import Channel\n")
    assert imports(path) == {"dialog"}


def test_services_know_no_wire_format() -> None:
    allowed = {"convert.py", "server.py", "client.py"}
    for package in HOUSE - {"common"}:
        for path in (ROOT / package).rglob("*.py"):
            if "common.pb" in path.read_text():
                suffix = path.name.split("_")[-1]
                assert suffix in allowed, f"{path.relative_to(ROOT)} uses pb objects; only {allowed} may"


def test_stubs_are_current() -> None:
    folder = ROOT / "common" / "pb"
    for name, text in generate(ROOT / "proto").items():
        assert (folder / name).read_text() == text, f"common/pb/{name} is stale; run: make proto"
