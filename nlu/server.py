"""gRPC servicer of understanding."""

from __future__ import annotations

from typing import Any

from common.auth import Role
from common.pb import nlu_pb2, nlu_pb2_grpc
from common.rpc.server import GrpcServer
from nlu.api import NluService
from nlu.convert import request_from_pb, result_to_pb


class NluServicer(nlu_pb2_grpc.NluServicer):
    """Thin."""

    def __init__(self, service: NluService) -> None:
        self._service = service

    async def Parse(self, request: nlu_pb2.ParseRequest, context: Any) -> nlu_pb2.ParseResponse:
        """Understand one text."""
        return result_to_pb(await self._service.parse(request_from_pb(request)))


def register(server: GrpcServer, service: NluService) -> None:
    """Serve `service` on `server`."""
    server.add(
        lambda to: nlu_pb2_grpc.add_NluServicer_to_server(NluServicer(service), to), "hotline.v1.Nlu", {Role.SERVICE}
    )
