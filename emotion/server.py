"""gRPC servicer of emotion analysis."""

from __future__ import annotations

from typing import Any

from common.auth import Role
from common.pb import emotion_pb2, emotion_pb2_grpc
from common.rpc.server import GrpcServer
from emotion.api import EmotionService
from emotion.convert import assess_from_pb, hear_from_pb, heard_to_pb, reading_to_pb


class EmotionServicer(emotion_pb2_grpc.EmotionServicer):
    """Thin."""

    def __init__(self, service: EmotionService) -> None:
        self._service = service

    async def Hear(self, request: emotion_pb2.HearRequest, context: Any) -> emotion_pb2.HearResponse:
        """Acoustic reading of one utterance."""
        return heard_to_pb(await self._service.hear(hear_from_pb(request)))

    async def Assess(self, request: emotion_pb2.AssessRequest, context: Any) -> emotion_pb2.EmotionReading:
        """Fused reading of one turn."""
        return reading_to_pb(await self._service.assess(assess_from_pb(request)))


def register(server: GrpcServer, service: EmotionService) -> None:
    """Serve `service` on `server`."""
    server.add(
        lambda to: emotion_pb2_grpc.add_EmotionServicer_to_server(EmotionServicer(service), to),
        "hotline.v1.Emotion",
        {Role.SERVICE},
    )
