"""REST and WebSocket chat, the chat page, health. Every API call needs a token; opening a web chat gives one.

A caller's token is bound to its one conversation. Browsers cannot set headers on a WebSocket, so its first frame
carries the token.
"""

import asyncio
import time
from pathlib import Path
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Header, Request, WebSocket, WebSocketDisconnect
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, JSONResponse, Response
from fastapi.staticfiles import StaticFiles
from pydantic import TypeAdapter, ValidationError

from common.auth import Authority, Principal, Role, bearer
from common.errors import (
    BadInput,
    Conflict,
    Forbidden,
    HotlineError,
    NotFound,
    Overloaded,
    TimedOut,
    Unauthenticated,
    Unavailable,
)
from dialog.api import Channel
from text_gateway.api import ChatService, InboundMessage
from text_gateway.limits import OpenLimit
from text_gateway.wire import (
    FeedbackRequest,
    Frame,
    HelloFrame,
    OpenRequest,
    TurnRequest,
    UserFrame,
    history_json,
    outgoing_json,
)

STATIC = Path(__file__).parent / "static"
TOKEN_TTL_S = 24 * 3600.0
HELLO_WITHIN_S = 10.0
_STATUS: dict[type[HotlineError], int] = {
    Unauthenticated: 401,
    Forbidden: 403,
    NotFound: 404,
    Conflict: 409,
    BadInput: 400,
    Overloaded: 429,
    TimedOut: 504,
    Unavailable: 503,
}
_HEADERS = {
    "Content-Security-Policy": "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}
_FRAME: TypeAdapter[Any] = TypeAdapter(Frame)


def http_status(error: HotlineError) -> int:
    """The HTTP status of an error of the house."""
    return next((_STATUS[kind] for kind in type(error).__mro__ if kind in _STATUS), 500)


def error_json(error: HotlineError) -> dict[str, Any]:
    """The JSON body of an error."""
    return {"error": {"code": error.code, "message": error.message, "retryable": error.retryable}}


def build_app(chat: ChatService, authority: Authority, *, anonymous: bool, per_minute: int) -> FastAPI:
    """The application; `chat` and `authority` are used as they are."""
    app = FastAPI(title="Hotline text gateway", version="1", docs_url=None, redoc_url=None)
    limit = OpenLimit(per_minute)

    def who(authorization: Annotated[str, Header()] = "") -> Principal:
        return authority.verify(bearer(authorization))

    def guest(authorization: Annotated[str, Header()] = "") -> Principal | None:
        if not authorization and anonymous:
            return None
        found = authority.verify(bearer(authorization))
        found.require({Role.SERVICE})
        return found

    def member(session: str, principal: Annotated[Principal, Depends(who)]) -> str:
        principal.require({Role.CALLER, Role.SERVICE, Role.AGENT})
        principal.require_session(session)
        return session

    Member = Annotated[str, Depends(member)]

    @app.exception_handler(HotlineError)
    async def failed(_: Request, error: HotlineError) -> JSONResponse:
        wait = {"Retry-After": str(max(1, round(error.retry_after_s)))} if error.retry_after_s is not None else None
        return JSONResponse(error_json(error), http_status(error), headers=wait)

    @app.exception_handler(RequestValidationError)
    async def invalid(_: Request, error: RequestValidationError) -> JSONResponse:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        return JSONResponse(error_json(BadInput(f"{where}: {first['msg']}")), 400)

    @app.middleware("http")
    async def harden(request: Request, call_next: Any) -> Response:
        response: Response = await call_next(request)
        response.headers.update(_HEADERS)
        return response

    @app.post("/api/v1/sessions", status_code=201)
    async def open_session(
        body: OpenRequest, request: Request, principal: Annotated[Principal | None, Depends(guest)]
    ) -> dict[str, Any]:
        if principal is None:
            if body.user or body.channel is not Channel.WEB:
                raise Forbidden("only a service may name a user or another channel than web")
            wait = limit.admit(request.client.host if request.client else "", time.monotonic())
            if wait:
                raise Overloaded("too many new conversations from this address; wait a little", retry_after_s=wait)
        session = await chat.open(body.channel, body.user)
        token = authority.issue(Principal(body.user or "guest", Role.CALLER, session), ttl_s=TOKEN_TTL_S)
        events = [outgoing_json(out) for out in await chat.since(session, 0)]
        return {"session": session, "token": token, "next_turn": 1, "events": events}

    @app.post("/api/v1/sessions/{session}/turns")
    async def send(session: Member, body: TurnRequest) -> dict[str, Any]:
        before = (await chat.since(session, 0))[-1].seq
        last = await chat.send(InboundMessage(session, body.turn, body.kind, body.text))
        events = [out for out in await chat.since(session, before) if out.seq <= last]
        return {"events": [outgoing_json(out) for out in events]}

    @app.get("/api/v1/sessions/{session}/events")
    async def events(session: Member, seen: int = 0) -> dict[str, Any]:
        return {"events": [outgoing_json(out) for out in await chat.since(session, seen)]}

    @app.get("/api/v1/sessions/{session}/history")
    async def history(session: Member) -> dict[str, Any]:
        return {"items": history_json(await chat.history(session))}

    @app.post("/api/v1/sessions/{session}/feedback", status_code=204)
    async def feedback(session: Member, body: FeedbackRequest) -> None:
        await chat.feedback(session, body.solved, body.comment)

    @app.delete("/api/v1/sessions/{session}", status_code=204)
    async def close(session: Member) -> None:
        await chat.close(session, "left")

    @app.websocket("/api/v1/sessions/{session}/ws")
    async def socket(websocket: WebSocket, session: str) -> None:
        await websocket.accept()
        try:
            await _converse(websocket, session, chat, authority)
        except WebSocketDisconnect:
            return
        except HotlineError as error:
            await _refuse(websocket, error)

    @app.get("/healthz")
    async def healthz() -> dict[str, str]:
        return {"status": "ok"}

    @app.get("/")
    async def page() -> FileResponse:
        return FileResponse(STATIC / "chat.html")

    app.mount("/static", StaticFiles(directory=STATIC), name="static")
    return app


async def _converse(websocket: WebSocket, session: str, chat: ChatService, authority: Authority) -> None:
    """Hello, then both directions until either side ends."""
    try:
        async with asyncio.timeout(HELLO_WITHIN_S):
            hello = HelloFrame.model_validate_json(await websocket.receive_text())
    except TimeoutError:
        raise BadInput(f"no hello frame within {HELLO_WITHIN_S:g} s") from None
    except ValidationError as error:
        raise BadInput(f"the first frame must be a hello: {error.errors()[0]['msg']}") from None
    principal = authority.verify(hello.token)
    principal.require({Role.CALLER, Role.SERVICE})
    principal.require_session(session)

    async def downstream() -> None:
        async for out in chat.subscribe(session, hello.seen):
            await websocket.send_json(outgoing_json(out))
        await websocket.close()

    async def upstream() -> None:
        while True:
            try:
                frame = _FRAME.validate_json(await websocket.receive_text())
            except ValidationError as error:
                await websocket.send_json({"seq": 0, "turn": 0, "type": "refused", **_invalid(error)})
                continue
            try:
                if isinstance(frame, UserFrame):
                    await chat.send(InboundMessage(session, frame.turn, frame.kind, frame.text))
                else:
                    await chat.feedback(session, frame.solved, frame.comment)
            except HotlineError as error:
                await websocket.send_json({"seq": 0, "turn": 0, "type": "refused", **error_json(error)})

    tasks = {asyncio.create_task(downstream()), asyncio.create_task(upstream())}
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _invalid(error: ValidationError) -> dict[str, Any]:
    return error_json(BadInput(f"the frame cannot be read: {error.errors()[0]['msg']}"))


async def _refuse(websocket: WebSocket, error: HotlineError) -> None:
    await websocket.send_json({"seq": 0, "turn": 0, "type": "refused", **error_json(error)})
    await websocket.close(code=1008 if not error.retryable else 1013)
