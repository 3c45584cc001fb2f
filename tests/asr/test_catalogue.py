"""Fetching models: resume, checksum, safe unpacking, load check, a closed network. The server is our own."""

from __future__ import annotations

import hashlib
import io
import tarfile
import threading
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from typer.testing import CliRunner

from common.errors import NotFound, Unavailable
from voice_gateway.asr.api import AsrModelError
from voice_gateway.asr.catalogue import Entry, check_loads, find, installed, pull, unpack
from voice_gateway.asr.cli import models_app


def archive(names: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as pack:
        for name, content in names.items():
            pack.writestr(name, content)
    return buffer.getvalue()


GOOD = archive({"some-model/README": b"x" * 5000, "some-model/am/final.mdl": b"y"})


class Handler(BaseHTTPRequestHandler):
    """Serves GOOD at /good.zip with ranges; /cut.zip breaks off."""

    ranges: list[str | None] = []

    def do_GET(self) -> None:
        wanted = self.headers.get("Range")
        self.ranges.append(wanted)
        if self.path == "/none.zip":
            self.send_error(404)
            return
        start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted else 0
        self.send_response(206 if wanted else 200)
        self.send_header("Content-Length", str(len(GOOD) - start))
        self.end_headers()
        end = len(GOOD) // 2 if self.path == "/cut.zip" and not wanted else len(GOOD)
        self.wfile.write(GOOD[start:end])

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""


@pytest.fixture
def server() -> Iterator[str]:
    Handler.ranges = []
    made = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=made.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{made.server_port}"
    made.shutdown()
    made.server_close()
    thread.join()


def entry(url: str, sha256: str = "") -> Entry:
    return Entry("some-model", "vosk", url, "Apache-2.0", 1, "a model", sha256)


def test_a_model_is_fetched_once_and_listed(server: str, tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    known = entry(f"{server}/good.zip", hashlib.sha256(GOOD).hexdigest())
    path = pull(known, folder=tmp_path, progress=lambda done, total: seen.append((done, total)), check=False)
    assert (path / "am/final.mdl").read_bytes() == b"y"
    assert seen[-1] == (len(GOOD), len(GOOD))
    assert pull(known, folder=tmp_path, check=False) == path and len(Handler.ranges) == 1
    found = {model.name: model for model in installed(tmp_path)}["some-model"]
    assert (found.source, found.licence, found.engine) == (known.url, "Apache-2.0", "vosk")
    assert found.bytes > 5000
    assert [item.name for item in tmp_path.iterdir()] == ["some-model"]


def test_an_interrupted_download_goes_on(server: str, tmp_path: Path) -> None:
    with pytest.raises(Unavailable):
        pull(entry(f"{server}/cut.zip"), folder=tmp_path, check=False)
    pull(entry(f"{server}/cut.zip"), folder=tmp_path, check=False)
    assert Handler.ranges == [None, f"bytes={len(GOOD) // 2}-"]
    assert (tmp_path / "some-model/README").read_bytes() == b"x" * 5000


def test_a_wrong_checksum_is_refused(server: str, tmp_path: Path) -> None:
    with pytest.raises(AsrModelError, match="checksum"):
        pull(entry(f"{server}/good.zip", "0" * 64), folder=tmp_path, check=False)
    assert list(tmp_path.iterdir()) == []


def test_what_does_not_load_is_not_installed(server: str, tmp_path: Path) -> None:
    with pytest.raises(AsrModelError, match="does not load"):
        pull(entry(f"{server}/good.zip"), folder=tmp_path)
    assert not (tmp_path / "some-model").exists()


def test_a_closed_network_is_explained(server: str, tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="cannot be reached from this machine") as caught:
        pull(entry("http://127.0.0.1:9/x.zip"), folder=tmp_path)
    assert "asr.model" in caught.value.message and "bundled recogniser works without" in caught.value.message
    with pytest.raises(Unavailable, match="answered 404"):
        pull(entry(f"{server}/none.zip"), folder=tmp_path)


def test_archives_that_lead_out_are_refused(tmp_path: Path) -> None:
    (tmp_path / "bad.zip").write_bytes(archive({"../outside": b"x"}))
    with pytest.raises(AsrModelError, match="refused"):
        unpack(tmp_path / "bad.zip", tmp_path / "a")
    with tarfile.open(tmp_path / "bad.tar", "w") as tar:
        link = tarfile.TarInfo("link")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc"
        tar.addfile(link)
    with pytest.raises(AsrModelError, match="cannot be unpacked"):
        unpack(tmp_path / "bad.tar", tmp_path / "b")
    (tmp_path / "no.zip").write_bytes(b"hello")
    with pytest.raises(AsrModelError, match="cannot be unpacked"):
        unpack(tmp_path / "no.zip", tmp_path / "c")
    assert not (tmp_path / "outside").exists()


def test_names(tmp_path: Path) -> None:
    assert find("vosk-model-small-cn-0.22").engine == "vosk"
    with pytest.raises(NotFound, match="vosk-model-cn-0.22"):
        find("whisper")
    with pytest.raises(AsrModelError, match="no Vosk model"):
        check_loads("vosk", tmp_path)
    listed = CliRunner().invoke(models_app, [], env={"COLUMNS": "250"})
    assert listed.exit_code == 0 and "vosk-model-small-cn-0.22" in listed.output
