"""Settings of the text gateway."""

from __future__ import annotations

from pydantic import Field, SecretStr

from common.settings import Section


class TextSettings(Section):
    """Web chat, REST and gRPC Chat."""

    enabled: bool = Field(True, description="serve the text channels")
    host: str = Field("127.0.0.1", description="address to listen on")
    port: int = Field(8080, ge=0, le=65535, description="HTTP port; 0 takes a free one")
    anonymous: bool = Field(True, description="anybody may open a web chat; otherwise a service token is needed")
    sessions: int = Field(10_000, ge=1, description="conversations held at most")
    sessions_per_minute: int = Field(60, ge=1, description="new conversations a minute from one address")
    idle_s: float = Field(1800, gt=0, description="a conversation without a word for this long is closed")
    turn_timeout_s: float = Field(20, gt=0, description="longest time to answer one turn")
    handoff_url: str = Field("", description="where hand-overs are posted (JSON); empty: no human desk")
    handoff_token: SecretStr = Field(SecretStr(""), description="bearer token for handoff_url")
