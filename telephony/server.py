"""gRPC servicer of telephone control."""

from __future__ import annotations

from typing import Any

from common.auth import Role
from common.pb import telephony_pb2 as pb
from common.pb import telephony_pb2_grpc
from common.rpc.server import GrpcServer
from telephony.api import TelephonyControl
from telephony.convert import status_to_pb


class TelephonyServicer(telephony_pb2_grpc.TelephonyServicer):
    """Thin."""

    def __init__(self, service: TelephonyControl) -> None:
        self._service = service

    async def PlaceCall(self, request: pb.PlaceCallRequest, context: Any) -> pb.CallStatus:
        """Answers when the far end did; a client that goes away cancels the call."""
        return status_to_pb(await self._service.order_call(request.uri, request.purpose, request.ring_timeout_s))

    async def ListCalls(self, request: pb.ListCallsRequest, context: Any) -> pb.ListCallsResponse:
        """Calls that ring or run."""
        return pb.ListCallsResponse(calls=[status_to_pb(call) for call in await self._service.list_calls()])

    async def Transfer(self, request: pb.TransferRequest, context: Any) -> pb.TransferResponse:
        """Blind transfer."""
        return pb.TransferResponse(outcome=(await self._service.transfer(request.id, request.target)).value)

    async def HangUpCall(self, request: pb.HangUpCallRequest, context: Any) -> pb.HangUpCallResponse:
        """End a call."""
        await self._service.hang_up(request.id)
        return pb.HangUpCallResponse()


def register(server: GrpcServer, service: TelephonyControl) -> None:
    """Serve `service` on `server`, for the house itself and for human agents."""
    server.add(
        lambda to: telephony_pb2_grpc.add_TelephonyServicer_to_server(TelephonyServicer(service), to),
        "hotline.v1.Telephony",
        {Role.SERVICE, Role.AGENT},
    )
