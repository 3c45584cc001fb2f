"""A gRPC server with everything a service here needs: guard, health, reflection, graceful drain.

async with GrpcServer("127.0.0.1:0", authority) as server:
    server.add(lambda s: add_NluServicer_to_server(servicer, s), "hotline.v1.Nlu", {Role.SERVICE})
    await server.start()
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from types import TracebackType

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from common.auth import Authority, Role
from common.errors import Misconfigured
from common.rpc.interceptor import Guard
from common.telemetry import get_logger

log = get_logger(__name__)
_OPTIONS = (
    ("grpc.so_reuseport", 0),
    ("grpc.max_receive_message_length", 16 * 1024 * 1024),
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.http2.max_pings_without_data", 0),
)


class GrpcServer:
    """Serves any number of services on one address; port 0 takes a free one (`port` tells which)."""

    def __init__(
        self,
        address: str,
        authority: Authority,
        *,
        max_concurrent: int = 512,
        unary_limit_s: float = 10.0,
        drain_s: float = 10.0,
    ) -> None:
        self._address = address
        self._roles: dict[str, frozenset[Role]] = {reflection.SERVICE_NAME: frozenset(Role)}
        self._drain_s = drain_s
        self._health = health.aio.HealthServicer()  # type: ignore[attr-defined]
        self._server = grpc.aio.server(
            interceptors=[Guard(authority, self._roles, unary_limit_s=unary_limit_s)],
            maximum_concurrent_rpcs=max_concurrent,
            options=_OPTIONS,
        )
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        self._stopped = False
        self.port = 0

    def add(self, register: Callable[[grpc.aio.Server], None], service: str, roles: Collection[Role]) -> None:
        """Add one service by its full name; `roles` may call it (admin always may)."""
        register(self._server)
        self._roles[service] = frozenset(roles)

    async def start(self) -> int:
        """Listen; returns the port. Misconfigured when the address cannot be bound."""
        names = [*self._roles, health_pb2.DESCRIPTOR.services_by_name["Health"].full_name]
        reflection.enable_server_reflection(names, self._server)
        try:
            self.port = self._server.add_insecure_port(self._address)
        except RuntimeError as error:
            raise Misconfigured(f"cannot listen on {self._address}: {error}; is the port taken?") from None
        await self._server.start()
        for name in ("", *self._roles):
            await self._health.set(name, health_pb2.HealthCheckResponse.SERVING)
        log.info("grpc_started", port=self.port)
        return self.port

    async def aclose(self) -> None:
        """Report NOT_SERVING, refuse new calls, let running ones end (bounded); may be called twice."""
        if self._stopped:
            return
        self._stopped = True
        await self._health.enter_graceful_shutdown()
        await self._server.stop(self._drain_s)

    async def __aenter__(self) -> GrpcServer:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()
