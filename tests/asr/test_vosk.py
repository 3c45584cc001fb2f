"""Runs vosk_alone.py in a process of its own: libvosk and kaldifst cannot share one (voice_gateway/asr/native.py)."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest

from voice_gateway.asr.api import AsrModelError
from voice_gateway.asr.native import load

ALONE = Path(__file__).with_name("vosk_alone.py")


@pytest.mark.timeout(300)
async def test_the_vosk_engine() -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "pytest",
        "-q",
        str(ALONE),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    out, _ = await process.communicate()
    assert process.returncode == 0, out.decode()
    assert b"passed" in out, out.decode()


def test_rivals_are_kept_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "kaldifst", sys)
    with pytest.raises(AsrModelError, match="process of its own|service of its own"):
        load("vosk")
