"""Logs: masked, structured, off the caller's thread, never blocking."""

import json
import logging

import pytest

from common.telemetry import configure, get_logger, metrics_text, shutdown


def test_fields_and_exceptions_are_masked(capsys: pytest.CaptureFixture[str]) -> None:
    configure(json=True)
    log = get_logger("test")
    try:
        raise ValueError("bad phone 13800138000")
    except ValueError:
        log.exception("turn_failed", text="我的手机是13800138000", session="c-1")
    logging.getLogger("library").warning("from %s", "13912345678")
    shutdown()
    out = capsys.readouterr().err
    first, second = (json.loads(line) for line in out.splitlines())
    assert first["event"] == "turn_failed" and first["session"] == "c-1" and "ValueError" in first["exception"]
    assert "0013800" not in out and "12345678" not in out
    assert second["logger"] == "library"


def test_metrics_render() -> None:
    assert b"hotline_log_dropped_total" in metrics_text()
