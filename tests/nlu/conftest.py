from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest

from nlu.factory import build
from nlu.service import LocalNlu
from nlu.settings import NluSettings

NOW = datetime(2026, 11, 23, 10, 0)  # a Monday


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("nlu")


@pytest.fixture(scope="session")
def shipped(cache: Path) -> Iterator[LocalNlu]:
    """The service as it ships, trained once for all tests."""
    yield build(NluSettings(products=("空气净化器", "电饭煲")), cache=cache, clock=lambda: NOW)
