"""Commands to a running Hotline."""

from __future__ import annotations

import typer

from common.auth import Authority, Principal, Role, load_or_create_key
from common.rpc.client import RpcClient
from hotline.settings import Settings
from telephony.client import TelephonyClient

PLACE_S = 90.0


async def place_call(settings: Settings, uri: str, purpose: str) -> None:
    """Ask the running Hotline to phone `uri`, and say how that went. Raises what the telephone edge raises."""
    authority = Authority(load_or_create_key(settings.paths.data / "keys" / "jwt.key"))
    token = authority.issue(Principal("hotline call", Role.ADMIN), ttl_s=300)
    client = TelephonyClient(RpcClient(settings.rpc.listen, lambda: token, timeout_s=PLACE_S))
    try:
        status = await client.order_call(uri, purpose)
        typer.echo(f"{status.id}: {status.state.value}")
    finally:
        await client.aclose()
