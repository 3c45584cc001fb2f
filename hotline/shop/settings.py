"""Settings of the stand-in order system."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from common.auth import load_or_create_key
from common.paths import data_dir
from common.settings import Section


class ShopSettings(Section):
    """host, port: where it listens.

    token: what a client must send as `Authorization: Bearer TOKEN`; "" = the token in the file `shop.token` of the data
    folder, made at first use, so that shop and bot on one machine agree without being told.
    today: the day against which the sample orders are dated; None = the day of the request.
    """

    host: str = "127.0.0.1"
    port: int = 8095
    token: str = ""
    today: date | None = None


def resolve_token(settings: ShopSettings, folder: Path | None = None) -> str:
    """The token in `settings`, else the one kept in the data folder."""
    return settings.token or load_or_create_key((folder or data_dir()) / "shop.token")
