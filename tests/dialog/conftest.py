"""A dialog over scripted helpers, in memory, on a fixed day."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import pytest
from pydantic import SecretStr

from dialog import factory
from dialog.api import Channel, DialogService
from dialog.business import BusinessApi
from dialog.factory import build
from dialog.settings import DialogSettings
from tests.fakes.dialog_helpers import PHONE, FakeBusiness, FakeEmotion, FakeKb, FakeNlu
from tests.fakes.dialog_script import Caller

NOW = datetime(2026, 11, 23, 12).timestamp()
BOOKS = factory.load_books(DialogSettings())
KEY = SecretStr("k" * 40)


@dataclass
class World:
    """The dialog and everything it talks to."""

    nlu: FakeNlu = field(default_factory=FakeNlu)
    emotion: FakeEmotion = field(default_factory=FakeEmotion)
    kb: FakeKb = field(default_factory=FakeKb)
    business: FakeBusiness = field(default_factory=FakeBusiness)
    services: list[DialogService] = field(default_factory=list)
    now: float = NOW

    def build(self, business: BusinessApi | None = None, **settings: Any) -> DialogService:
        given = DialogSettings(**{"store": "memory", "vault_key": KEY, **settings})
        made = build(
            given,
            nlu=self.nlu,
            emotion=self.emotion,
            kb=self.kb,
            business=business or self.business,
            books=BOOKS,
            now=lambda: self.now,
        )
        self.services.append(made)
        return made


@pytest.fixture
async def world() -> AsyncIterator[World]:
    it = World()
    yield it
    it.business.gate.set()
    for service in it.services:
        await service.aclose()
        await service.aclose()


@pytest.fixture
def call(world: World) -> Callable[..., Caller]:
    """A caller of a new dialog."""

    def make(channel: Channel = Channel.PHONE, number: str = PHONE, session: str = "s1", **settings: Any) -> Caller:
        return Caller(world.build(**settings), session, channel=channel, number=number, emotion=world.emotion)

    return make
