"""Text files as people have them: UTF-8, or what a Chinese Excel saves."""

from __future__ import annotations

from pathlib import Path

from common.errors import BadInput


def read_text(path: Path) -> str:
    """The text of a UTF-8 (with or without mark) or GB 18030 file; BadInput names the line that is neither."""
    data = path.read_bytes()
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            return data.decode(encoding)
        except UnicodeDecodeError as error:
            line = data.count(b"\n", 0, error.start) + 1
    raise BadInput(f"{path} line {line}: neither UTF-8 nor GB 18030 text; save the file as UTF-8")
