"""Tokens and the key file."""

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import jwt
import pytest

from common.auth import Authority, Principal, Role, bearer, load_or_create_key
from common.errors import Forbidden, Misconfigured, Unauthenticated

KEY = "k" * 48


def test_round_trip_and_expiry() -> None:
    now = [1000.0]
    authority = Authority(KEY, now=lambda: now[0])
    token = authority.issue(Principal("u1", Role.CALLER, "s1"), ttl_s=60)
    assert authority.verify(token) == Principal("u1", Role.CALLER, "s1")
    now[0] += 70
    with pytest.raises(Unauthenticated, match="expired"):
        authority.verify(token)


@pytest.mark.parametrize(
    "claims",
    [
        {"sub": "x", "role": "admin", "exp": 9e9, "iss": "other"},
        {"sub": "x", "role": "king", "exp": 9e9, "iss": "hotline"},
        {"sub": "x", "role": "admin", "iss": "hotline"},
    ],
)
def test_odd_claims_are_refused(claims: dict[str, object]) -> None:
    with pytest.raises(Unauthenticated):
        Authority(KEY).verify(jwt.encode(claims, KEY, algorithm="HS256"))


def test_an_unsigned_token_is_refused() -> None:
    token = jwt.encode({"sub": "x", "role": "admin", "exp": 9e9, "iss": "hotline"}, None, algorithm="none")
    with pytest.raises(Unauthenticated):
        Authority(KEY).verify(token)


def test_roles_and_sessions() -> None:
    caller = Principal("u", Role.CALLER, "s1")
    caller.require_session("s1")
    with pytest.raises(Forbidden):
        caller.require_session("s2")
    with pytest.raises(Forbidden):
        Principal("u", Role.CALLER).require_session("s1")
    with pytest.raises(Forbidden):
        caller.require({Role.AGENT})
    Principal("root", Role.ADMIN).require(set())


def test_a_service_renews_its_token() -> None:
    now = [1000.0]
    authority = Authority(KEY, now=lambda: now[0])
    source = authority.service_token("dialog")
    first = source()
    assert source() == first
    now[0] += 3500
    assert authority.verify(source()).role is Role.SERVICE
    assert source() != first


def test_bearer() -> None:
    assert bearer("Bearer abc") == "abc"
    assert bearer("Basic abc") == ""
    assert bearer("") == ""


def test_racing_processes_agree_on_one_private_key(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "jwt"
    with ThreadPoolExecutor(8) as pool:
        keys = set(pool.map(lambda _: load_or_create_key(path), range(8)))
    assert len(keys) == 1
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.chmod(0o644)
    with pytest.raises(Misconfigured, match="chmod"):
        load_or_create_key(path)
