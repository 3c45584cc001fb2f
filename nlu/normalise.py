"""The text everything else in understanding works on.

Full-width letters and digits become half-width, white space between Han characters (some recognisers write it) goes
away, spoken numbers become Arabic digits. Offsets are simple: entities and tokens point into the result of `normalise`,
nothing points back into the raw text.
"""

from __future__ import annotations

import re

from nlu.numbers import normalise_numbers

_WIDTH = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)} | {0x3000: 0x20}
_KEEP = {ord(mark): ord(mark) for mark in "，。！？；：（）～"}  # Chinese punctuation stays Chinese
_INVISIBLE = re.compile(r"[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f\u00ad\u200b-\u200f\u2060\ufeff]")
_HAN = "\u3400-\u9fff\uf900-\ufaff，。！？；：、"
_GAP = re.compile(rf"(?<=[{_HAN}])\s+(?=\S)|(?<=\S)\s+(?=[{_HAN}])")
_SPACE = re.compile(r"\s+")


def normalise(text: str) -> str:
    """`text` in the form that engines read."""
    text = _INVISIBLE.sub("", text).translate(_WIDTH | _KEEP)
    text = _GAP.sub("", _SPACE.sub(" ", text)).strip()
    return normalise_numbers(text)
