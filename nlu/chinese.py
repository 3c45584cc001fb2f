"""The one place that imports jionlp: its place names and its time expressions.

jionlp takes about a second to import, writes a banner to standard output and loads its dictionaries at first use; so it
is imported here, quietly, when a text first looks like an address or a date.
"""

from __future__ import annotations

import contextlib
import io
import logging
import threading
import warnings
from datetime import datetime
from functools import cache
from typing import Any

_lock = threading.Lock()


@cache
def _jionlp() -> Any:
    with _lock, contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import jionlp

    logging.getLogger("jionlp").setLevel(logging.ERROR)
    return jionlp


def warm_up() -> None:
    """Import jionlp and load its dictionaries."""
    times("昨天下午三点", datetime(2026, 1, 1))
    location("浙江省杭州市西湖区文三路一号")


def times(text: str, now: datetime) -> list[dict[str, Any]]:
    """Time expressions of `text` as jionlp gives them: text, offset, type, detail."""
    jionlp = _jionlp()
    try:
        with _lock:  # its extractor keeps the text it works on in itself
            found: list[dict[str, Any]] = jionlp.ner.extract_time(text, time_base=now.timestamp())
    except (ValueError, TypeError, KeyError, IndexError, AttributeError):  # what it raises for odd phrases
        return []
    return found


def location(text: str) -> dict[str, str | None]:
    """province, city, county, detail, full_location of an address; the first three are None when no place is named."""
    jionlp = _jionlp()
    with _lock:
        found: dict[str, str | None] = jionlp.parse_location(text)
    return found
