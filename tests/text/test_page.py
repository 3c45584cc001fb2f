"""The chat page in a real Chromium: talk, lose the connection, come back, reload, press a button."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, async_playwright, expect

from common.auth import Authority
from tests.text.fake_dialog import FakeDialog
from text_gateway.desk import NoDesk
from text_gateway.http import build_app
from text_gateway.service import TextChat
from text_gateway.web import WebServer

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or ""
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
pytestmark = pytest.mark.skipif(not CHROMIUM, reason="needs Debian's chromium: apt-get install chromium")


class World:
    def __init__(self) -> None:
        self.dialog = FakeDialog()
        self.chat = TextChat(self.dialog, NoDesk())
        self.app = build_app(self.chat, Authority("k" * 48), anonymous=True, per_minute=50)
        self.server = WebServer(self.app, "127.0.0.1", 0)
        self.port = 0

    async def start(self) -> None:
        self.server = WebServer(self.app, "127.0.0.1", self.port)
        await self.server.__aenter__()
        self.port = self.server.port

    async def stop(self) -> None:
        await self.server.__aexit__(None, None, None)


@pytest.fixture
async def world() -> AsyncIterator[World]:
    it = World()
    await it.start()
    yield it
    it.dialog.gate.set()
    await it.stop()
    await it.chat.aclose()


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        await browser.close()


async def say(page: Page, text: str) -> None:
    await page.get_by_label("输入您的问题").fill(text)
    await page.get_by_label("输入您的问题").press("Enter")


async def test_a_conversation_in_the_page(world: World, browser: Browser, tmp_path: Path) -> None:
    page = await browser.new_page()
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    await page.goto(f"http://127.0.0.1:{world.port}/")
    log = page.locator("#log li")
    await expect(log).to_have_text(["您好"])

    await say(page, "<b>你好</b>")
    await expect(log).to_have_count(3)
    assert await log.nth(1).inner_text() == "<b>你好</b>"
    await expect(log.nth(2)).to_contain_text("来源：退货政策")

    await world.stop()
    await expect(page.locator("#state")).to_have_text("连接断开，正在重连…")
    await say(page, "断线时说的")
    await world.start()
    await expect(log.nth(4)).to_contain_text("你说断线时说的", timeout=15_000)
    assert [turn.text for turn in world.dialog.turns].count("断线时说的") == 1

    await page.reload()
    await expect(log).to_have_count(5)
    await expect(log.nth(3)).to_have_text("断线时说的")
    await page.get_by_role("button", name="解决了").click()
    await expect(log.nth(5)).to_have_text("解决了")
    await expect(log.nth(6)).to_contain_text("你说solved")

    await say(page, "再见")
    await expect(page.locator("#state")).to_have_text("已结束")
    await expect(page.get_by_role("button", name="重新开始")).to_be_visible()
    await page.screenshot(path=tmp_path / "chat.png")
    assert problems == []
