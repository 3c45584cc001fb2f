"""One SIP address of ours: its transports, its transactions, and to whom a request belongs.

In-dialog requests go to the leg that is registered under (Call-ID, our tag); an INVITE without To tag goes to
`on_invite`; OPTIONS is answered here. DNS is A/AAAA only (no SRV, NAPTR).
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Sequence
from functools import partial
from ipaddress import IPv4Network, IPv6Network, ip_address
from typing import Protocol

from aiosipua import SipDigestAuth, SipRequest, SipResponse
from aiosipua.auth import answer_challenge
from aiosipua.utils import generate_branch

from common.aio import TaskSet
from common.errors import BadInput, Misconfigured, Unavailable
from common.telemetry import get_logger
from telephony import metrics
from telephony.sip import syntax
from telephony.sip.syntax import Addr, BadSip
from telephony.sip.transaction import ClientTransaction, Flow, ServerTransaction, Timers
from telephony.sip.transport import TcpTransport, UdpTransport, WireTransport

MAX_AUTH_TRIES = 2
MAX_TRANSACTIONS = 20_000

log = get_logger(__name__)


class DialogUser(Protocol):
    """Who takes the requests of one dialog."""

    def request(self, request: SipRequest, transaction: ServerTransaction) -> None:
        """Anything but ACK and CANCEL."""
        ...

    def acknowledged(self, request: SipRequest) -> None:
        """The ACK of a 2xx."""
        ...

    def cancelled(self, transaction: ServerTransaction) -> None:
        """A CANCEL for an INVITE that has no final answer yet; the CANCEL itself is answered."""
        ...


InviteCallback = Callable[[SipRequest, ServerTransaction], None]


class Endpoint:
    """Listens, answers and asks. `allow` lists the methods that requests may have."""

    def __init__(
        self,
        *,
        host: str,
        port: int,
        tcp: bool,
        on_invite: InviteCallback,
        allow: Sequence[str],
        user: str,
        advertised_host: str = "",
        allow_from: Sequence[IPv4Network | IPv6Network] = (),
        timers: Timers | None = None,
    ) -> None:
        self._host = host
        self._port = port
        self._advertised = advertised_host
        self._on_invite = on_invite
        self._allow_from = tuple(allow_from)
        self.allow = ", ".join(allow)
        self._methods = frozenset(allow)
        self.user = user
        self.timers = timers or Timers()
        self.tasks = TaskSet()
        self.udp = UdpTransport(local_addr=(host, port))
        self.tcp = TcpTransport(local_addr=(host, port)) if tcp else None
        self._clients: dict[str, ClientTransaction] = {}
        self._servers: dict[str, ServerTransaction] = {}
        self._dialogs: dict[tuple[str, str], DialogUser] = {}
        self._inviting: dict[str, DialogUser] = {}  # transaction key of a pending INVITE -> its leg, for CANCEL
        self._invites: dict[tuple[str, str, int], str] = {}  # what makes an INVITE the same (8.2.2.2) -> its key

    # --- life ---

    async def start(self) -> None:
        """Bind. With port 0 both transports share one free port. Raises Misconfigured when the port is taken."""
        for attempt in range(20):
            try:
                await self._bind()
                return
            except OSError as error:
                await self._stop_transports()
                if self._port != 0 or attempt == 19:
                    raise Misconfigured(
                        f"SIP cannot listen on {self._host}:{self._port} ({error.strerror}); set telephony.host, .port"
                    ) from None
                self.udp = UdpTransport(local_addr=(self._host, 0))

    async def _bind(self) -> None:
        transports: list[WireTransport] = [self.udp]
        await self.udp.start()
        if self.tcp is not None:
            self.tcp = TcpTransport(local_addr=(self._host, self.udp.local_addr[1]))
            await self.tcp.start()
            transports.append(self.tcp)
        for transport in transports:
            transport.on_message = partial(self._received, transport)
            transport.on_bad = partial(self._bad, transport)
            transport.on_lost = partial(self._lost, transport)

    async def aclose(self) -> None:
        """Stop timers and transports; may be called twice."""
        await self.tasks.aclose()
        for client in tuple(self._clients.values()):
            client.close()
        for server in tuple(self._servers.values()):
            server.close()
        await self._stop_transports()

    async def _stop_transports(self) -> None:
        await self.udp.stop()
        if self.tcp is not None:
            await self.tcp.stop()

    @property
    def local(self) -> Addr:
        """What peers are told: host and port."""
        return self._advertised or self.udp.local_addr[0], self.udp.local_addr[1]

    @property
    def bind_host(self) -> str:
        """The address that sockets are bound to."""
        return self._host

    # --- asking ---

    def via(self, flow: Flow) -> str:
        """A fresh Via for a request over `flow`."""
        return syntax.via(flow.transport.name, self.local, generate_branch())

    def contact(self, flow: Flow) -> str:
        """Our Contact for a dialog over `flow`."""
        return syntax.contact(self.user, self.local, flow.transport.name)

    async def resolve(self, uri: str) -> Flow:
        """The flow that `uri` names. BadInput for a URI that is none, Unavailable when its host has no address."""
        try:
            host, port, transport = syntax.host_port(uri)
        except ValueError as error:
            raise BadInput(f"{error}; write sip:user@host[:port][;transport=tcp]") from None
        wire: WireTransport = self.udp
        if transport == "TCP":
            if self.tcp is None:
                raise BadInput("TCP is switched off (telephony.tcp)")
            wire = self.tcp
        try:
            found = await asyncio.get_running_loop().getaddrinfo(host, port, family=socket.AF_INET)
        except OSError as error:
            raise Unavailable(f"no address for SIP host {host}: {error.strerror}") from None
        return Flow(wire, (str(found[0][4][0]), port))

    def send(self, request: SipRequest, flow: Flow, on_response: Callable[[SipResponse], None]) -> ClientTransaction:
        """Start a client transaction."""
        key = syntax.client_key(request)
        transaction = ClientTransaction(
            request, flow, self.timers, on_response=on_response, on_done=lambda: self._client_done(key)
        )
        self._clients[key] = transaction
        transaction.start()
        return transaction

    async def ask(self, make: Callable[[], SipRequest], flow: Flow, auth: SipDigestAuth | None = None) -> SipResponse:
        """The final response to a request that is not INVITE; answers digest challenges. Never raises for the peer.

        `make` is called for each attempt and gives a fresh CSeq and branch.
        """
        credentials: tuple[str, str] | None = None
        tries = 0
        while True:
            request = make()
            if credentials is not None:
                request.headers.set_single(*credentials)
            response = await self._final(request, flow)
            tries += 1
            credentials = challenge_answer(auth, response, request)
            if credentials is None or tries > MAX_AUTH_TRIES:
                return response

    async def _final(self, request: SipRequest, flow: Flow) -> SipResponse:
        answered: asyncio.Future[SipResponse] = asyncio.get_running_loop().create_future()

        def on_response(response: SipResponse) -> None:
            if response.status_code >= 200 and not answered.done():
                answered.set_result(response)

        transaction = self.send(request, flow, on_response)
        try:
            return await answered
        finally:
            if transaction.pending:
                transaction.close()

    # --- dialogs ---

    def join(self, call_id: str, our_tag: str, user: DialogUser) -> None:
        """From now on `user` takes the requests of this dialog."""
        self._dialogs[call_id, our_tag] = user

    def leave(self, call_id: str, our_tag: str) -> None:
        """The dialog is over; requests for it are answered 481."""
        self._dialogs.pop((call_id, our_tag), None)

    def expect_cancel(self, transaction: ServerTransaction, user: DialogUser) -> None:
        """A CANCEL for `transaction` goes to `user` while it has no final answer."""
        self._inviting[syntax.server_key(transaction.request)] = user

    # --- receiving ---

    def _received(self, transport: WireTransport, message: SipRequest | SipResponse, source: Addr) -> None:
        if self._allow_from and not any(ip_address(source[0]) in network for network in self._allow_from):
            metrics.bad_sip.labels("source_not_allowed", "dropped").inc()
        elif isinstance(message, SipResponse):
            transaction = self._clients.get(syntax.client_key(message))
            if transaction is None:
                metrics.bad_sip.labels("stray_response", "dropped").inc()
            else:
                transaction.received(message)
        else:
            self._requested(message, Flow(transport, transport.reply_to(message, source)))

    def _requested(self, request: SipRequest, flow: Flow) -> None:
        key = syntax.server_key(request)
        known = self._servers.get(key)
        if known is not None:
            if request.method == "ACK":
                known.acknowledged()
            else:
                known.repeated()
            return
        metrics.requests.labels(request.method if request.method in syntax.KNOWN else "other").inc()
        if len(self._servers) >= MAX_TRANSACTIONS:
            metrics.bad_sip.labels("flood", "dropped").inc()
            return
        dialog = self._dialogs.get((request.call_id or "", syntax.tag_of(request.headers.get_first("to") or "")))
        if request.method == "ACK":
            if dialog is not None:
                dialog.acknowledged(request)
            return
        transaction = ServerTransaction(request, flow, self.timers, on_done=lambda: self._server_done(key))
        self._servers[key] = transaction
        try:
            self._route(request, transaction, dialog, key)
        except Exception:
            log.exception("sip_request_failed", method=request.method)
            transaction.reply(500)

    def _route(self, request: SipRequest, transaction: ServerTransaction, dialog: DialogUser | None, key: str) -> None:
        method = request.method
        if method == "CANCEL":
            self._cancel(transaction, key)
        elif method not in self._methods:
            self._refuse(transaction, "method", 405 if method in syntax.KNOWN else 501, {"Allow": self.allow})
        elif unknown := syntax.tokens(request, "require") - {"timer"} | syntax.tokens(request, "proxy-require"):
            self._refuse(transaction, "require", 420, {"Unsupported": ", ".join(sorted(unknown))})
        elif dialog is not None:
            dialog.request(request, transaction)
        elif syntax.tag_of(request.headers.get_first("to") or ""):
            self._refuse(transaction, "no_such_dialog", 481)
        elif method == "OPTIONS":
            transaction.reply(200, headers={"Allow": self.allow, "Accept": "application/sdp", "Supported": "timer"})
        elif method == "INVITE" and self._invites.setdefault(_identity(request), key) != key:
            self._refuse(transaction, "merged_request", 482)
        elif method == "INVITE":
            transaction.reply(100)
            self._on_invite(request, transaction)
        else:
            self._refuse(transaction, "no_such_dialog", 481)

    def _cancel(self, transaction: ServerTransaction, key: str) -> None:
        key = key.removesuffix("CANCEL") + "INVITE"
        invite, user = self._servers.get(key), self._inviting.get(key)
        if invite is None:
            self._refuse(transaction, "no_such_transaction", 481)
            return
        transaction.tag = invite.tag
        transaction.reply(200)
        if invite.pending and user is not None:
            user.cancelled(invite)

    def _refuse(
        self, transaction: ServerTransaction, reason: str, status: int, headers: dict[str, str] | None = None
    ) -> None:
        metrics.bad_sip.labels(reason, "answered").inc()
        transaction.reply(status, headers=headers)

    def _bad(self, transport: WireTransport, bad: BadSip, source: Addr) -> None:
        answerable = bad.request is not None and bad.request.method != "ACK"
        metrics.bad_sip.labels(bad.reason, "answered" if answerable else "dropped").inc()
        log.info("bad_sip", reason=bad.reason, status=bad.status if answerable else 0)
        if answerable and bad.request is not None:
            transport.send(syntax.reply(bad.request, bad.status), transport.reply_to(bad.request, source))

    def _lost(self, transport: WireTransport, addr: Addr) -> None:
        for transaction in list(self._clients.values()):
            if transaction.flow == Flow(transport, addr):
                transaction.fail(503)

    def _client_done(self, key: str) -> None:
        self._clients.pop(key, None)

    def _server_done(self, key: str) -> None:
        done = self._servers.pop(key, None)
        self._inviting.pop(key, None)
        if done is not None and self._invites.get(_identity(done.request)) == key:
            del self._invites[_identity(done.request)]


def _identity(request: SipRequest) -> tuple[str, str, int]:
    sender = request.headers.get_first("from") or ""
    return request.call_id or "", syntax.tag_of(sender), syntax.cseq_of(request)[0]


def challenge_answer(auth: SipDigestAuth | None, response: SipResponse, request: SipRequest) -> tuple[str, str] | None:
    """The header that answers a 401 or 407, or None."""
    if auth is None or response.status_code not in (401, 407):
        return None
    return answer_challenge(auth, response, response.status_code, request.method, request.uri)
