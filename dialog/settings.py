"""Settings of the dialog: `[dialog]` in the settings file, HOTLINE_DIALOG__… in the environment."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr

from common.settings import Section
from dialog.escalation import EscalationRules
from dialog.policy import PolicyRules


class DialogSettings(Section):
    """Where conversations live, what the company is called, and how patient the bot is.

    store: memory, sqlite (a file in the data folder) or redis (`redis_url`). vault_ttl_s: how long personal values of a
    quiet conversation stay; events_ttl_s: how long Redis keeps a conversation. vault_key: what seals the vault, shared
    by all dialog processes; "" = a key in the data folder, made at first start.
    shop_url, shop_token: the order API; "" for the token = the sample shop's token in the data folder.
    handoff_target: queue or SIP URI of human agents, "" = the edge's default. breath: characters of a knowledge answer
    that are said on the phone before asking whether to go on. flows, replies: your own folder of flows and file of
    wordings, in place of those in the package.
    """

    store: Literal["memory", "sqlite", "redis"] = "sqlite"
    redis_url: str = "redis://127.0.0.1:6379/0"
    vault_ttl_s: float = Field(1800.0, gt=0)
    events_ttl_s: float = Field(86_400.0, gt=0)
    vault_key: SecretStr = SecretStr("")
    company: str = "云杉商城"
    hours: str = "每天早上八点到晚上十点"
    shop_url: str = "http://127.0.0.1:8095"
    shop_token: SecretStr = SecretStr("")
    shop_timeout_s: float = Field(1.2, gt=0)
    nlu_timeout_s: float = Field(2.0, gt=0)
    emotion_timeout_s: float = Field(1.0, gt=0)
    kb_timeout_s: float = Field(3.0, gt=0)
    action_timeout_s: float = Field(4.0, gt=0)
    handoff_target: str = ""
    breath: int = Field(100, ge=20)
    flows: Path | None = None
    replies: Path | None = None
    policy: PolicyRules = PolicyRules()
    escalation: EscalationRules = EscalationRules()
