"""The process in which pyttsx3 drives espeak-ng: one request a line on stdin, one WAV file per request.

espeak-ng keeps one global state per process and pyttsx3's run loop blocks, so both live here, where a hang or crash
costs one restart. Protocol: a JSON line {"text", "voice", "rate", "path"} in; a JSON line {"error": null or text} out.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import sys
import wave
from typing import Any

_TRIES = 3


def _prefer_bundled_library() -> None:
    """Use the system's espeak-ng; without one, the library and data that the package espeakng-loader carries."""
    try:
        ctypes.CDLL("libespeak-ng.so.1")
    except OSError:
        import espeakng_loader  # type: ignore[import-untyped]

        os.environ["ESPEAK_DATA_PATH"] = espeakng_loader.get_data_path()
        ctypes.CDLL(espeakng_loader.get_library_path(), mode=ctypes.RTLD_GLOBAL)


def _speak(engine: Any, request: dict[str, Any]) -> None:
    """Write the WAV file. An end of the text before may come late and be taken for this one's, which leaves an empty
    file: hence the wait for espeak-ng to be done, and more tries. What is empty every time has no sound."""
    from pyttsx3.drivers import _espeak

    engine.setProperty("voice", request["voice"])
    engine.setProperty("rate", request["rate"])
    for _ in range(_TRIES):
        engine.save_to_file(request["text"], request["path"])
        engine.runAndWait()
        _espeak.Synchronize()
        with wave.open(request["path"]) as written:
            if written.getnframes():
                return


def main() -> None:
    """Serve until stdin ends."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # pyttsx3 prints; stdout carries answers only
    with contextlib.redirect_stdout(sys.stderr):
        _prefer_bundled_library()
        import pyttsx3

        engine = pyttsx3.init("espeak")
        print(json.dumps({"error": None}), file=answers, flush=True)
        for line in sys.stdin:
            error = None
            try:
                _speak(engine, json.loads(line))
            except Exception as problem:  # whatever it is, the other side has to know
                error = f"{type(problem).__name__}: {problem}"
            print(json.dumps({"error": error}), file=answers, flush=True)


if __name__ == "__main__":
    main()
