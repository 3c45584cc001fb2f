"""Shared pieces: the tiny model and a graph for it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.asr.tiny import general, tiny_model
from voice_gateway.asr.graph.build import rebuild
from voice_gateway.asr.settings import AsrSettings


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of the bundled engine's contract."""
    return tiny_model(tmp_path_factory.mktemp("model") / "model.onnx")


@pytest.fixture
def graphs(tmp_path: Path) -> Path:
    """Graphs of a language of very few words."""
    folder = tmp_path / "graphs"
    rebuild(["你好", "是的", "你是我的"], folder=folder, general=general([("你好",), ("是", "的"), ("我", "的")]))
    return folder


@pytest.fixture
def settings(model: Path, graphs: Path) -> AsrSettings:
    """Settings of an engine over the tiny model."""
    return AsrSettings(model=model, graphs=graphs, threads=2, max_streams=4)
