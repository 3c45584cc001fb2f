"""The command line: `hotline --help`."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from common.errors import HotlineError
from common.settings import load
from common.telemetry import configure, shutdown
from hotline.settings import Settings
from kb.cli import kb_app
from voice_gateway.asr.cli import asr_app, models_app
from voice_gateway.tts.cli import tts_app

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False, help="Self-hosted customer-service bot.")
app.add_typer(kb_app, name="kb")
app.add_typer(asr_app, name="asr")
app.add_typer(models_app, name="models")
app.add_typer(tts_app, name="tts")
err = Console(stderr=True, highlight=False)

ConfigFile = Annotated[Path | None, typer.Option("--config", "-c", help="settings file (TOML)")]


def settings_of(config: Path | None) -> Settings:
    """Settings, with logging set up from them."""
    settings = load(Settings, config)
    configure(level=settings.log.level, json=settings.log.json_lines)
    return settings


def run(work: Coroutine[Any, Any, int | None]) -> None:
    """Run to the end; the exit status is the result."""
    raise typer.Exit(asyncio.run(work) or 0)


@app.callback()
def root(ctx: typer.Context) -> None:
    """Self-hosted customer-service bot: it answers the telephone and the chat."""
    ctx.obj = settings_of


@app.command()
def serve(
    service: Annotated[str, typer.Argument(help="all, nlu, emotion, kb, dialog, speech, telephony or text")] = "all",
    config: ConfigFile = None,
) -> None:
    """Run Hotline in this process until Ctrl-C."""
    from hotline.serve import serve as work

    run(work(settings_of(config), service, lambda text: err.print(text, style="dim")))


@app.command()
def demo(config: ConfigFile = None) -> None:
    """Three simulated callers phone Hotline; prints the conversations and writes build/demo.json."""
    from hotline.demo import demo as work

    run(work(config))


@app.command()
def call(
    uri: Annotated[str, typer.Argument(help="sip:number@host[:port]")],
    purpose: Annotated[str, typer.Option(help="what the call is for; the bot opens with it")] = "",
    config: ConfigFile = None,
) -> None:
    """Let the running Hotline place a call."""
    from hotline.control import place_call

    run(place_call(settings_of(config), uri, purpose))


@app.command()
def token(
    role: Annotated[str, typer.Argument(help="caller, agent, reviewer, admin or service")],
    subject: Annotated[str, typer.Option(help="whose token it is")] = "operator",
    hours: Annotated[float, typer.Option(min=0.01, max=24 * 365)] = 12,
    session: Annotated[str, typer.Option(help="bind a caller's token to this conversation")] = "",
    config: ConfigFile = None,
) -> None:
    """Print a token, signed with this installation's key."""
    from common.auth import Authority, Principal, Role, load_or_create_key

    settings = settings_of(config)
    authority = Authority(load_or_create_key(settings.paths.data / "keys" / "jwt.key"))
    try:
        principal = Principal(subject, Role(role), session)
    except ValueError:
        err.print(f"no such role: {role}; one of {', '.join(Role)}")
        raise typer.Exit(2) from None
    typer.echo(authority.issue(principal, ttl_s=hours * 3600))


@app.command("settings")
def show_settings(config: ConfigFile = None) -> None:
    """Print every setting with its value and meaning."""
    from pydantic import BaseModel

    def section(name: str, value: BaseModel) -> None:
        print(f"\n[{name}]")
        for key, field in type(value).model_fields.items():
            found = getattr(value, key)
            if isinstance(found, BaseModel):
                section(f"{name}.{key}", found)
                continue
            shown = "***" if found and ("token" in key or "password" in key) else repr(found)
            print(f"{key} = {shown}" + (f"  # {field.description}" if field.description else ""))

    settings = load(Settings, config)
    for name in type(settings).model_fields:
        section(name, getattr(settings, name))


def main() -> None:
    """Entry point: errors of the house are one line, not a traceback."""
    try:
        app()
    except HotlineError as error:
        err.print(f"[red]{error.code}[/red] ({error.fault} at fault): {error.message}", soft_wrap=True)
        raise SystemExit(2) from None
    finally:
        shutdown()


if __name__ == "__main__":
    main()
