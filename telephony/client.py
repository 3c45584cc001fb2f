"""`TelephonyControl` over gRPC."""

from __future__ import annotations

from common.pb import telephony_pb2 as pb
from common.pb import telephony_pb2_grpc
from common.rpc.client import RpcClient
from telephony.api import CallStatus
from telephony.convert import status_from_pb
from voice_gateway.api import TransferOutcome

ANSWER_S = 60.0  # how long a far end may ring when nothing else is said
TRANSFER_S = 60.0
GRACE_S = 5.0


class TelephonyClient:
    """Callers cannot tell it from the edge in place."""

    def __init__(self, rpc: RpcClient) -> None:
        self._rpc = rpc
        self._stub = telephony_pb2_grpc.TelephonyStub(rpc.channel)

    async def order_call(self, uri: str, purpose: str = "", ring_timeout_s: float = 0.0) -> CallStatus:
        """See `TelephonyControl.order_call`."""
        request = pb.PlaceCallRequest(uri=uri, purpose=purpose, ring_timeout_s=ring_timeout_s)
        limit = (ring_timeout_s or ANSWER_S) + GRACE_S
        return status_from_pb(await self._rpc.unary(self._stub.PlaceCall, request, timeout_s=limit))

    async def list_calls(self) -> tuple[CallStatus, ...]:
        """See `TelephonyControl.list_calls`."""
        found = await self._rpc.unary(self._stub.ListCalls, pb.ListCallsRequest())
        return tuple(status_from_pb(call) for call in found.calls)

    async def transfer(self, call: str, target: str) -> TransferOutcome:
        """See `TelephonyControl.transfer`."""
        request = pb.TransferRequest(id=call, target=target)
        answer = await self._rpc.unary(self._stub.Transfer, request, timeout_s=TRANSFER_S)
        return TransferOutcome(answer.outcome)

    async def hang_up(self, call: str) -> None:
        """See `TelephonyControl.hang_up`."""
        await self._rpc.unary(self._stub.HangUpCall, pb.HangUpCallRequest(id=call))

    async def aclose(self) -> None:
        """Close the channel."""
        await self._rpc.aclose()
