"""gRPC servicer of conversations."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

from common.auth import Role
from common.pb import dialog_pb2 as pb
from common.pb import dialog_pb2_grpc
from common.rpc.server import GrpcServer
from dialog.api import DialogService, ReplyEvent
from dialog.convert import event_to_pb, item_to_pb, start_from_pb, turn_from_pb


class DialogServicer(dialog_pb2_grpc.DialogServicer):
    """Thin."""

    def __init__(self, service: DialogService) -> None:
        self._service = service

    async def Open(self, request: pb.SessionStart, context: Any) -> AsyncIterator[pb.ReplyEvent]:
        """Begin or resume."""
        async for event in _events(self._service.open(start_from_pb(request))):
            yield event

    async def Respond(self, request: pb.UserTurn, context: Any) -> AsyncIterator[pb.ReplyEvent]:
        """Answer one turn."""
        async for event in _events(self._service.respond(turn_from_pb(request))):
            yield event

    async def Interrupted(self, request: pb.InterruptedRequest, context: Any) -> pb.InterruptedResponse:
        """The person talked over a reply."""
        await self._service.interrupted(request.session, request.reply_id, request.heard)
        return pb.InterruptedResponse()

    async def TransferFailed(self, request: pb.TransferFailedRequest, context: Any) -> pb.TransferFailedResponse:
        """The hand-over reached nobody."""
        await self._service.transfer_failed(request.session, request.reason)
        return pb.TransferFailedResponse()

    async def Feedback(self, request: pb.FeedbackRequest, context: Any) -> pb.FeedbackResponse:
        """Did this solve your problem?"""
        await self._service.feedback(request.session, request.solved, request.comment)
        return pb.FeedbackResponse()

    async def Close(self, request: pb.CloseRequest, context: Any) -> pb.CloseResponse:
        """The conversation is over."""
        await self._service.close(request.session, request.reason)
        return pb.CloseResponse()

    async def History(self, request: pb.HistoryRequest, context: Any) -> pb.HistoryResponse:
        """Masked history."""
        items = await self._service.history(request.session, request.after)
        return pb.HistoryResponse(items=[item_to_pb(item) for item in items])

    async def FixedPrompts(self, request: pb.FixedPromptsRequest, context: Any) -> pb.FixedPromptsResponse:
        """Prompts without variables."""
        return pb.FixedPromptsResponse(prompts=await self._service.fixed_prompts())


async def _events(events: AsyncIterator[ReplyEvent]) -> AsyncIterator[pb.ReplyEvent]:
    async with aclosing(events) as stream:  # type: ignore[type-var]
        async for event in stream:
            yield event_to_pb(event)


def register(server: GrpcServer, service: DialogService) -> None:
    """Serve `service` on `server`."""
    server.add(
        lambda to: dialog_pb2_grpc.add_DialogServicer_to_server(DialogServicer(service), to),
        "hotline.v1.Dialog",
        {Role.SERVICE},
    )
