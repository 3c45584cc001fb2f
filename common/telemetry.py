"""Logs and metrics.

Logs are structured (structlog), JSON or console, masked, and written by a background thread off the event loop.
Messages are static; values go in fields; every string field passes the masker. Metrics are prometheus_client objects at
module level, prefix `hotline_`; `metrics_text` renders them.
"""

from __future__ import annotations

import atexit
import logging
import logging.handlers
import queue
import sys
from collections.abc import MutableMapping
from contextvars import ContextVar
from typing import Any

import structlog
from prometheus_client import CONTENT_TYPE_LATEST, Counter, generate_latest

from common.privacy import mask

trace_id: ContextVar[str] = ContextVar("trace_id", default="")
METRICS_CONTENT_TYPE = CONTENT_TYPE_LATEST
_QUEUE_SIZE = 10_000
_dropped = Counter("hotline_log_dropped_total", "Log records dropped because the log queue was full")
_SAFE = frozenset({"event", "level", "timestamp", "logger", "trace_id", "code", "session", "exception"})
_listener: logging.handlers.QueueListener | None = None


def get_logger(name: str) -> structlog.stdlib.BoundLogger:
    """A structured logger. Call it at module level; it is configured by `configure`."""
    return structlog.stdlib.get_logger(name)


def configure(*, level: str = "INFO", json: bool = True) -> None:
    """Route all logs through a bounded queue to stderr, written by a thread. May be called again."""
    global _listener
    shutdown()
    shared: list[Any] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _add_trace,
        structlog.processors.format_exc_info,
        _mask_fields,
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    renderer: Any = (
        structlog.processors.JSONRenderer(ensure_ascii=False)
        if json
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    out = logging.StreamHandler(sys.stderr)
    out.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, _mask_event],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    records: queue.Queue[logging.LogRecord] = queue.Queue(_QUEUE_SIZE)
    _listener = logging.handlers.QueueListener(records, out)
    root = logging.getLogger()
    root.handlers = [_DroppingHandler(records)]
    root.setLevel(level)
    for noisy in ("httpx", "httpcore", "jieba", "numba", "aiosipua", "aiortp", "urllib3"):
        logging.getLogger(noisy).setLevel(max(logging.WARNING, logging.getLevelName(level)))
    _listener.start()
    atexit.register(shutdown)


def shutdown() -> None:
    """Write what is queued and stop the writer; may be called twice."""
    global _listener
    if _listener is not None:
        _listener.stop()
        _listener = None


def metrics_text() -> bytes:
    """All metrics of this process in the Prometheus text format."""
    return generate_latest()


class _DroppingHandler(logging.handlers.QueueHandler):
    """Never blocks the caller: a full queue drops the record and counts it."""

    def prepare(self, record: logging.LogRecord) -> logging.LogRecord:
        return record

    def enqueue(self, record: logging.LogRecord) -> None:
        try:
            self.queue.put_nowait(record)
        except queue.Full:
            _dropped.inc()


def _add_trace(_: Any, __: str, fields: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    if trace := trace_id.get():
        fields.setdefault("trace_id", trace)
    return fields


def _mask_fields(_: Any, __: str, fields: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    for name, value in fields.items():
        if isinstance(value, str) and name not in _SAFE or name == "exception":
            fields[name] = mask(value)
    return fields


def _mask_event(_: Any, __: str, fields: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Libraries put values into their messages."""
    fields["event"] = mask(str(fields["event"]))
    return fields
