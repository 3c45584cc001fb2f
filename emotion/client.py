"""`EmotionService` over gRPC."""

from __future__ import annotations

from common.pb import emotion_pb2_grpc
from common.rpc.client import RpcClient
from emotion.api import AssessRequest, EmotionReading, HearRequest, HearResult
from emotion.convert import assess_to_pb, hear_to_pb, heard_from_pb, reading_from_pb


class EmotionClient:
    """Callers cannot tell it from the service in place."""

    def __init__(self, rpc: RpcClient) -> None:
        self._rpc = rpc
        self._stub = emotion_pb2_grpc.EmotionStub(rpc.channel)

    async def hear(self, request: HearRequest) -> HearResult:
        """See `EmotionService.hear`."""
        return heard_from_pb(await self._rpc.unary(self._stub.Hear, hear_to_pb(request)))

    async def assess(self, request: AssessRequest) -> EmotionReading:
        """See `EmotionService.assess`."""
        return reading_from_pb(await self._rpc.unary(self._stub.Assess, assess_to_pb(request)))

    async def aclose(self) -> None:
        """Close the channel."""
        await self._rpc.aclose()
