"""gRPC servicer of text channels: one stream is one connection to one conversation."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from common.auth import Authority, Principal, Role
from common.errors import BadInput, HotlineError, Unauthenticated
from common.pb import chat_pb2 as pb
from common.pb import chat_pb2_grpc
from common.rpc.interceptor import principal
from common.rpc.server import GrpcServer
from dialog.convert import channel_from_pb
from text_gateway.api import ChatService, Failure, Outgoing
from text_gateway.convert import outgoing_to_pb, user_from_pb

HELLO_WITHIN_S = 10.0
TOKEN_TTL_S = 24 * 3600.0
READY = 64


class ChatServicer(chat_pb2_grpc.ChatServicer):
    """A service opens conversations for its users; a caller comes back to their own."""

    def __init__(self, chat: ChatService, authority: Authority) -> None:
        self._chat = chat
        self._authority = authority

    async def Converse(self, requests: AsyncIterator[pb.ChatIn], context: Any) -> AsyncIterator[pb.ChatOut]:
        """Hello first; then messages in, events out, until either side ends."""
        who = principal.get()
        if who is None:
            raise Unauthenticated("no token")
        hello = await self._hello(requests)
        session, token = await self._session(who, hello)
        ready: asyncio.Queue[pb.ChatOut | HotlineError | None] = asyncio.Queue(READY)

        async def downstream() -> None:
            try:
                async for out in self._chat.subscribe(session, hello.seen):
                    await ready.put(outgoing_to_pb(out, token))
                await ready.put(None)
            except HotlineError as error:
                await ready.put(error)

        async def upstream() -> None:
            async for request in requests:
                try:
                    await self._take(session, request)
                except HotlineError as error:
                    refused = Failure(error.code, error.message, error.retryable)
                    await ready.put(outgoing_to_pb(Outgoing(0, request.user.turn, refused)))

        tasks = [asyncio.create_task(downstream()), asyncio.create_task(upstream())]
        try:
            while (out := await ready.get()) is not None:
                if isinstance(out, HotlineError):
                    raise out
                yield out
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _hello(self, requests: AsyncIterator[pb.ChatIn]) -> pb.Hello:
        try:
            async with asyncio.timeout(HELLO_WITHIN_S):
                first = await anext(requests, None)
        except TimeoutError:
            raise BadInput(f"no hello within {HELLO_WITHIN_S:g} s") from None
        if first is None or first.WhichOneof("message") != "hello":
            raise BadInput("the first message must be a hello")
        return first.hello

    async def _session(self, who: Principal, hello: pb.Hello) -> tuple[str, str]:
        """The conversation and, for a new one, its caller's token."""
        if hello.session:
            who.require_session(hello.session)
            return hello.session, ""
        who.require({Role.SERVICE})
        session = await self._chat.open(channel_from_pb(hello.channel), hello.user)
        caller = Principal(hello.user or "guest", Role.CALLER, session)
        return session, self._authority.issue(caller, ttl_s=TOKEN_TTL_S)

    async def _take(self, session: str, request: pb.ChatIn) -> None:
        match request.WhichOneof("message"):
            case "user":
                await self._chat.send(user_from_pb(session, request.user))
            case "feedback":
                await self._chat.feedback(session, request.feedback.solved, request.feedback.comment)
            case _:
                raise BadInput("after the hello come user messages and feedback")


def register(server: GrpcServer, chat: ChatService, authority: Authority) -> None:
    """Serve `chat` on `server`."""
    server.add(
        lambda to: chat_pb2_grpc.add_ChatServicer_to_server(ChatServicer(chat, authority), to),
        "hotline.v1.Chat",
        {Role.SERVICE, Role.CALLER},
    )
