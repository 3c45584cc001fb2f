"""`NluService` over gRPC."""

from __future__ import annotations

from common.pb import nlu_pb2_grpc
from common.rpc.client import RpcClient
from nlu.api import NluRequest, NluResult
from nlu.convert import request_to_pb, result_from_pb


class NluClient:
    """Callers cannot tell it from the service in place."""

    def __init__(self, rpc: RpcClient) -> None:
        self._rpc = rpc
        self._stub = nlu_pb2_grpc.NluStub(rpc.channel)

    async def parse(self, request: NluRequest) -> NluResult:
        """See `NluService.parse`."""
        return result_from_pb(await self._rpc.unary(self._stub.Parse, request_to_pb(request)))

    async def aclose(self) -> None:
        """Close the channel."""
        await self._rpc.aclose()
