"""Any Vosk model folder as an engine: partials, word times, and a word list at run time where the model allows it.

Vosk (libvosk, Kaldi inside) decodes on our pool's threads. Chinese words come separated by spaces; the spaces go. A
hint turns into a run-time word list only for models with a dynamic graph (HCLr.fst and Gr.fst).
"""

from __future__ import annotations

import json
import re
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from common.aio import InferencePool
from voice_gateway.asr.api import (
    FREE,
    AsrModelError,
    AsrStream,
    Capabilities,
    DecodingHint,
    Expect,
    Samples,
    Timed,
    Transcript,
)
from voice_gateway.asr.engines.languages import language_of
from voice_gateway.asr.engines.threaded import StreamSet, ThreadedStream
from voice_gateway.asr.native import load

NAME = "vosk"
RATES = (8000, 16000)
UNKNOWN = "[unk]"
DIGITS = tuple("零一二三四五六七八九十百千万点幺两")
YES_NO = (
    "是",
    "是的",
    "对",
    "对的",
    "好",
    "好的",
    "可以",
    "行",
    "嗯",
    "没错",
    "不是",
    "不对",
    "不",
    "不要",
    "不用",
    "没有",
    "不行",
    "人工",
)
_NEEDED = ("am/final.mdl", "conf/mfcc.conf")
_GRAPHS = (("graph/HCLG.fst",), ("graph/HCLr.fst", "graph/Gr.fst"))


class VoskEngine:
    """`AsrEngine` over vosk.Model. Raises AsrModelError when the folder is no usable model."""

    def __init__(self, folder: Path, pool: InferencePool, *, language: str = "zh", max_streams: int = 32) -> None:
        try:
            vosk = load("vosk")
        except ImportError:
            raise AsrModelError("the vosk engine needs the vosk package: pip install vosk") from None
        folder = find_model(folder)
        check_folder(folder, language)
        vosk.SetLogLevel(-1)
        self._vosk = vosk
        try:
            self._model: Any = vosk.Model(str(folder))
        except Exception:  # vosk raises a bare Exception
            raise AsrModelError(
                f"{folder}: Vosk cannot load this model, a file is damaged or truncated: "
                "fetch it again (`hotline models pull NAME`)"
            ) from None
        self.name = f"{NAME}:{folder.name if folder.name != 'model' else folder.parent.name}"
        self.rate = sample_rate(folder)
        self._language = language
        self._dynamic = (folder / "graph/HCLr.fst").exists()
        self._pool, self._streams = pool, StreamSet(max_streams)

    @property
    def capabilities(self) -> Capabilities:
        """What it can do."""
        chinese = self._language == "zh"
        hints = frozenset(Expect) if self._dynamic and chinese else frozenset({Expect.FREE})
        return Capabilities(
            name=self.name,
            languages=(self._language,),
            sample_rates=RATES,
            native_rate=self.rate,
            partials=True,
            word_times=True,
            char_times=False,
            confidence=True,
            hints=hints,
            hotwords=self._dynamic,
            max_streams=self._streams.limit,
        )

    async def stream(self, hint: DecodingHint = FREE, *, sample_rate: int = 8000) -> AsrStream:
        """See `AsrEngine.stream`."""
        self._streams.check(self.name)
        if sample_rate not in RATES:
            raise AsrModelError(f"{self.name}: {sample_rate} Hz is not supported; give 8000 or 16000 Hz")
        words = self._words(hint)
        return self._streams.add(
            ThreadedStream(
                lambda: self._recogniser(words),
                self._pool,
                engine=self.name,
                rate=sample_rate,
                native_rate=self.rate,
                owner=self._streams,
            )
        )

    def _words(self, hint: DecodingHint) -> tuple[str, ...]:
        """The word list for a hint; empty for the model's own language model."""
        if not self._dynamic:
            return ()
        chinese = self._language == "zh"
        fixed = {Expect.DIGITS: DIGITS, Expect.YES_NO: YES_NO}.get(hint.expect, ()) if chinese else ()
        if hint.expect is Expect.FREE or not (fixed or hint.phrases):
            return ()
        return (*fixed, *hint.phrases)

    def _recogniser(self, words: Sequence[str]) -> VoskRecogniser:
        arguments: list[Any] = [self._model, float(self.rate)]
        if words:
            phrases = [
                word for word in words if all(self._model.vosk_model_find_word(part) >= 0 for part in word.split())
            ]
            if phrases:
                arguments.append(json.dumps([*phrases, UNKNOWN], ensure_ascii=False))
        recogniser = self._vosk.KaldiRecognizer(*arguments)
        recogniser.SetWords(True)
        return VoskRecogniser(recogniser, spaces=self._language != "zh")

    async def aclose(self) -> None:
        """See `AsrEngine.aclose`."""
        await self._streams.aclose()


