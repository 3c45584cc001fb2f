"""`DialogService` over gRPC."""

from __future__ import annotations

from collections.abc import AsyncIterator

from common.pb import dialog_pb2 as pb
from common.pb import dialog_pb2_grpc
from common.rpc.client import RpcClient
from dialog.api import HistoryItem, ReplyEvent, SessionStart, UserTurn
from dialog.convert import event_from_pb, item_from_pb, start_to_pb, turn_to_pb

REPLY_S = 60.0


class DialogClient:
    """Callers cannot tell it from the service in place."""

    def __init__(self, rpc: RpcClient) -> None:
        self._rpc = rpc
        self._stub = dialog_pb2_grpc.DialogStub(rpc.channel)

    async def open(self, start: SessionStart) -> AsyncIterator[ReplyEvent]:
        """See `DialogService.open`."""
        async for event in self._rpc.stream(self._stub.Open, start_to_pb(start), timeout_s=REPLY_S):
            yield event_from_pb(event)

    async def respond(self, turn: UserTurn) -> AsyncIterator[ReplyEvent]:
        """See `DialogService.respond`."""
        async for event in self._rpc.stream(self._stub.Respond, turn_to_pb(turn), timeout_s=REPLY_S):
            yield event_from_pb(event)

    async def interrupted(self, session: str, reply_id: str, heard: str) -> None:
        """See `DialogService.interrupted`."""
        request = pb.InterruptedRequest(session=session, reply_id=reply_id, heard=heard)
        await self._rpc.unary(self._stub.Interrupted, request)

    async def transfer_failed(self, session: str, reason: str) -> None:
        """See `DialogService.transfer_failed`."""
        await self._rpc.unary(self._stub.TransferFailed, pb.TransferFailedRequest(session=session, reason=reason))

    async def feedback(self, session: str, solved: bool, comment: str = "") -> None:
        """See `DialogService.feedback`."""
        request = pb.FeedbackRequest(session=session, solved=solved, comment=comment)
        await self._rpc.unary(self._stub.Feedback, request)

    async def close(self, session: str, reason: str) -> None:
        """See `DialogService.close`."""
        await self._rpc.unary(self._stub.Close, pb.CloseRequest(session=session, reason=reason))

    async def history(self, session: str, after: int = 0) -> tuple[HistoryItem, ...]:
        """See `DialogService.history`."""
        response = await self._rpc.unary(self._stub.History, pb.HistoryRequest(session=session, after=after))
        return tuple(item_from_pb(item) for item in response.items)

    async def fixed_prompts(self) -> tuple[str, ...]:
        """See `DialogService.fixed_prompts`."""
        return tuple((await self._rpc.unary(self._stub.FixedPrompts, pb.FixedPromptsRequest())).prompts)

    async def aclose(self) -> None:
        """Close the channel."""
        await self._rpc.aclose()
