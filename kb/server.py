"""gRPC servicer of the knowledge base."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from common.auth import Role
from common.pb import kb_pb2, kb_pb2_grpc
from common.rpc.server import GrpcServer
from kb.api import KbService
from kb.convert import answer_to_pb, entry_from_pb, hit_to_pb

DEFAULT_LIMIT = 5
TEXTS_A_MESSAGE = 500
IDS_A_MESSAGE = 5000


class KbServicer(kb_pb2_grpc.KbServicer):
    """Thin."""

    def __init__(self, service: KbService) -> None:
        self._service = service

    async def Search(self, request: kb_pb2.SearchRequest, context: Any) -> kb_pb2.SearchResponse:
        """Best entries first."""
        hits = await self._service.search(request.query, limit=request.limit or DEFAULT_LIMIT, tags=tuple(request.tags))
        return kb_pb2.SearchResponse(hits=[hit_to_pb(hit) for hit in hits])

    async def Answer(self, request: kb_pb2.AnswerRequest, context: Any) -> kb_pb2.AnswerResponse:
        """A grounded answer."""
        return answer_to_pb(await self._service.answer(request.question, tags=tuple(request.tags)))

    async def Upsert(self, request: kb_pb2.UpsertRequest, context: Any) -> kb_pb2.UpsertResponse:
        """Insert or replace."""
        written = await self._service.upsert([entry_from_pb(entry) for entry in request.entries])
        return kb_pb2.UpsertResponse(written=written)

    async def Delete(self, request: kb_pb2.DeleteRequest, context: Any) -> kb_pb2.DeleteResponse:
        """Delete by id."""
        return kb_pb2.DeleteResponse(deleted=await self._service.delete(tuple(request.ids)))

    async def Count(self, request: kb_pb2.CountRequest, context: Any) -> kb_pb2.CountResponse:
        """Number of entries."""
        return kb_pb2.CountResponse(count=await self._service.count())

    async def Ids(self, request: kb_pb2.IdsRequest, context: Any) -> AsyncIterator[kb_pb2.IdsResponse]:
        """Ids that begin with a prefix, in portions."""
        ids = await self._service.ids(request.prefix)
        for start in range(0, len(ids), IDS_A_MESSAGE):
            yield kb_pb2.IdsResponse(ids=ids[start : start + IDS_A_MESSAGE])

    async def Texts(self, request: kb_pb2.TextsRequest, context: Any) -> AsyncIterator[kb_pb2.TextsResponse]:
        """The tenant's own words, in portions."""
        texts = await self._service.texts()
        for start in range(0, len(texts), TEXTS_A_MESSAGE):
            yield kb_pb2.TextsResponse(texts=texts[start : start + TEXTS_A_MESSAGE])


def register(server: GrpcServer, service: KbService) -> None:
    """Serve `service` on `server`."""
    server.add(
        lambda to: kb_pb2_grpc.add_KbServicer_to_server(KbServicer(service), to), "hotline.v1.Kb", {Role.SERVICE}
    )
