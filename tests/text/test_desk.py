"""The human desk's webhook over a real socket: told, told after a fault, refused, absent."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from fastapi import FastAPI, Request, Response

from common.errors import Unavailable
from dialog.api import HandoffSummary
from text_gateway.desk import NoDesk, WebhookDesk
from text_gateway.web import WebServer

SUMMARY = HandoffSummary("s1", "emotion", "客户很着急", {"order_number": "2026"}, (0.1, 0.9), "快点")


class Desk:
    """Answers with the statuses it was given, then 200."""

    def __init__(self) -> None:
        self.statuses: list[int] = []
        self.told: list[dict[str, Any]] = []
        self.tokens: list[str] = []
        app = FastAPI()

        @app.post("/handoff")
        async def handoff(request: Request) -> Response:
            self.tokens.append(request.headers.get("authorization", ""))
            status = self.statuses.pop(0) if self.statuses else 200
            if status == 200:
                self.told.append(await request.json())
            return Response(status_code=status)

        self.server = WebServer(app, "127.0.0.1", 0)

    def client(self) -> WebhookDesk:
        return WebhookDesk(f"http://127.0.0.1:{self.server.port}/handoff", "secret")


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    it = Desk()
    async with it.server:
        yield it


@pytest.mark.parametrize("faults", [[], [500], [503, 502]])
async def test_a_passing_fault_is_tried_again(desk: Desk, faults: list[int]) -> None:
    desk.statuses = list(faults)
    client = desk.client()
    await client.bring_in(SUMMARY)
    await client.aclose()
    assert [told["summary"] for told in desk.told] == ["客户很着急"]
    assert set(desk.tokens) == {"Bearer secret"} and len(desk.tokens) == len(faults) + 1


@pytest.mark.parametrize("statuses", [[500, 500, 500], [403]])
async def test_a_desk_that_does_not_take_over_is_unavailable(desk: Desk, statuses: list[int]) -> None:
    desk.statuses = list(statuses)
    client = desk.client()
    with pytest.raises(Unavailable):
        await client.bring_in(SUMMARY)
    await client.aclose()
    assert desk.told == []


async def test_no_desk_says_so() -> None:
    with pytest.raises(Unavailable, match="handoff_url"):
        await NoDesk().bring_in(SUMMARY)
    gone = WebhookDesk("http://127.0.0.1:9/handoff", "")
    with pytest.raises(Unavailable):
        await gone.bring_in(SUMMARY)
    await gone.aclose()
