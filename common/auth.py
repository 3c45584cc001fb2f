"""JWT (RFC 7519) with roles. The signing key is made at first start, kept in a file that only the owner reads.

Roles: caller (one conversation of their own), agent (hand-overs), reviewer (QA), admin (everything), service (one of
our services calling another).
"""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import jwt

from common.errors import Forbidden, Misconfigured, Unauthenticated

_ALGORITHM = "HS256"
_ISSUER = "hotline"
_LEEWAY_S = 5


class Role(StrEnum):
    """What the holder of a token is."""

    CALLER = "caller"
    AGENT = "agent"
    REVIEWER = "reviewer"
    ADMIN = "admin"
    SERVICE = "service"


@dataclass(frozen=True, slots=True)
class Principal:
    """Who makes a request. `session` binds a caller's token to one conversation ("" = not bound)."""

    subject: str
    role: Role
    session: str = ""

    def require(self, roles: Collection[Role]) -> None:
        """Forbidden unless the role is one of `roles`; admin may do everything."""
        if self.role is not Role.ADMIN and self.role not in roles:
            raise Forbidden(f"role {self.role} may not do this; needed: {', '.join(sorted(roles))}")

    def require_session(self, session: str) -> None:
        """Forbidden when this token is bound to another conversation, or is a caller's that is bound to none."""
        if self.role is Role.CALLER and self.session != session:
            raise Forbidden("this token belongs to another conversation")


class Authority:
    """Issues and verifies tokens with one key; `now` is a clock of epoch seconds."""

    def __init__(self, key: str, *, now: Callable[[], float] = time.time) -> None:
        if len(key) < 32:
            raise Misconfigured("the signing key is shorter than 32 characters; delete the key file to make a new one")
        self._key = key
        self._now = now

    def issue(self, principal: Principal, *, ttl_s: float = 3600.0) -> str:
        """A signed token that expires after `ttl_s`."""
        now = self._now()
        claims = {
            "iss": _ISSUER,
            "sub": principal.subject,
            "role": principal.role.value,
            "iat": int(now),
            "exp": int(now + ttl_s),
        }
        if principal.session:
            claims["sid"] = principal.session
        return jwt.encode(claims, self._key, algorithm=_ALGORITHM)

    def verify(self, token: str) -> Principal:
        """The holder of `token`; Unauthenticated when it is missing, forged, malformed or expired."""
        if not token:
            raise Unauthenticated("no token; send `Authorization: Bearer TOKEN`")
        try:
            claims = jwt.decode(
                token,
                self._key,
                algorithms=[_ALGORITHM],
                issuer=_ISSUER,
                options={"require": ["sub", "role", "exp"], "verify_exp": False, "verify_iat": False},
            )
            principal = Principal(claims["sub"], Role(claims["role"]), claims.get("sid", ""))
        except (jwt.InvalidTokenError, ValueError) as error:
            raise Unauthenticated(f"the token does not verify: {error}") from None
        if claims["exp"] + _LEEWAY_S < self._now():
            raise Unauthenticated("the token has expired; ask for a new one")
        return principal

    def service_token(self, name: str) -> Callable[[], str]:
        """A source of fresh tokens for our own service `name`, renewed before they expire."""
        current, until = "", 0.0

        def token() -> str:
            nonlocal current, until
            if self._now() > until - 300:
                until = self._now() + 3600
                current = self.issue(Principal(name, Role.SERVICE), ttl_s=3600)
            return current

        return token


def bearer(header: str) -> str:
    """The token of an Authorization header ("" when it is not a bearer token; RFC 6750)."""
    scheme, _, token = header.partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def load_or_create_key(path: Path) -> str:
    """The key in `path`, made at first use with mode 0600. Several processes may race: one wins, all agree."""
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return _read_key(path)
    with os.fdopen(handle, "w") as file:
        file.write(secrets.token_urlsafe(48))
        file.flush()
        os.fsync(file.fileno())
    return _read_key(path)


def _read_key(path: Path) -> str:
    if path.stat().st_mode & 0o077:
        raise Misconfigured(f"{path} is readable by others; run: chmod 600 {path}")
    for _ in range(50):
        if key := path.read_text().strip():
            return key
        time.sleep(0.02)  # the process that won the race is writing it
    raise Misconfigured(f"{path} is empty; delete it to make a new key")
