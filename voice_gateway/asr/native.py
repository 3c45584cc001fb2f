"""Native libraries that cannot live in one process.

libvosk (0.3.45) and kaldifst (1.8.3) both carry OpenFst, whose registries are unique symbols of the process: loaded
after kaldifst, libvosk hangs in dlopen; loaded before it, memory is corrupted sooner or later. So a process has either
the bundled engine or vosk. To use one as the other's fallback, run vosk as a speech service of its own
(`hotline serve speech` with asr.engine = "vosk") and give its address.
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

from voice_gateway.asr.api import AsrModelError

_RIVALS = {"vosk": ("kaldifst", "kaldi_decoder"), "kaldifst": ("vosk",), "kaldi_decoder": ("vosk",)}


def load(name: str) -> Any:
    """Import vosk, kaldifst or kaldi_decoder. AsrModelError when a rival of it is loaded already."""
    rival = next((other for other in _RIVALS[name] if other in sys.modules), None)
    if rival is not None:
        raise AsrModelError(
            f"{name} and {rival} cannot be loaded in one process: run the vosk engine as a speech service of its own "
            "(`hotline serve speech`)"
        )
    import importlib

    module: ModuleType = importlib.import_module(name)
    return module
