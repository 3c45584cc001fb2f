"""Live values of one conversation that may not be kept: they are acted on, then forgotten.

A phone number must reach the order system whole, yet no log, history or index may hold it. So the two live apart:

- Events (dialog.events) are kept and hold masked text only.
- The vault holds the real values of personal slots, the digits of a half-dictated number, the caller's own number and
  the last replies word for word (a repeated turn repeats them). It is one small sealed value beside the session, in the
  store of live sessions only; it is overwritten in place, is never part of the history, expires by itself when the
  conversation goes quiet, and is deleted when the conversation closes.
- It is sealed (Fernet: AES-128-CBC with HMAC-SHA256), because "deleted" is not "gone": SQLite keeps freed pages and a
  write-ahead log, Redis writes snapshots and append-only files, and both are backed up. Such a copy is worthless
  without the key, which is kept elsewhere: a file that only the owner reads, or a setting that all dialog processes
  share.

A vault that is lost (expired, or sealed with another key) costs the person a question, never the conversation.
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass, field, replace

from cryptography.fernet import Fernet, InvalidToken
from pydantic import TypeAdapter, ValidationError

from common.telemetry import get_logger

log = get_logger(__name__)
KEPT_REPLIES = 3


@dataclass(frozen=True, slots=True)
class Vault:
    """What is known and not kept. `replies`: turn -> the real text of each chunk, of the last turns only."""

    caller: str = ""
    slots: dict[str, str] = field(default_factory=dict)
    dictated: str = ""
    replies: dict[int, tuple[str, ...]] = field(default_factory=dict)

    def with_slot(self, slot: str, value: str) -> Vault:
        """The same with one slot set ("" removes it)."""
        slots = {name: kept for name, kept in self.slots.items() if name != slot}
        return replace(self, slots=slots | ({slot: value} if value else {}))

    def with_reply(self, turn: int, parts: tuple[str, ...]) -> Vault:
        """The same with one more reply; the oldest is forgotten."""
        replies = self.replies | {turn: parts}
        return replace(self, replies={t: replies[t] for t in sorted(replies)[-KEPT_REPLIES:]})


_ADAPTER: TypeAdapter[Vault] = TypeAdapter(Vault)


class Sealer:
    """Seals and opens vaults with one key; `secret` is any text of 32 characters or more."""

    def __init__(self, secret: str) -> None:
        self._fernet = Fernet(base64.urlsafe_b64encode(hashlib.sha256(secret.encode()).digest()))

    def seal(self, vault: Vault) -> bytes:
        """The vault as bytes that tell nothing without the key."""
        return self._fernet.encrypt(_ADAPTER.dump_json(vault))

    def open(self, sealed: bytes) -> Vault:
        """The vault; an empty one when there is none or it cannot be opened."""
        if not sealed:
            return Vault()
        try:
            return _ADAPTER.validate_json(self._fernet.decrypt(sealed))
        except (InvalidToken, ValidationError):
            log.warning("vault_unreadable")
            return Vault()
