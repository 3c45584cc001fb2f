"""Wordings from YAML, cut into chunks and filled with values. Pure once loaded.

A chunk is a clause: a wording is cut at sentence ends and at every |. A chunk without run-time variables is `fixed`:
its audio can be kept ready. Names from the settings (company, hours) are filled in at loading and stay fixed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Protocol

from pydantic import TypeAdapter, ValidationError

from common.errors import Misconfigured
from common.privacy import mask
from dialog import digits
from dialog.flows.book import read_yaml

FILE = Path(__file__).with_name("zh.yaml")
FORMS = ("digits", "money", "day")
_CUT = re.compile(r"\||(?<=[。！？!?])(?=.)")
_VARIABLE = re.compile(r"\{([a-z_.]+)(?::([a-z]+))?\}")
_BRACE = re.compile(r"[{}]")
_ADAPTER: TypeAdapter[dict[str, tuple[str, ...] | dict[str, tuple[str, ...]]]] = TypeAdapter(
    dict[str, tuple[str, ...] | dict[str, tuple[str, ...]]]
)


@dataclass(frozen=True, slots=True)
class Line:
    """One chunk to say. `logged` is the same with personal values masked."""

    text: str
    logged: str
    fixed: bool


@dataclass(frozen=True, slots=True)
class Values:
    """What variables stand for. `personal` names those whose value is masked in what is kept. `today` dates 明天."""

    known: Mapping[str, str]
    personal: frozenset[str]
    today: date


class WordingChooser(Protocol):
    """Chooses one of `count` wordings of a prompt; a learned policy may take this place."""

    def choose(self, prompt: str, count: int, used: int) -> int:
        """An index below `count`; `used`: how often the prompt was said in this conversation."""
        ...


class Rotate:
    """Wordings take turns."""

    def choose(self, prompt: str, count: int, used: int) -> int:
        """The next one."""
        return used % count


@dataclass(frozen=True, slots=True)
class _Wording:
    chunks: tuple[str, ...]


class ReplyBook:
    """All prompts of one language."""

    def __init__(self, voice: Mapping[str, tuple[_Wording, ...]], text: Mapping[str, tuple[_Wording, ...]]) -> None:
        self._voice = voice
        self._text = text

    @property
    def prompts(self) -> frozenset[str]:
        """Every prompt's name."""
        return frozenset(self._voice)

    def count(self, prompt: str, *, voice: bool) -> int:
        """How many wordings a prompt has."""
        return len((self._voice if voice else self._text)[prompt])

    def render(self, prompt: str, index: int, values: Values, *, voice: bool) -> tuple[Line, ...]:
        """The chunks of one wording. A variable without a value is an error of the flow (KeyError)."""
        wording = (self._voice if voice else self._text)[prompt][index]
        return tuple(_line(chunk, values, voice) for chunk in wording.chunks)

    def fixed(self) -> tuple[str, ...]:
        """Every fixed chunk that may be spoken, in the order of the file."""
        chunks = (c for wordings in self._voice.values() for w in wordings for c in w.chunks if not _VARIABLE.search(c))
        return tuple(dict.fromkeys(chunks))


def load(path: Path, constants: Mapping[str, str]) -> ReplyBook:
    """Read and check a file of prompts. Misconfigured names file and prompt."""
    try:
        raw = _ADAPTER.validate_python(read_yaml(path))
    except ValidationError as error:
        problem = error.errors()[0]
        raise Misconfigured(
            f"{path.name}: prompt {problem['loc'][0] if problem['loc'] else '?'}: a prompt is a list of "
            "wordings, or `voice:` and `text:` with a list each"
        ) from None
    voice: dict[str, tuple[_Wording, ...]] = {}
    text: dict[str, tuple[_Wording, ...]] = {}
    for prompt, given in raw.items():
        if isinstance(given, dict):
            if set(given) != {"voice", "text"}:
                raise Misconfigured(f"{path.name}: prompt {prompt}: needs both `voice:` and `text:`, nothing else")
            spoken, written = given["voice"], given["text"]
        else:
            spoken = written = given
        where = f"{path.name}: prompt {prompt}"
        voice[prompt] = tuple(_wording(where, one, constants) for one in spoken)
        text[prompt] = tuple(_wording(where, one, constants) for one in written)
        if not voice[prompt] or not text[prompt]:
            raise Misconfigured(f"{where}: has no wording")
    return ReplyBook(voice, text)


