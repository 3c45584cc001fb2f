"""`hotline asr ...` and `hotline models ...`."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Annotated, Any, cast

import typer
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn
from rich.table import Table

from common.errors import BadInput
from common.paths import data_dir
from voice_gateway.asr.api import AsrEngine
from voice_gateway.asr.settings import AsrSettings, EngineName

asr_app = typer.Typer(no_args_is_help=True, help="The recogniser: language model, measuring, training.")
models_app = typer.Typer(help="Recogniser models on this machine.")
err = Console(stderr=True, highlight=False)
ENGINES = ("bundled", "vosk", "sherpa")

GraphFolder = Annotated[Path | None, typer.Option("--graphs", help="folder of the graphs (default: data folder)")]


def graphs_dir(given: Path | None) -> Path:
    """The folder of graphs."""
    return given or data_dir() / "asr" / "graphs"


@asr_app.command()
def graph(
    texts: Annotated[list[Path], typer.Argument(help="files and folders with the company's own words")],
    hotword: Annotated[list[str], typer.Option(help="a name that must be heard; may be repeated")] = [],  # noqa: B006
    number_format: Annotated[list[str], typer.Option(help="as 2026dddddddd; may be repeated")] = [],  # noqa: B006
    graphs: GraphFolder = None,
) -> None:
    """Rebuild the language model from a company's own texts; running engines use it from the next utterance on."""
    from voice_gateway.asr.graph.build import read_texts, rebuild

    try:
        info = rebuild(
            read_texts(texts), folder=graphs_dir(graphs), hotwords=hotword, formats=number_format, say=err.print
        )
    except ValueError as error:
        raise BadInput(str(error)) from None
    except FileNotFoundError as error:
        raise BadInput(f"{error.filename or error}: cannot be read as text") from None
    err.print(f"{info.words} words, {info.ngrams} n-grams, {info.arcs['free']} arcs, {info.seconds} s")


@asr_app.command()
def general(
    out: Annotated[Path, typer.Argument(help="file to write (general.xz)")],
    text: Annotated[list[Path], typer.Option(help="a text file, one sentence a line; may be repeated")] = [],  # noqa: B006
    text_weight: Annotated[float, typer.Option(help="weight of those texts together")] = 0.45,
    dictionary_weight: Annotated[float, typer.Option(help="weight of jieba's dictionary against all texts")] = 0.25,
    threshold: Annotated[float, typer.Option(help="relative-entropy pruning")] = 1e-8,
) -> None:
    """Make the general part of the language model anew (some minutes)."""
    from voice_gateway.asr.graph import general as part
    from voice_gateway.asr.text import sentences

    groups: dict[str, tuple[float, Any]] = {}
    rest = (1.0 - text_weight) if text else 1.0
    for name, clauses in part.packaged_texts().items():
        groups[name] = (rest * part.PACKAGED_WEIGHTS[name], clauses)
    for path in text:
        lines = path.read_text(encoding="utf-8").splitlines()
        groups[path.stem] = (text_weight / len(text), ["".join(sentences(line)).replace(" ", "") for line in lines])
    words = part.dictionary()
    made = part.collect(groups, extra=words, extra_weight=dictionary_weight, threshold=threshold, say=err.print)
    part.save(made, out)
    err.print(f"{made.model.sizes()} n-grams, {out.stat().st_size / 1e6:.1f} MB")


