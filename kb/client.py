"""`KbService` over gRPC."""

from __future__ import annotations

from collections.abc import Sequence

from common.pb import kb_pb2, kb_pb2_grpc
from common.rpc.client import RpcClient
from kb.api import Answer, Entry, Hit
from kb.convert import answer_from_pb, entry_to_pb, hit_from_pb

UPSERT_S = 120.0


class KbClient:
    """Callers cannot tell it from the service in place."""

    def __init__(self, rpc: RpcClient) -> None:
        self._rpc = rpc
        self._stub = kb_pb2_grpc.KbStub(rpc.channel)

    async def search(self, query: str, *, limit: int = 5, tags: Sequence[str] = ()) -> tuple[Hit, ...]:
        """See `KbService.search`."""
        request = kb_pb2.SearchRequest(query=query, limit=limit, tags=tags)
        return tuple(hit_from_pb(hit) for hit in (await self._rpc.unary(self._stub.Search, request)).hits)

    async def answer(self, question: str, *, tags: Sequence[str] = ()) -> Answer:
        """See `KbService.answer`."""
        request = kb_pb2.AnswerRequest(question=question, tags=tags)
        return answer_from_pb(await self._rpc.unary(self._stub.Answer, request))

    async def upsert(self, entries: Sequence[Entry]) -> int:
        """See `KbService.upsert`."""
        request = kb_pb2.UpsertRequest(entries=[entry_to_pb(entry) for entry in entries])
        return (await self._rpc.unary(self._stub.Upsert, request, timeout_s=UPSERT_S)).written

    async def delete(self, ids: Sequence[str]) -> int:
        """See `KbService.delete`."""
        return (await self._rpc.unary(self._stub.Delete, kb_pb2.DeleteRequest(ids=ids))).deleted

    async def count(self) -> int:
        """See `KbService.count`."""
        return (await self._rpc.unary(self._stub.Count, kb_pb2.CountRequest())).count

    async def ids(self, prefix: str = "") -> tuple[str, ...]:
        """See `KbService.ids`."""
        found: list[str] = []
        async for part in self._rpc.stream(self._stub.Ids, kb_pb2.IdsRequest(prefix=prefix), timeout_s=60.0):
            found.extend(part.ids)
        return tuple(found)

    async def texts(self) -> tuple[str, ...]:
        """See `KbService.texts`."""
        found: list[str] = []
        async for part in self._rpc.stream(self._stub.Texts, kb_pb2.TextsRequest(), timeout_s=60.0):
            found.extend(part.texts)
        return tuple(found)

    async def aclose(self) -> None:
        """Close the channel."""
        await self._rpc.aclose()
