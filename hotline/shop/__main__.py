"""`python -m hotline.shop`: run the sample shop's order API. Each option can be given as HOTLINE_SHOP__NAME, too."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated

import typer
import uvicorn

from hotline.shop.app import build_app
from hotline.shop.settings import ShopSettings, resolve_token

_DEFAULT = ShopSettings()


def main(
    host: Annotated[str, typer.Option(envvar="HOTLINE_SHOP__HOST")] = _DEFAULT.host,
    port: Annotated[int, typer.Option(envvar="HOTLINE_SHOP__PORT")] = _DEFAULT.port,
    token: Annotated[str, typer.Option(envvar="HOTLINE_SHOP__TOKEN", help="default: kept in the data folder")] = "",
    today: Annotated[
        datetime | None, typer.Option(envvar="HOTLINE_SHOP__TODAY", formats=["%Y-%m-%d"], help="default: today")
    ] = None,
) -> None:
    """Order API of the sample shop 云杉商城; the contract is in hotline/shop/app.py and at /openapi.json."""
    settings = ShopSettings(host=host, port=port, token=token, today=today.date() if today else None)
    app = build_app(resolve_token(settings), lambda: settings.today or date.today())
    uvicorn.run(app, host=settings.host, port=settings.port, log_level="warning")


if __name__ == "__main__":
    typer.run(main)