class VoskRecogniser:
    """One utterance, blocking. Vosk ends utterances by itself; the parts are put together again."""

    def __init__(self, recogniser: Any, *, spaces: bool) -> None:
        self._recogniser: Any = recogniser
        self._glue = " " if spaces else ""
        self._done: list[str] = []
        self._words: list[Timed] = []
        self._text = ""

    def accept(self, audio: Samples) -> str | None:
        """See `Recogniser.accept`."""
        if self._recogniser.AcceptWaveform(audio.tobytes()):
            self._take(self._recogniser.Result())
            part = ""
        else:
            part = self._clean(json.loads(self._recogniser.PartialResult()).get("partial", ""))
        text = self._glue.join([*self._done, part] if part else self._done)
        changed, self._text = text != self._text, text
        return text if changed else None

    def finish(self) -> Transcript:
        """See `Recogniser.finish`."""
        self._take(self._recogniser.FinalResult())
        sure = [word.confidence for word in self._words]
        return Transcript(
            self._glue.join(self._done),
            final=True,
            confidence=sum(sure) / len(sure) if sure else 0.0,
            chars=tuple(self._words),
        )

    def close(self) -> None:
        """See `Recogniser.close`."""
        self._recogniser = None

    def _clean(self, text: str) -> str:
        return self._glue.join(word for word in text.split() if word != UNKNOWN)

    def _take(self, answer: str) -> None:
        result = json.loads(answer)
        text = self._clean(result.get("text", ""))
        if text:
            self._done.append(text)
        self._words += [
            Timed(word["word"], word["start"], word["end"], min(1.0, word["conf"]))
            for word in result.get("result", ())
            if word["word"] != UNKNOWN
        ]


def find_model(folder: Path) -> Path:
    """The folder itself, or its one subfolder that holds the model (as archives and packages have it)."""
    if not folder.is_dir():
        raise AsrModelError(f"{folder} does not exist: give the folder of a Vosk model, or `hotline models pull NAME`")
    for candidate in (folder, folder / "model", *sorted(path for path in folder.iterdir() if path.is_dir())):
        if (candidate / "am").is_dir() or (candidate / "final.mdl").exists():
            return candidate
    raise AsrModelError(f"{folder} is no Vosk model (no am/final.mdl in it): give the folder of an unpacked Vosk model")


def sample_rate(folder: Path) -> int:
    """What the model was trained on; Kaldi's default is 16 kHz."""
    found = re.search(r"--sample-frequency=(\d+)", (folder / "conf/mfcc.conf").read_text())
    return int(found[1]) if found else 16000


def check_folder(folder: Path, language: str) -> None:
    """Look at the files before Vosk does: libvosk reads some broken files without a word. Raises AsrModelError."""
    for name in _NEEDED:
        if not (folder / name).exists() or not (folder / name).stat().st_size:
            raise AsrModelError(f"{folder}: {name} is missing or empty, the model is incomplete: fetch it again")
    graph = next((names for names in _GRAPHS if (folder / names[0]).exists()), None)
    if graph is None:
        raise AsrModelError(
            f"{folder}: neither graph/HCLG.fst nor graph/HCLr.fst is there, the model is incomplete: fetch it again"
        )
    for name in graph:
        _check_fst(folder / name)
    found = language_of(folder / "graph/words.txt") or language_of(folder / graph[-1])
    if found is not None and found != language:
        raise AsrModelError(
            f"{folder} is a model for {found}, but {language} is wanted: choose another model, or set "
            f"the language of the recogniser to {found}"
        )


def _check_fst(path: Path) -> None:
    """Whether the file is as long as its OpenFst header says."""
    kind = b"const" + struct.pack("<i", 8) + b"standard"
    with path.open("rb") as file:
        head = file.read(512)
    at = head.find(kind)  # a look-ahead graph wraps a const one, whose header comes second
    if at < 0:
        if len(head) < 64:
            raise AsrModelError(f"{path} is truncated: fetch the model again")
        return
    *_, states, arcs = struct.unpack_from("<iiQqqq", head.ljust(512, b"\0"), at + len(kind))
    if path.stat().st_size < max(states, 0) * 20 + max(arcs, 0) * 16:
        raise AsrModelError(f"{path} is truncated: fetch the model again")
