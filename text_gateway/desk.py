"""Where text hand-overs go: a webhook of the company's agent desk, or nowhere (which is said honestly)."""

from __future__ import annotations

from dataclasses import asdict

import httpx
from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_attempt, wait_exponential_jitter

from common.errors import Unavailable
from dialog.api import HandoffSummary


class NoDesk:
    """No human desk is configured: every hand-over fails, and the dialog goes on with a ticket instead."""

    async def bring_in(self, summary: HandoffSummary) -> None:
        """Always Unavailable."""
        raise Unavailable("no human desk is configured; set text.handoff_url")

    async def aclose(self) -> None:
        """Nothing to close."""


class WebhookDesk:
    """Posts the summary as JSON; 2xx means that the desk has taken it over. Three tries."""

    def __init__(self, url: str, token: str, *, timeout_s: float = 5.0) -> None:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._client = httpx.AsyncClient(timeout=timeout_s, headers=headers)
        self._url = url

    async def bring_in(self, summary: HandoffSummary) -> None:
        """Tell the desk. Unavailable when it cannot be reached or refuses."""
        try:
            async for attempt in AsyncRetrying(
                stop=stop_after_attempt(3),
                wait=wait_exponential_jitter(multiplier=0.2, max=1.0),
                retry=retry_if_exception_type((httpx.TransportError, _Retry)),
                reraise=True,
            ):
                with attempt:
                    response = await self._client.post(self._url, json=asdict(summary))
                    if response.status_code >= 500:
                        raise _Retry(f"the desk answered {response.status_code}")
        except (httpx.TransportError, _Retry) as error:
            raise Unavailable(f"the human desk at {self._url} cannot be told: {error}") from None
        if response.status_code >= 300:
            raise Unavailable(f"the human desk at {self._url} refused the hand-over: {response.status_code}")

    async def aclose(self) -> None:
        """Close connections; may be called twice."""
        await self._client.aclose()


class _Retry(Exception):
    """The desk had a passing fault."""
