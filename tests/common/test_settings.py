"""Settings: the environment wins over the file, and every mistake is named."""

from pathlib import Path

import pytest
from pydantic import Field

from common.errors import Misconfigured
from common.settings import RootSettings, Section, load


class Nlu(Section):
    threshold: float = Field(0.5, ge=0, le=1)
    model: str = ""


class Root(RootSettings):
    nlu: Nlu = Nlu()


def write(folder: Path, text: str) -> Path:
    path = folder / "hotline.toml"
    path.write_text(text)
    return path


def test_the_environment_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path, '[nlu]\nthreshold = 0.3\nmodel = "a"\n')
    monkeypatch.setenv("HOTLINE_NLU__THRESHOLD", "0.7")
    assert load(Root, path).nlu == Nlu(threshold=0.7, model="a")


def test_the_file_is_found_by_variable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOTLINE_CONFIG", str(write(tmp_path, "[nlu]\nthreshold = 0.3\n")))
    assert load(Root).nlu.threshold == 0.3


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[nlu]\ntreshold = 0.3\n", "nlu.treshold: no such setting; did you mean threshold?"),
        ("[nlu]\nthreshold = 3\n", "nlu.threshold"),
        ("[nul]\nthreshold = 0.3\n", "did you mean nlu?"),
        ("[nlu\n", "not valid TOML"),
    ],
)
def test_mistakes_in_the_file_are_named(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(Misconfigured, match=says.replace("?", r"\?")):
        load(Root, write(tmp_path, text))


@pytest.mark.parametrize("name", ["HOTLINE_NUL__THRESHOLD", "HOTLINE_NLU__TRESHOLD"])
def test_mistakes_in_the_environment_are_named(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, "1")
    with pytest.raises(Misconfigured, match="did you mean"):
        load(Root)


def test_a_missing_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="does not exist"):
        load(Root, tmp_path / "none.toml")
