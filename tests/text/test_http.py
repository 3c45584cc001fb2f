"""The HTTP and WebSocket edge over a real socket."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from common.auth import Authority, Principal, Role
from tests.text.fake_dialog import FakeDialog
from text_gateway.desk import NoDesk
from text_gateway.http import build_app
from text_gateway.service import TextChat
from text_gateway.web import WebServer


class World:
    def __init__(self) -> None:
        self.dialog = FakeDialog()
        self.chat = TextChat(self.dialog, NoDesk())
        self.authority = Authority("k" * 48)
        self.server = WebServer(build_app(self.chat, self.authority, anonymous=True, per_minute=5), "127.0.0.1", 0)
        self.http = httpx.AsyncClient(timeout=10)

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.server.port}{path}"

    async def open(self) -> tuple[str, str]:
        answer = await self.http.post(self.url("/api/v1/sessions"), json={"channel": "web"})
        assert answer.status_code == 201, answer.text
        body = answer.json()
        assert [e["type"] for e in body["events"]] == ["reply_start", "chunk", "reply_end"]
        return body["session"], body["token"]

    def socket(self, session: str) -> connect:
        return connect(f"ws://127.0.0.1:{self.server.port}/api/v1/sessions/{session}/ws")


@pytest.fixture
async def world() -> AsyncIterator[World]:
    it = World()
    async with it.server:
        yield it
        it.dialog.gate.set()
        await it.chat.aclose()
    await it.http.aclose()


def as_bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


async def test_rest_conversation(world: World) -> None:
    session, token = await world.open()
    base = world.url(f"/api/v1/sessions/{session}")
    said = await world.http.post(f"{base}/turns", json={"turn": 1, "text": "你好"}, headers=as_bearer(token))
    assert [e["type"] for e in said.json()["events"]] == ["said", "reply_start", "chunk", "reply_end"]
    assert said.json()["events"][2]["text"] == "你说你好"
    assert "report" not in said.json()["events"][3]
    history = await world.http.get(f"{base}/history", headers=as_bearer(token))
    assert [i["text"] for i in history.json()["items"]] == ["您好", "你好", "你说你好"]
    done = await world.http.post(f"{base}/feedback", json={"solved": True}, headers=as_bearer(token))
    assert done.status_code == 204 and world.dialog.solved == [True]
    gone = await world.http.delete(base, headers=as_bearer(token))
    assert gone.status_code == 204 and world.dialog.closed == [(session, "left")]


async def test_every_call_needs_the_right_token(world: World) -> None:
    session, _ = await world.open()
    other, other_token = await world.open()
    base = world.url(f"/api/v1/sessions/{session}")
    for headers, status in (
        ({}, 401),
        (as_bearer("x"), 401),
        (as_bearer(other_token), 403),
        (as_bearer(world.authority.issue(Principal("r", Role.REVIEWER))), 403),
    ):
        for method, path, body in (
            ("POST", "/turns", {"text": "喂"}),
            ("GET", "/events", None),
            ("GET", "/history", None),
            ("POST", "/feedback", {"solved": True}),
            ("DELETE", "", None),
        ):
            answer = await world.http.request(method, base + path, json=body, headers=headers)
            assert answer.status_code == status, (method, path, answer.text)
    assert world.dialog.turns == [] and other


async def test_only_a_service_may_name_a_user(world: World) -> None:
    body = {"channel": "app", "user": "u-1"}
    assert (await world.http.post(world.url("/api/v1/sessions"), json=body)).status_code == 403
    service = as_bearer(world.authority.issue(Principal("app", Role.SERVICE)))
    assert (await world.http.post(world.url("/api/v1/sessions"), json=body, headers=service)).status_code == 201


async def test_opening_is_limited_per_address(world: World) -> None:
    for _ in range(5):
        await world.open()
    refused = await world.http.post(world.url("/api/v1/sessions"), json={})
    assert refused.status_code == 429 and int(refused.headers["Retry-After"]) > 0


@pytest.mark.parametrize(
    "body", [{"text": ""}, {"text": "x" * 1001}, {"txt": "x"}, {"text": "x", "kind": "shout"}, {"text": "x", "turn": 9}]
)
async def test_bad_bodies_are_the_callers_fault(world: World, body: dict[str, Any]) -> None:
    session, token = await world.open()
    answer = await world.http.post(world.url(f"/api/v1/sessions/{session}/turns"), json=body, headers=as_bearer(token))
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "bad_input"


async def receive(ws: Any, kind: str) -> dict[str, Any]:
    async with asyncio.timeout(10):
        while True:
            event: dict[str, Any] = json.loads(await ws.recv())
            if event["type"] == kind:
                return event


async def test_websocket_conversation_survives_a_broken_connection(world: World) -> None:
    session, token = await world.open()
    async with world.socket(session) as ws:
        await ws.send(json.dumps({"type": "hello", "token": token, "seen": 0}))
        assert (await receive(ws, "welcome"))["next_turn"] == 1
        seen = (await receive(ws, "reply_end"))["seq"]
        await ws.send(json.dumps({"type": "user", "turn": 1, "text": "慢"}))
        await world.dialog.entered.wait()
    world.dialog.gate.set()
    async with world.socket(session) as ws:
        await ws.send(json.dumps({"type": "hello", "token": token, "seen": seen}))
        assert (await receive(ws, "welcome"))["next_turn"] == 2
        await ws.send(json.dumps({"type": "user", "turn": 1, "text": "慢"}))
        assert (await receive(ws, "chunk"))["text"] == "你说慢"
    assert len(world.dialog.turns) == 1


async def test_websocket_refusals(world: World) -> None:
    session, token = await world.open()
    async with world.socket(session) as ws:
        await ws.send(json.dumps({"type": "hello", "token": "forged"}))
        assert (await receive(ws, "refused"))["error"]["code"] == "unauthenticated"
        with pytest.raises(ConnectionClosed):
            await ws.recv()
    async with world.socket(session) as ws:
        await ws.send(json.dumps({"type": "hello", "token": token}))
        await receive(ws, "welcome")
        await ws.send("not json")
        assert (await receive(ws, "refused"))["error"]["code"] == "bad_input"
        await ws.send(json.dumps({"type": "user", "turn": 7, "text": "喂"}))
        assert "ahead" in (await receive(ws, "refused"))["error"]["message"]
        await ws.send(json.dumps({"type": "user", "turn": 1, "text": "再见"}))
        await receive(ws, "hang_up")
        with pytest.raises(ConnectionClosed):
            await receive(ws, "nothing more")


async def test_the_page_brings_everything_itself(world: World) -> None:
    page = await world.http.get(world.url("/"))
    assert "default-src 'self'" in page.headers["Content-Security-Policy"]
    for path in ("/static/chat.js", "/static/chat.css", "/static/icon.svg", "/healthz"):
        assert (await world.http.get(world.url(path))).status_code == 200
    assert "http://" not in page.text and "https://" not in page.text
