"""Builds the dialog service from settings and the services it uses."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import cache
from pathlib import Path

from common.auth import load_or_create_key
from common.errors import Misconfigured
from common.paths import data_dir
from dialog.actions import OUTCOMES
from dialog.api import DialogService
from dialog.business import BusinessApi
from dialog.flows import book as flow_book
from dialog.helpers import Helpers, Limits
from dialog.ledger import Ledger
from dialog.replies import book as reply_book
from dialog.replies.book import Rotate, WordingChooser
from dialog.service import Dialog
from dialog.settings import DialogSettings
from dialog.store import Store
from dialog.talk import Books
from dialog.vault import Sealer
from emotion.api import EmotionService
from kb.api import KbService
from nlu.api import NluService

VAULT_KEY_FILE = "dialog-vault.key"
SHOP_TOKEN_FILE = "shop.token"
_MIN_KEY = 32


def build(
    settings: DialogSettings,
    *,
    nlu: NluService,
    emotion: EmotionService,
    kb: KbService,
    business: BusinessApi | None = None,
    chooser: WordingChooser | None = None,
    books: Books | None = None,
    now: Callable[[], float] = time.time,
) -> DialogService:
    """The dialog, ready. `business`, `books` None: those of the settings. The service closes `business` only."""
    limits = Limits(
        settings.nlu_timeout_s, settings.emotion_timeout_s, settings.kb_timeout_s, settings.action_timeout_s
    )
    helpers = Helpers(nlu, emotion, kb, business or build_business(settings), limits)
    ledger = Ledger(build_store(settings), Sealer(_vault_key(settings)), now)
    return Dialog(settings, books or load_books(settings, chooser), ledger, helpers, now=now)


def load_books(settings: DialogSettings, chooser: WordingChooser | None = None) -> Books:
    """Flows and wordings, checked against each other."""
    replies = reply_book.load(
        settings.replies or reply_book.FILE, {"company": settings.company, "hours": settings.hours}
    )
    missing = sorted(_said_by_code() - replies.prompts)
    if missing:
        raise Misconfigured(f"{settings.replies}: prompts are missing: {', '.join(missing)}")
    flows = flow_book.load(settings.flows or flow_book.FOLDER, prompts=replies.prompts, actions=OUTCOMES)
    return Books(flows, replies, chooser or Rotate())


@cache
def _said_by_code() -> frozenset[str]:
    """Prompts that no flow names: the built-in file has them all."""
    return reply_book.load(reply_book.FILE, {}).prompts


def build_store(settings: DialogSettings) -> Store:
    """The session store of the settings."""
    match settings.store:
        case "memory":
            from dialog.stores.memory import MemoryStore

            return MemoryStore(vault_ttl_s=settings.vault_ttl_s)
        case "redis":
            from dialog.stores.redis import RedisStore

            return RedisStore(settings.redis_url, vault_ttl_s=settings.vault_ttl_s, events_ttl_s=settings.events_ttl_s)
        case _:
            from dialog.stores.sqlite import SqliteStore

            return SqliteStore(data_dir() / "dialog.sqlite3", vault_ttl_s=settings.vault_ttl_s)


def build_business(settings: DialogSettings) -> BusinessApi:
    """The order API over HTTP."""
    from dialog.engines.shop import ShopApi

    token = settings.shop_token.get_secret_value() or _kept_secret(data_dir() / SHOP_TOKEN_FILE)
    return ShopApi(settings.shop_url, token, timeout_s=settings.shop_timeout_s)


def _vault_key(settings: DialogSettings) -> str:
    key = settings.vault_key.get_secret_value() or _kept_secret(data_dir() / VAULT_KEY_FILE)
    if len(key) < _MIN_KEY:
        raise Misconfigured(f"dialog.vault_key is shorter than {_MIN_KEY} characters; use a longer one")
    return key


def _kept_secret(path: Path) -> str:
    return load_or_create_key(path)
