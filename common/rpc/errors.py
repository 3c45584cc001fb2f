"""HotlineError <-> gRPC status, both ways. The code travels in the trailing metadata `hotline-code`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import cast

import grpc

from common.errors import (
    BadInput,
    Conflict,
    Forbidden,
    HotlineError,
    Internal,
    Misconfigured,
    NotFound,
    Overloaded,
    TimedOut,
    Unauthenticated,
    Unavailable,
    by_code,
)

CODE_KEY = "hotline-code"
RETRY_KEY = "retry-after-s"

_STATUS: dict[type[HotlineError], grpc.StatusCode] = {
    BadInput: grpc.StatusCode.INVALID_ARGUMENT,
    NotFound: grpc.StatusCode.NOT_FOUND,
    Conflict: grpc.StatusCode.ABORTED,
    Unauthenticated: grpc.StatusCode.UNAUTHENTICATED,
    Forbidden: grpc.StatusCode.PERMISSION_DENIED,
    Misconfigured: grpc.StatusCode.FAILED_PRECONDITION,
    Overloaded: grpc.StatusCode.RESOURCE_EXHAUSTED,
    Unavailable: grpc.StatusCode.UNAVAILABLE,
    TimedOut: grpc.StatusCode.DEADLINE_EXCEEDED,
    Internal: grpc.StatusCode.INTERNAL,
}
_KIND = {status: kind for kind, status in _STATUS.items()}


def status_of(error: HotlineError) -> grpc.StatusCode:
    """The status of the nearest class in the tree that has one."""
    return next((_STATUS[kind] for kind in type(error).__mro__ if kind in _STATUS), grpc.StatusCode.INTERNAL)


def trailers_of(error: HotlineError) -> tuple[tuple[str, str], ...]:
    """Trailing metadata that carries what a status cannot."""
    code = ((CODE_KEY, error.code),)
    return code if error.retry_after_s is None else (*code, (RETRY_KEY, f"{error.retry_after_s:g}"))


def from_rpc(error: grpc.aio.AioRpcError, what: str) -> HotlineError:
    """The error that the other side raised; `what` names the service for statuses that gRPC itself made."""
    trailers = {str(key): value for key, value in cast(Iterable[tuple[str, str]], error.trailing_metadata() or ())}
    details = error.details() or error.code().name
    code = trailers.get(CODE_KEY)
    if code is not None:
        retry = trailers.get(RETRY_KEY)
        return by_code(str(code))(details, retry_after_s=float(retry) if retry is not None else None)
    kind = _KIND.get(error.code(), Unavailable if error.code() is grpc.StatusCode.CANCELLED else Internal)
    return kind(f"{what}: {details}")