@asr_app.command(name="eval")
def evaluate(
    listing: Annotated[Path, typer.Argument(metavar="LIST.tsv", help="columns path and text; any audio file")],
    engine: Annotated[str, typer.Option(help="bundled, vosk or sherpa")] = "bundled",
    model: Annotated[Path | None, typer.Option(help="model folder (vosk, sherpa) or file (bundled)")] = None,
    language: Annotated[str, typer.Option()] = "zh",
    graphs: GraphFolder = None,
    rate: Annotated[int, typer.Option(help="Hz: 8000 or 16000")] = 8000,
    codec: Annotated[str, typer.Option(help="pcmu, pcma or nothing")] = "",
    snr: Annotated[float | None, typer.Option(help="add noise at this many dB below the speech")] = None,
    loss: Annotated[float, typer.Option(min=0, max=90, help="per cent of packets lost")] = 0.0,
    hint: Annotated[str, typer.Option(help="free, digits, yes_no, or auto (digits where the reference is)")] = "auto",
    limit: Annotated[int, typer.Option(help="at most so many recordings, evenly chosen; 0 = all")] = 0,
    acoustic_scale: Annotated[float | None, typer.Option(help="weight of sound against language")] = None,
    blank_penalty: Annotated[float | None, typer.Option()] = None,
    beam: Annotated[float | None, typer.Option()] = None,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="print every utterance")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="one JSON object instead of a table")] = False,
) -> None:
    """Recognise the recordings of a list and print errors, digit strings, speed, latencies and memory."""
    from voice_gateway.asr.degrade import CODECS, Line
    from voice_gateway.asr.evaluate import Heard, read_list, run

    if codec and codec not in CODECS:
        raise BadInput(f"no codec {codec}; one of {', '.join(CODECS)}, or none")
    if engine not in ENGINES:
        raise BadInput(f"no engine {engine}; one of {', '.join(ENGINES)}")
    given: dict[str, Any] = {
        "acoustic_scale": acoustic_scale,
        "blank_penalty": blank_penalty,
        "beam": beam,
    }
    settings = AsrSettings(
        engine=cast(EngineName, engine),
        model=model,
        language=language,
        threads=1,
        graphs=graphs_dir(graphs),
        **{k: v for k, v in given.items() if v is not None},
    )
    items = read_list(listing, limit)

    def show(heard: Heard) -> None:
        if verbose:
            err.print(f"{heard.reference}\n  {heard.text}  [{heard.confidence:.2f}]", soft_wrap=True)
        elif sys.stderr.isatty():
            err.print(".", end="")

    async def work() -> Any:
        built = build_engine(settings)
        try:
            return await run(built, items, Line(rate, codec, snr, loss / 100), hint=hint, progress=show)
        finally:
            await built.aclose()

    found = asyncio.run(work())
    if as_json:
        typer.echo(json.dumps(found.to_json(), ensure_ascii=False))
        return
    from voice_gateway.asr.tables import COLUMNS, row

    for name, value in zip(COLUMNS, row(listing.parent.name, found), strict=True):
        typer.echo(f"{name:>14}  {value}")


def build_engine(settings: AsrSettings) -> AsrEngine:
    """The engine of `settings`."""
    from voice_gateway.asr.factory import build

    return build(settings)


@asr_app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True}, add_help_option=False)
def train(context: typer.Context) -> None:
    """Train the bundled model (needs torch); `hotline asr train --help` lists its options."""
    try:
        from voice_gateway.asr.training.__main__ import main
    except ImportError as error:
        raise BadInput(f"training needs the package {error.name}: pip install 'hotline-bot[train]'") from None
    main(list(context.args))


@asr_app.command()
def callers(
    out: Annotated[Path, typer.Argument(help="folder for the recordings and LIST.tsv; a second run goes on")],
    count: Annotated[int, typer.Option(min=1, help="sentences")] = 400,
    seed: Annotated[int, typer.Option(help="other sentences and voices")] = 1,
    held_out: Annotated[bool, typer.Option("--held-out", help="the test set instead: voices never trained on")] = False,
    threads: Annotated[int, typer.Option(min=1)] = 1,
) -> None:
    """Make synthetic callers with Kokoro, for `hotline asr train --extra OUT` or to measure with."""
    from voice_gateway.asr.training.synthesize import Kokoro, heldout_plan, synthesize, training_plan
    from voice_gateway.tts.kokoro_model import KokoroModel
    from voice_gateway.tts.models import locate

    engine = Kokoro(KokoroModel(locate(), threads=threads))
    plan = heldout_plan(seed) if held_out else training_plan(count, seed, engine.foreign_voices)
    seconds = synthesize(engine, plan, out)
    err.print(f"{seconds / 3600:.2f} h of speech written to {out}")


@models_app.callback(invoke_without_command=True)
def list_models(context: typer.Context) -> None:
    """List what is installed, and what can be fetched."""
    if context.invoked_subcommand is not None:
        return
    from voice_gateway.asr.catalogue import CATALOGUE, installed

    here = installed()
    table = Table("name", "engine", "size", "licence", "where from", "path", title="installed")
    for model in here:
        table.add_row(
            model.name, model.engine, f"{model.bytes / 1e6:.0f} MB", model.licence, model.source, str(model.path)
        )
    Console().print(table)
    names = {model.name for model in here}
    more = Table("name", "engine", "download", "licence", "what", title="hotline models pull NAME")
    for entry in CATALOGUE:
        if entry.name not in names:
            more.add_row(entry.name, entry.engine, f"{entry.megabytes} MB", entry.licence, entry.about)
    Console().print(more)


@models_app.command()
def pull(name: Annotated[str, typer.Argument(help="a name that `hotline models` lists")]) -> None:
    """Fetch a model, check that it loads, and say how to use it."""
    from voice_gateway.asr.catalogue import find
    from voice_gateway.asr.catalogue import pull as fetch

    entry = find(name)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=err) as bar:
        task = bar.add_task(name, total=entry.megabytes * 1_000_000)
        path = fetch(entry, progress=lambda done, total: bar.update(task, completed=done, total=total or None))
    typer.echo(f"{path}\nuse it: HOTLINE_ASR__ENGINE={entry.engine} HOTLINE_ASR__MODEL={path}")
