"""Commands of the mouth, mounted by the program as `hotline tts`."""

from __future__ import annotations

import asyncio
import time
from contextlib import aclosing
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from common.audio import dbfs, write_wav
from common.errors import HotlineError
from voice_gateway.tts.api import Speech
from voice_gateway.tts.factory import build
from voice_gateway.tts.settings import EngineChoice, TtsSettings

tts_app = typer.Typer(no_args_is_help=True, help="Speech synthesis: say a text, see how it is read, fetch the model.")


@tts_app.command()
def say(
    text: Annotated[str, typer.Argument(help="what to say")],
    out: Annotated[Path, typer.Option(help="WAV file to write")] = Path("speech.wav"),
    voice: Annotated[str, typer.Option(help="voice or blend, e.g. zf_xiaoni:0.6+zm_yunxi:0.4")] = "",
    speed: Annotated[float, typer.Option(min=0.5, max=2.0)] = 1.0,
    rate: Annotated[int, typer.Option(help="sample rate: 8000, 16000 or 24000")] = 16_000,
    engine: Annotated[EngineChoice, typer.Option(help="which engine speaks")] = EngineChoice.AUTO,
) -> None:
    """Say a text into a WAV file and print how long each part took."""
    settings = TtsSettings.model_validate({"engine": engine, "sample_rate": rate, "cache_mb": 0})
    try:
        asyncio.run(_say(settings, Speech(text, voice, speed), out))
    except HotlineError as error:
        typer.echo(f"{error.code}: {error.message}", err=True)
        raise typer.Exit(1) from None


async def _say(settings: TtsSettings, speech: Speech, out: Path) -> None:
    tts = await asyncio.to_thread(build, settings)
    try:
        began, parts = time.perf_counter(), []
        async with aclosing(tts.stream(speech)) as chunks:  # type: ignore[type-var]
            async for chunk in chunks:
                parts.append(chunk.pcm)
                if chunk.text:
                    typer.echo(f"{(time.perf_counter() - began) * 1000:6.0f} ms  {chunk.text}")
        pcm = np.concatenate([np.zeros(0, np.int16), *parts])
        write_wav(out, pcm, settings.sample_rate)
        typer.echo(f"{out}: {len(pcm) / settings.sample_rate:.2f} s, {dbfs(pcm):.1f} dBFS, {tts.capabilities.name}")
    finally:
        await tts.aclose()


@tts_app.command()
def read(text: Annotated[str, typer.Argument(help="what to read")]) -> None:
    """Print how numbers, dates and foreign words of a text are read."""
    from voice_gateway.tts.clauses import units

    for unit in units(text):
        typer.echo(unit.spoken)


@tts_app.command()
def voices() -> None:
    """Print the voices that are installed."""
    from voice_gateway.tts.models import locate

    for name in locate().voices:
        typer.echo(name)


@tts_app.command()
def install() -> None:
    """Fetch the neural voice model and its Mandarin voices."""
    from voice_gateway.tts.models import main

    raise typer.Exit(main(["install"]))
