"""The order in which native recogniser libraries must be loaded.

libvosk (0.3.45) and kaldifst (1.8.3) both carry OpenFst, whose registries are unique symbols of the process. Loaded
after kaldifst, libvosk's static initialisers lock kaldifst's mutex and hang for ever inside dlopen; the other way round
both work. So whoever loads kaldifst or kaldi_decoder calls `vosk_first` before.
"""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec


@cache
def vosk_first() -> bool:
    """Load libvosk if it is installed; whether it is."""
    if find_spec("vosk") is None:
        return False
    import vosk  # noqa: F401

    return True
