"""One SIP dialog (RFC 3261 section 12): who, over which way, and the requests that we send inside it."""

from __future__ import annotations

from collections.abc import Mapping

from aiosipua import Dialog, SipDigestAuth, SipRequest, SipResponse
from aiosipua.utils import generate_call_id, generate_tag

from telephony.sip import syntax
from telephony.sip.endpoint import DialogUser, Endpoint
from telephony.sip.refer import SIPFRAG, refer_to
from telephony.sip.transaction import ClientTransaction, Flow, ServerTransaction


class SipDialog:
    """State is aiosipua's Dialog; this adds the flow, credentials and the making of requests."""

    def __init__(self, endpoint: Endpoint, flow: Flow, state: Dialog, auth: SipDigestAuth | None = None) -> None:
        self.endpoint = endpoint
        self.flow = flow
        self.peer_allows: frozenset[str] = frozenset()
        self.auth = auth
        self._state = state

    @classmethod
    def from_invite(cls, endpoint: Endpoint, request: SipRequest, transaction: ServerTransaction) -> SipDialog:
        """The dialog that answering this INVITE makes."""
        sender = request.headers.get_first("from") or ""
        state = Dialog(
            call_id=request.call_id or "",
            local_tag=transaction.tag,
            remote_tag=syntax.tag_of(sender),
            local_uri=syntax.uri_of(request.headers.get_first("to") or ""),
            remote_uri=syntax.uri_of(sender),
            remote_target=syntax.uri_of(request.headers.get_first("contact") or "") or syntax.uri_of(sender),
            route_set=list(request.headers.get("record-route")),
            remote_cseq=syntax.cseq_of(request)[0],
        )
        dialog = cls(endpoint, transaction.flow, state)
        dialog.peer_allows = syntax.tokens(request, "allow")
        return dialog

    @classmethod
    def to(cls, endpoint: Endpoint, flow: Flow, target: str, sender: str, auth: SipDigestAuth | None) -> SipDialog:
        """The dialog that an INVITE of ours to `target` may make."""
        target = target.split("?", 1)[0]
        state = Dialog(
            call_id=generate_call_id(endpoint.local[0]),
            local_tag=generate_tag(),
            local_uri=sender,
            remote_uri=target,
            remote_target=target,
        )
        return cls(endpoint, flow, state, auth)

    @property
    def call_id(self) -> str:
        return self._state.call_id

    def join(self, user: DialogUser) -> None:
        """`user` takes its requests from now on."""
        self.endpoint.join(self._state.call_id, self._state.local_tag, user)

    def leave(self) -> None:
        """It is over."""
        self.endpoint.leave(self._state.call_id, self._state.local_tag)

    # --- what the far end tells ---

    def is_of_peer(self, request: SipRequest) -> bool:
        """Whether the From tag is the far end's."""
        return syntax.tag_of(request.headers.get_first("from") or "") == self._state.remote_tag

    def in_order(self, request: SipRequest) -> bool:
        """Whether its CSeq is above all before (RFC 3261 12.2.2); remembers it."""
        number = syntax.cseq_of(request)[0]
        if self._state.remote_cseq and number <= self._state.remote_cseq:
            return False
        self._state.remote_cseq = number
        return True

    def settle(self, response: SipResponse) -> None:
        """The first 2xx to our first INVITE: the far end's tag and the route."""
        self._state.remote_tag = syntax.tag_of(response.headers.get_first("to") or "")
        self._state.route_set = list(reversed(response.headers.get("record-route")))

    def refresh_target(self, message: SipRequest | SipResponse) -> None:
        """Follow the Contact and Allow of an INVITE, UPDATE or their 2xx, then `flow`."""
        contact = syntax.uri_of(message.headers.get_first("contact") or "")
        self._state.remote_target = contact or self._state.remote_target
        self.peer_allows = syntax.tokens(message, "allow") or self.peer_allows

    def follow_route(self) -> None:
        """Send in-dialog requests to the first route, else to their Contact when it is on the host that we talk to.

        Any other Contact is behind a NAT or a proxy that does not record itself: the way that worked is kept.
        """
        route = self._state.route_set
        try:
            host, port, transport = syntax.host_port(syntax.uri_of(route[0]) if route else self._state.remote_target)
        except ValueError:
            return
        lost = not self.flow.transport.connected(self.flow.addr)
        if host == self.flow.addr[0] and transport == self.flow.transport.name and (lost or not self.flow.reliable):
            self.flow = Flow(self.flow.transport, (host, port))

    # --- making requests ---

    def capabilities(self) -> dict[str, str]:
        """Headers of INVITE, UPDATE and their answers."""
        return {
            "Contact": self.endpoint.contact(self.flow),
            "Allow": self.endpoint.allow,
            "Supported": "timer",
        }

    def request(
        self, method: str, headers: Mapping[str, str] | None = None, body: str = "", content_type: str = ""
    ) -> SipRequest:
        """A request with the next CSeq."""
        host, port = self.endpoint.local
        request = self._state.create_request(
            method, via_host=host, via_port=port, via_transport=self.flow.transport.name
        )
        request.headers.set_single("User-Agent", syntax.USER_AGENT)
        for name, value in (headers or {}).items():
            request.headers.set_single(name, value)
        if body:
            request.text = body
            request.headers.set_single("Content-Type", content_type)
        return request

    def ack(self, invite: SipRequest, number: int) -> SipRequest:
        """The ACK for a 2xx to `invite`; it has the INVITE's number and credentials."""
        count = self._state.local_cseq
        ack = self.request("ACK", {"CSeq": f"{number} ACK"})
        self._state.local_cseq = count
        for name in ("authorization", "proxy-authorization"):
            if value := invite.headers.get_first(name):
                ack.headers.set_single(name, value)
        return ack

    def cancel(self, transaction: ClientTransaction) -> None:
        """CANCEL an INVITE that has a provisional answer."""
        invite = transaction.request
        cancel = SipRequest(method="CANCEL", uri=invite.uri)
        cancel.headers.append("Via", invite.headers.get("via")[0])
        for name in ("From", "To", "Call-ID"):
            cancel.headers.set_single(name, invite.headers.get_first(name) or "")
        cancel.headers.set_single("CSeq", f"{syntax.cseq_of(invite)[0]} CANCEL")
        cancel.headers.set_single("Max-Forwards", "70")
        for route in invite.headers.get("route"):
            cancel.headers.append("Route", route)
        self.endpoint.send(cancel, transaction.flow, lambda _: None)

    async def ask(
        self, method: str, headers: Mapping[str, str] | None = None, body: str = "", content_type: str = ""
    ) -> SipResponse:
        """Send and wait for the final answer, 408 when there is none."""
        if not self.flow.transport.connected(self.flow.addr):
            self.follow_route()
        return await self.endpoint.ask(lambda: self.request(method, headers, body, content_type), self.flow, self.auth)

    def bye(self) -> None:
        """Send BYE; its answer is waited for in the background."""
        self.endpoint.tasks.spawn(self.ask("BYE"), name="sip-bye")

    async def info(self, digit: str) -> SipResponse:
        """A key by INFO."""
        return await self.ask("INFO", body=f"Signal={digit}\r\nDuration=160\r\n", content_type="application/dtmf-relay")

    async def refer(self, target: str, headers: Mapping[str, str]) -> SipResponse:
        """Ask the far end to call `target` with `headers`, which also go into the REFER itself."""
        own = {
            "Contact": self.endpoint.contact(self.flow),
            "Refer-To": refer_to(target, headers),
            "Referred-By": f"<{self._state.local_uri}>",
        }
        return await self.ask("REFER", {**headers, **own})

    async def notify(self, status: int, reason: str) -> SipResponse:
        """Report progress of a transfer that the far end asked for (RFC 3515 2.4.5)."""
        state = "terminated;reason=noresource" if status >= 200 else "active;expires=60"
        headers = {
            "Contact": self.endpoint.contact(self.flow),
            "Event": "refer",
            "Subscription-State": state,
        }
        return await self.ask("NOTIFY", headers, f"SIP/2.0 {status} {reason}\r\n", SIPFRAG)
