"""The client's side of an RPC: token, trace id, deadline, errors mapped back into the house's tree."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import TypeVar

import grpc

from common.rpc.errors import from_rpc
from common.rpc.interceptor import TRACE_KEY
from common.telemetry import trace_id

Request = TypeVar("Request")
Response = TypeVar("Response")

_OPTIONS = (
    ("grpc.max_receive_message_length", 16 * 1024 * 1024),
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_permit_without_calls", 0),
    ("grpc.initial_reconnect_backoff_ms", 200),
    ("grpc.max_reconnect_backoff_ms", 2_000),
)


class RpcClient:
    """One channel to one service. `token` gives a fresh bearer token for each call."""

    def __init__(self, address: str, token: Callable[[], str], *, timeout_s: float = 5.0) -> None:
        self.channel = grpc.aio.insecure_channel(address, options=_OPTIONS)
        self._token = token
        self._address = address
        self._timeout_s = timeout_s

    def _metadata(self) -> tuple[tuple[str, str], ...]:
        return ("authorization", f"Bearer {self._token()}"), (TRACE_KEY, trace_id.get())

    async def unary(
        self,
        method: grpc.aio.UnaryUnaryMultiCallable[Request, Response],
        request: Request,
        *,
        timeout_s: float | None = None,
    ) -> Response:
        """One request, one response. Raises HotlineError."""
        try:
            return await method(request, timeout=timeout_s or self._timeout_s, metadata=self._metadata())
        except grpc.aio.AioRpcError as error:
            raise from_rpc(error, self._address) from None

    async def stream(
        self,
        method: grpc.aio.UnaryStreamMultiCallable[Request, Response],
        request: Request,
        *,
        timeout_s: float | None = None,
    ) -> AsyncIterator[Response]:
        """One request, many responses; closing the iterator cancels the call. `timeout_s` bounds the whole stream."""
        call = method(request, timeout=timeout_s, metadata=self._metadata())
        try:
            async for response in call:
                yield response
        except grpc.aio.AioRpcError as error:
            raise from_rpc(error, self._address) from None
        finally:
            call.cancel()

    async def converse(
        self,
        method: grpc.aio.StreamStreamMultiCallable[Request, Response],
        requests: AsyncIterator[Request],
        *,
        timeout_s: float | None = None,
    ) -> AsyncIterator[Response]:
        """Many requests, many responses; closing the iterator cancels the call."""
        call = method(requests, timeout=timeout_s, metadata=self._metadata())
        try:
            async for response in call:
                yield response
        except grpc.aio.AioRpcError as error:
            raise from_rpc(error, self._address) from None
        finally:
            call.cancel()

    async def aclose(self) -> None:
        """Close the channel; may be called twice."""
        await self.channel.close(None)
