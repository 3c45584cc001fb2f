"""The error tree of the house.

    HotlineError
    ├── BadInput           the caller's fault: the request cannot be understood or is not allowed
    │   ├── NotFound       the named thing does not exist
    │   ├── Conflict       the thing changed meanwhile (version check failed): read again, then retry
    │   ├── Unauthenticated
    │   └── Forbidden
    ├── Misconfigured      the operator's fault: a setting, a model folder, a missing package
    ├── Overloaded         nobody's fault: a limit is reached, try again later (`retry_after_s`)
    ├── Unavailable        a dependency's fault: it is down, slow or broken
    │   └── TimedOut
    └── Internal           our fault: a bug

Each has a stable `code` (snake case, goes over the wire), `retryable`, and `fault`. The text says what happened and
what to do about it. `common.rpc.errors` maps the tree to gRPC status codes and back.
"""

from __future__ import annotations

from enum import StrEnum
from typing import ClassVar


class Fault(StrEnum):
    """Whose fault an error is."""

    CALLER = "caller"
    OPERATOR = "operator"
    LOAD = "load"
    DEPENDENCY = "dependency"
    OURS = "ours"


class HotlineError(Exception):
    """Base of every error that crosses a border of the house."""

    code: ClassVar[str] = "error"
    retryable: ClassVar[bool] = False
    fault: ClassVar[Fault] = Fault.OURS

    def __init__(self, message: str, *, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.retry_after_s = retry_after_s


class BadInput(HotlineError):
    """The request cannot be understood or is not allowed."""

    code = "bad_input"
    fault = Fault.CALLER


class NotFound(BadInput):
    """The named thing does not exist."""

    code = "not_found"


class Conflict(BadInput):
    """The thing changed since it was read (optimistic version check)."""

    code = "conflict"
    retryable = True


class Unauthenticated(BadInput):
    """No token, or one that does not verify."""

    code = "unauthenticated"


class Forbidden(BadInput):
    """A valid token whose role may not do this."""

    code = "forbidden"


class Misconfigured(HotlineError):
    """A setting, a model folder or an installed package is wrong."""

    code = "misconfigured"
    fault = Fault.OPERATOR


class Overloaded(HotlineError):
    """A limit is reached; try again after `retry_after_s`."""

    code = "overloaded"
    retryable = True
    fault = Fault.LOAD


class Unavailable(HotlineError):
    """Something we depend on is down or broken."""

    code = "unavailable"
    retryable = True
    fault = Fault.DEPENDENCY


class TimedOut(Unavailable):
    """Something we depend on did not answer in time."""

    code = "timed_out"


class Internal(HotlineError):
    """A bug of ours."""

    code = "internal"


def by_code(code: str) -> type[HotlineError]:
    """The error class whose `code` is given; `Internal` for an unknown one."""
    pending: list[type[HotlineError]] = [HotlineError]
    while pending:
        kind = pending.pop()
        if kind.code == code:
            return kind
        pending.extend(kind.__subclasses__())
    return Internal