def _wording(where: str, text: str, constants: Mapping[str, str]) -> _Wording:
    for name, form in _VARIABLE.findall(text):
        if form and form not in FORMS:
            raise Misconfigured(f"{where}: {{{name}:{form}}}: no such form; there are {', '.join(FORMS)}")
    filled = _VARIABLE.sub(lambda m: constants.get(m[1], m[0]), text)
    if _BRACE.search(_VARIABLE.sub("", filled)):
        raise Misconfigured(f"{where}: a brace that is no variable; write {{name}} or {{name:form}}")
    return _Wording(tuple(chunk for chunk in cut(filled) if chunk))


def cut(text: str) -> tuple[str, ...]:
    """`text` in chunks: after sentence ends, and at |."""
    return tuple(chunk for chunk in _CUT.split(text) if chunk)


def _line(chunk: str, values: Values, voice: bool) -> Line:
    if not _VARIABLE.search(chunk):
        return Line(chunk, chunk, True)

    def shown(match: re.Match[str], masked: bool) -> str:
        name, form = match[1], match[2] or ""
        value = values.known[name]
        if masked and name in values.personal:
            value = mask_slot(value)
        return _form(value, form, voice, values.today)

    text = _VARIABLE.sub(lambda m: shown(m, False), chunk)
    logged = _VARIABLE.sub(lambda m: shown(m, True), chunk)
    return Line(text, mask(logged), False)


def mask_slot(value: str) -> str:
    """A personal value as it may be kept: masked, and every digit of it starred but the last two of a long number."""
    plain = mask(value)
    if plain != value:
        return plain
    head = digits.star(value[:-2]) + value[-2:] if len(value) >= 6 and value.isdigit() else digits.star(value)
    return head


def _form(value: str, form: str, voice: bool, today: date) -> str:
    match form:
        case "digits":
            return digits.aloud(value) if voice else " ".join(digits.groups(value))
        case "money":
            return money(value)
        case "day":
            return day(value, today)
    return value


def money(value: str) -> str:
    """299.00 -> 299元."""
    whole, _, part = value.partition(".")
    part = part.rstrip("0")
    return f"{whole}.{part}元" if part else f"{whole}元"


def day(value: str, today: date) -> str:
    """An ISO date as people say it: 今天, 明天, 后天, 昨天, else 11月24号."""
    when = date.fromisoformat(value)
    near = {-1: "昨天", 0: "今天", 1: "明天", 2: "后天"}.get((when - today).days)
    said = f"{when.month}月{when.day}号"
    return near if near else said if when.year == today.year else f"{when.year}年{said}"


_LINK = re.compile(r"(?:https?://|www\.)[^\s，。；、）)】]+", re.IGNORECASE)
_MARKDOWN = re.compile(r"(?m)^\s{0,3}(?:#{1,6}|[-*+]|>|\d+[.、)])\s+|[*_`]{1,3}|!?\[([^\]]*)\]\([^)]*\)")
_LOOSE = re.compile(r"(?<=[\u4e00-\u9fff，。]) +| +(?=[\u4e00-\u9fff，。])")
_SENTENCE = re.compile(r"[^。！？!?；;\n]+[。！？!?；;]?")


def speakable(text: str) -> str:
    """Knowledge as it can be read out: no links, no markup."""
    text = _MARKDOWN.sub(lambda m: m[1] or "", text)
    return _LOOSE.sub("", _LINK.sub("官网", text)).strip()


def breath(text: str, limit: int) -> tuple[str, str]:
    """(what to say now, the rest): whole sentences of up to `limit` characters, always at least one."""
    now, sentences = "", [s for s in _SENTENCE.findall(text) if s.strip()]
    for place, sentence in enumerate(sentences):
        if now and len(now) + len(sentence) > limit:
            rest = "".join(sentences[place:])
            return (now, rest) if len(rest) > limit // 4 else (now + rest, "")
        now += sentence
    return now, ""
