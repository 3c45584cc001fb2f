"""`hotline kb …`: import documents, try questions, delete, count. In place, or against a running server.

The program that mounts `kb_app` may give its settings loader as the context's object; without one the defaults and
`--index` are used.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Protocol

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from common.auth import Authority, Principal, Role, load_or_create_key
from common.errors import BadInput
from common.paths import data_dir
from kb.api import Entry, KbService
from kb.importing import Imported, import_document
from kb.settings import KbSettings

kb_app = typer.Typer(no_args_is_help=True, help="The knowledge base: import documents, try questions.")
out = Console(highlight=False)

Config = Annotated[Path | None, typer.Option("--config", "-c", help="settings file (TOML)")]
Index = Annotated[Path | None, typer.Option(help="index file, instead of the one in the settings")]
Server = Annotated[str, typer.Option(help="host:port of a running server; empty = work on the index file in place")]
Token = Annotated[str, typer.Option(help="token for the server; default: made with this installation's key")]
Tags = Annotated[list[str] | None, typer.Option("--tag", help="may be given again")]


class _WithKb(Protocol):
    @property
    def kb(self) -> KbSettings: ...


@dataclass(frozen=True, slots=True)
class _Where:
    settings: KbSettings
    server: str
    token: str


def _where(ctx: typer.Context, config: Path | None, index: Path | None, server: str, token: str) -> _Where:
    load: Callable[[Path | None], _WithKb] | None = ctx.find_root().obj
    settings = load(config).kb if load is not None else KbSettings()
    return _Where(settings.model_copy(update={"index": index}) if index else settings, server, token)


@asynccontextmanager
async def _open(where: _Where) -> AsyncIterator[KbService]:
    kb = _remote(where) if where.server else await asyncio.to_thread(_local, where)
    try:
        yield kb
    finally:
        await kb.aclose()


def _local(where: _Where) -> KbService:
    from kb.factory import build

    return build(where.settings)


def _remote(where: _Where) -> KbService:
    from common.rpc.client import RpcClient
    from kb.client import KbClient

    token = where.token or Authority(load_or_create_key(data_dir() / "keys" / "jwt.key")).issue(
        Principal("kb-cli", Role.SERVICE)
    )
    return KbClient(RpcClient(where.server, lambda: token))


def _run(work: Coroutine[Any, Any, None]) -> None:
    asyncio.run(work)


@kb_app.command("import")
def import_files(
    ctx: typer.Context,
    files: Annotated[list[Path], typer.Argument(help="Markdown, CSV, TSV, XLSX, PDF or DOCX")],
    name: Annotated[
        str, typer.Option(help="name of the document (one file only); default: the file's. The same name replaces")
    ] = "",
    tag: Tags = None,
    server: Server = "",
    token: Token = "",
    config: Config = None,
    index: Index = None,
) -> None:
    """Import documents. Importing one again updates it and removes what it no longer has."""
    _run(_import(_where(ctx, config, index, server, token), files, name, tuple(tag or ())))


async def _import(where: _Where, files: list[Path], name: str, tags: tuple[str, ...]) -> None:
    documents = await asyncio.to_thread(_read_all, files, name, tags)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    done: list[Imported] = []
    async with _open(where) as kb:
        with Progress(*columns, console=out) as bar:
            for document, entries in documents.items():
                task = bar.add_task(document, total=len(entries))

                def show(_: str, written: int, __: int, task: Any = task) -> None:
                    bar.update(task, completed=written)

                done.append(await import_document(kb, document, entries, show))
        total = await kb.count()
    for one in done:
        out.print(f"{one.name}: {one.written} entries written, {one.removed} removed")
    out.print(f"{total} entries in the knowledge base")


def _read_all(files: list[Path], name: str, tags: tuple[str, ...]) -> dict[str, list[Entry]]:
    """Entries by document. All files are read before anything is written, so a bad one changes nothing."""
    from kb.readers import read

    if name and len(files) > 1:
        raise BadInput("--name is for one file")
    documents: dict[str, list[Entry]] = {}
    with out.status("reading") as status:
        for file in files:
            status.update(f"reading {file}")
            document = name or file.name
            if document in documents:
                raise BadInput(f"{file}: two files are named {document}; import them one by one with --name")
            documents[document] = read(file, name=document, tags=tags)
    return documents


@kb_app.command()
def search(
    ctx: typer.Context,
    query: str,
    limit: Annotated[int, typer.Option(min=1, max=100)] = 5,
    tag: Tags = None,
    server: Server = "",
    token: Token = "",
    config: Config = None,
    index: Index = None,
) -> None:
    """Find entries, with the parts of their scores."""

    async def work() -> None:
        async with _open(_where(ctx, config, index, server, token)) as kb:
            hits = await kb.search(query, limit=limit, tags=tuple(tag or ()))
        table = Table("score", "words", "meaning", "title", "id")
        for hit in hits:
            numbers = (f"{value:.2f}" for value in (hit.score, hit.lexical, hit.semantic))
            table.add_row(*numbers, hit.entry.title, hit.entry.id)
        out.print(table)

    _run(work())


@kb_app.command()
def answer(
    ctx: typer.Context,
    question: str,
    tag: Tags = None,
    server: Server = "",
    token: Token = "",
    config: Config = None,
    index: Index = None,
) -> None:
    """Answer a question as a caller would hear it."""

    async def work() -> None:
        async with _open(_where(ctx, config, index, server, token)) as kb:
            found = await kb.answer(question, tags=tuple(tag or ()))
        out.print(found.text if found.known else "(no sure answer)")
        best = found.hits[0].entry if found.hits else None
        out.print(f"confidence {found.confidence:.2f}" + (f", nearest: {best.title} ({best.source})" if best else ""))

    _run(work())


@kb_app.command()
def delete(
    ctx: typer.Context,
    ids: Annotated[list[str], typer.Argument(help="ids; NAME# at the end deletes the whole document NAME")],
    server: Server = "",
    token: Token = "",
    config: Config = None,
    index: Index = None,
) -> None:
    """Delete entries or whole documents."""

    async def work() -> None:
        async with _open(_where(ctx, config, index, server, token)) as kb:
            named = [one for id_ in ids for one in (await kb.ids(id_) if id_.endswith("#") else (id_,))]
            out.print(f"{await kb.delete(named)} entries deleted")

    _run(work())


@kb_app.command()
def stats(
    ctx: typer.Context, server: Server = "", token: Token = "", config: Config = None, index: Index = None
) -> None:
    """Entries by document."""

    async def work() -> None:
        async with _open(_where(ctx, config, index, server, token)) as kb:
            ids = await kb.ids()
        table = Table("document", "entries")
        for document in sorted({id_.rpartition("#")[0] for id_ in ids}):
            table.add_row(document or "(none)", str(sum(id_.rpartition("#")[0] == document for id_ in ids)))
        table.add_row("total", str(len(ids)))
        out.print(table)

    _run(work())
