"""REGISTER to a trunk: digest, refresh, back-off, 423, unregistering."""

from __future__ import annotations

import asyncio

from telephony.agent import UserAgent
from tests.telephony.lines import Handler, Registrar, hotline


def trunk(port: int, **changes: object) -> dict[str, object]:
    return {
        "uri": f"sip:hotline@127.0.0.1:{port}",
        "registrar": f"sip:127.0.0.1:{port}",
        "username": "hot",
        "password": "s3cret",
        "retry_s": 0.05,
        "retry_max_s": 0.2,
    } | changes


async def test_registers_with_digest_refreshes_and_unregisters() -> None:
    registrar = Registrar("s3cret", expires=1)
    await registrar.start()
    async with hotline(Handler(), trunk=trunk(registrar.port)) as edge:
        await registrar.until(lambda: len(registrar.accepted) == 2)  # the second is the refresh
        assert edge.registered is not None and edge.registered.is_set()
    await registrar.until(lambda: registrar.accepted[-1]["expires"] == "0")
    first, second = registrar.accepted[:2]
    assert first["call-id"] == second["call-id"]
    assert int(first["cseq"].split()[0]) < int(second["cseq"].split()[0])
    registrar.close()


async def test_backs_off_and_recovers() -> None:
    registrar = Registrar("s3cret", fail_first=3)
    await registrar.start()
    async with hotline(Handler(), trunk=trunk(registrar.port)):
        started = asyncio.get_running_loop().time()
        await registrar.until(lambda: len(registrar.accepted) == 1)
        assert asyncio.get_running_loop().time() - started > 0.04 + 0.08 + 0.16 - 0.03
    registrar.close()


async def test_a_longer_interval_is_taken_and_a_wrong_password_is_not_hammered() -> None:
    registrar = Registrar("s3cret", min_expires=600)
    await registrar.start()
    async with hotline(Handler(), trunk=trunk(registrar.port)):
        await registrar.until(lambda: len(registrar.accepted) == 1)
        assert registrar.accepted[0]["expires"] == "600"
    wrong = Registrar("other")
    await wrong.start()
    async with hotline(Handler(), trunk=trunk(wrong.port, retry_s=30.0)) as edge:
        await wrong.until(lambda: wrong.attempts == 2)
        await asyncio.sleep(0.1)
        assert wrong.attempts == 2 and edge.registered is not None and not edge.registered.is_set()
    registrar.close()
    wrong.close()


async def test_bare_numbers_go_through_the_trunk() -> None:
    async with UserAgent(user="carrier") as carrier:
        port = int(carrier.uri.rsplit(":", 1)[1])
        async with hotline(Handler(), trunk=trunk(port, retry_s=30.0)) as edge:
            placed = await edge.place_call("+86 138-0000-0000")
            arrived = await carrier.incoming()
            assert (arrived.info.called, arrived.info.caller) == ("+8613800000000", "hotline")
            await placed.hang_up()
