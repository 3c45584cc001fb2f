"""The company's own material: the sample shop for an empty knowledge base, and its words for the recogniser.

The recogniser's language model is built of the knowledge base's texts, the bot's own prompts and the names of products.
Building takes half a minute of one core, so it runs in a process of its own at low priority; a running recogniser takes
the new graph up with its next utterance.
"""

from __future__ import annotations

import asyncio
import csv
import hashlib
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path

from common.paths import atomic_write
from common.telemetry import get_logger
from dialog.api import DialogService
from hotline.settings import Settings
from kb.api import KbService
from kb.importing import SAMPLE, import_sample
from voice_gateway.asr.graph.build import rebuild_apart
from voice_gateway.asr.settings import AsrSettings

log = get_logger(__name__)
Progress = Callable[[str], None]
BUILD_WITHIN_S = 600.0
DIGEST = "texts.sha256"
SAMPLE_ORDERS = "2026dddddddd"


async def fill_sample(kb: KbService, progress: Progress) -> None:
    """Import the sample shop into an empty knowledge base."""
    if await kb.count() == 0:
        progress("knowledge: importing the sample shop")
        written = await import_sample(kb)
        progress(f"knowledge: {written} entries")


def product_names(settings: Settings) -> tuple[str, ...]:
    """Names that callers say: the settings' own and, for the sample shop, its products."""
    names = list(settings.asr.hotwords)
    if settings.company.sample:
        with (SAMPLE / "products.csv").open(encoding="utf-8-sig", newline="") as file:
            names.extend(row["name"] for row in csv.DictReader(file))
    return tuple(dict.fromkeys(names))


def number_formats(settings: Settings) -> tuple[str, ...]:
    """Forms of numbers that callers dictate: the settings' own and the sample shop's order numbers."""
    return (*settings.asr.number_formats, *((SAMPLE_ORDERS,) if settings.company.sample else ()))


def asr_settings(settings: Settings) -> AsrSettings:
    """The recogniser's settings with its graphs in the data folder, unless told otherwise."""
    if "graphs" in settings.asr.model_fields_set:
        return settings.asr
    return settings.asr.model_copy(update={"graphs": settings.paths.data / "asr" / "graphs"})


async def refresh_graph(settings: Settings, kb: KbService, dialog: DialogService, progress: Progress) -> bool:
    """Build the language model anew when the company's texts have changed; whether it was.

    AsrModelError when the build fails; the graph of before stays in use.
    """
    asr = asr_settings(settings)
    if asr.engine != "bundled":
        return False
    texts = (*await kb.texts(), *await dialog.fixed_prompts())
    names, formats = product_names(settings), number_formats(settings)
    recipe = await asyncio.to_thread(_recipe)
    digest = hashlib.sha256("\n".join((recipe, *sorted(texts), *names, *formats)).encode()).hexdigest()
    if await asyncio.to_thread(_same, asr.graphs / DIGEST, digest):
        return False
    progress("ears: building the language model of the company's own words")
    await rebuild_apart(texts, folder=asr.graphs, hotwords=names, formats=formats, timeout_s=BUILD_WITHIN_S)
    await asyncio.to_thread(_write, asr.graphs / DIGEST, digest)
    return True


async def keep_graph_fresh(settings: Settings, kb: KbService, dialog: DialogService) -> None:
    """Look for changed texts until cancelled; a build that fails is logged and tried again later."""
    while True:
        await asyncio.sleep(settings.company.graph_refresh_s)
        try:
            if await refresh_graph(settings, kb, dialog, lambda _: None):
                log.info("asr_graph_refreshed")
        except Exception:
            log.exception("asr_graph_refresh_failed")


def _recipe() -> str:
    """Changes with the program that builds graphs and with its general language model, as after an upgrade."""
    folder = files("voice_gateway.asr.graph")
    parts = sorted((part.name, part.read_bytes()) for part in folder.iterdir() if part.is_file())
    return hashlib.sha256(b"".join(content for _, content in parts)).hexdigest()


def _same(path: Path, digest: str) -> bool:
    return path.is_file() and path.read_text() == digest


def _write(path: Path, digest: str) -> None:
    with atomic_write(path) as file:
        file.write(digest.encode())
