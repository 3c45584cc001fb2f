"""The one server interceptor: trace id, token and role, default deadline, errors to status, metrics."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextvars import ContextVar
from typing import Any

import grpc
from prometheus_client import Counter, Gauge, Histogram

from common.auth import Authority, Principal, Role, bearer
from common.errors import Forbidden, HotlineError, Internal, TimedOut
from common.rpc.errors import status_of, trailers_of
from common.telemetry import get_logger, trace_id

TRACE_KEY = "x-trace-id"
OPEN_SERVICES = frozenset({"grpc.health.v1.Health"})

log = get_logger(__name__)
principal: ContextVar[Principal | None] = ContextVar("principal", default=None)
"""Who makes the current request; set inside a handler."""

_calls = Counter("hotline_rpc_total", "RPCs served", ["service", "method", "status"])
_seconds = Histogram("hotline_rpc_seconds", "Time to serve an RPC, streams to their end", ["service", "method"])
_running = Gauge("hotline_rpc_running", "RPCs being served", ["service"])

Handler = Any  # grpc.RpcMethodHandler: the grpc package gives it no useful type


class Guard(grpc.aio.ServerInterceptor):  # type: ignore[type-arg]
    """Wraps every handler. `roles` names who may call each service; a service it does not name is admin's only."""

    def __init__(self, authority: Authority, roles: Mapping[str, frozenset[Role]], *, unary_limit_s: float) -> None:
        self._authority = authority
        self._roles = roles
        self._limit = unary_limit_s

    async def intercept_service(
        self, continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Handler]], details: grpc.HandlerCallDetails
    ) -> Handler:
        """The handler of `details.method`, wrapped."""
        handler = await continuation(details)
        service, _, method = details.method.lstrip("/").partition("/")
        if handler is None or service in OPEN_SERVICES:
            return handler
        metadata = {str(key): value for key, value in details.invocation_metadata or ()}
        call = _Call(self, service, method, metadata)
        wrap: Callable[..., Handler] = {
            (False, False): grpc.unary_unary_rpc_method_handler,
            (False, True): grpc.unary_stream_rpc_method_handler,
            (True, False): grpc.stream_unary_rpc_method_handler,
            (True, True): grpc.stream_stream_rpc_method_handler,
        }[handler.request_streaming, handler.response_streaming]
        inner = (
            (handler.stream_stream if handler.request_streaming else handler.unary_stream)
            if handler.response_streaming
            else (handler.stream_unary if handler.request_streaming else handler.unary_unary)
        )
        served = call.streaming(inner) if handler.response_streaming else call.unary(inner)
        return wrap(
            served,
            request_deserializer=handler.request_deserializer,
            response_serializer=handler.response_serializer,
        )

    def admit(self, service: str, metadata: Mapping[str, Any]) -> Principal:
        """Who calls. Raises Unauthenticated or Forbidden."""
        who = self._authority.verify(bearer(str(metadata.get("authorization", ""))))
        who.require(self._roles.get(service, frozenset()))
        return who

    @property
    def unary_limit_s(self) -> float:
        """Deadline of a unary call whose client gave none."""
        return self._limit


class _Call:
    """One RPC on its way through the guard."""

    def __init__(self, guard: Guard, service: str, method: str, metadata: Mapping[str, Any]) -> None:
        self._guard = guard
        self._service = service
        self._method = method
        self._metadata = metadata

    def unary(self, inner: Callable[[Any, Any], Awaitable[Any]]) -> Callable[[Any, Any], Awaitable[Any]]:
        """A handler that answers one message, within its deadline."""

        async def serve(request: Any, context: Any) -> Any:
            started = self._enter()
            status = grpc.StatusCode.OK
            try:
                principal.set(self._guard.admit(self._service, self._metadata))
                async with asyncio.timeout(context.time_remaining() or self._guard.unary_limit_s):
                    return await inner(request, context)
            except BaseException as error:
                status, failure = self._failure(error)
                if failure is None:
                    raise
                await context.abort(status, failure.message, trailers_of(failure))
            finally:
                self._leave(started, status)

        return serve

    def streaming(self, inner: Callable[[Any, Any], AsyncIterator[Any]]) -> Callable[[Any, Any], AsyncIterator[Any]]:
        """A handler that answers many messages; its deadline is the client's."""

        async def serve(request: Any, context: Any) -> AsyncIterator[Any]:
            started = self._enter()
            status = grpc.StatusCode.OK
            try:
                principal.set(self._guard.admit(self._service, self._metadata))
                async for response in inner(request, context):
                    yield response
            except BaseException as error:
                status, failure = self._failure(error)
                if failure is None:
                    raise
                await context.abort(status, failure.message, trailers_of(failure))
            finally:
                self._leave(started, status)

        return serve

    def _enter(self) -> float:
        trace_id.set(str(self._metadata.get(TRACE_KEY) or secrets.token_hex(8)))
        _running.labels(self._service).inc()
        return time.perf_counter()

    def _leave(self, started: float, status: grpc.StatusCode) -> None:
        _running.labels(self._service).dec()
        _calls.labels(self._service, self._method, status.name).inc()
        _seconds.labels(self._service, self._method).observe(time.perf_counter() - started)

    def _failure(self, error: BaseException) -> tuple[grpc.StatusCode, HotlineError | None]:
        """The status to answer, and the error behind it; None for a cancellation, which passes through."""
        if isinstance(error, asyncio.CancelledError | GeneratorExit | grpc.aio.AbortError):
            return grpc.StatusCode.CANCELLED, None
        if isinstance(error, TimeoutError):
            error = TimedOut(f"{self._service}.{self._method} took longer than its deadline")
        if not isinstance(error, HotlineError):
            log.error("rpc_failed", rpc=f"{self._service}.{self._method}", exc_info=error)
            error = Internal("an internal error; the server's log has it under the trace id " + trace_id.get())
        elif isinstance(error, Forbidden):
            log.warning("rpc_forbidden", rpc=f"{self._service}.{self._method}")
        return status_of(error), error
