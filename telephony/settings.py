"""Settings of the telephone edge. Everything listens on 127.0.0.1 unless told otherwise."""

from __future__ import annotations

from ipaddress import ip_network
from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr, field_validator, model_validator

from common.settings import Section

CodecName = Literal["PCMA", "PCMU"]


class TrunkSettings(Section):
    """The provider that numbers reach us through. Without `uri` nothing is registered."""

    uri: str = ""  # our address of record, sip:hotline@provider.example
    registrar: str = ""  # sip:host[:port][;transport=tcp]; "" = the host of `uri`
    username: str = ""
    password: SecretStr = SecretStr("")
    expires_s: int = Field(default=300, ge=10)
    retry_s: float = Field(default=5.0, gt=0)  # first wait after a failure, doubled each time
    retry_max_s: float = Field(default=300.0, gt=0)


class RecordingSettings(Section):
    """Stereo WAV per call, caller left, bot right. `folder` None = recordings/ in the data folder."""

    enabled: bool = True
    folder: Path | None = None


class TelephonySettings(Section):
    """SIP, RTP and the limits of this process. Times in seconds."""

    host: str = "127.0.0.1"
    port: int = Field(default=5060, ge=0, le=65535)  # 0 = any free port
    tcp: bool = True
    advertised_host: str = ""  # what peers are told when `host` is not what they can reach
    allow_from: tuple[str, ...] = ()  # networks whose SIP is heard; empty = all that can reach `host`
    user: str = "hotline"  # user part of our Contact and, for outbound calls without a trunk, of From

    rtp_ports: tuple[int, int] = (20000, 29999)  # (0, 0) = any free pair
    codecs: tuple[CodecName, ...] = ("PCMA", "PCMU")  # preferred first
    jitter_max_ms: int = Field(default=200, ge=40, le=1000)

    max_calls: int = Field(default=20, ge=1)
    full_status: Literal[486, 503] = 503
    retry_after_s: int = Field(default=15, ge=1)

    ring_s: float = Field(default=0.0, ge=0)  # how long an inbound call rings before it is answered
    ring_timeout_s: float = Field(default=45.0, gt=0)  # outbound: how long the far end may ring
    rtp_timeout_s: float = Field(default=20.0, gt=0)  # neither RTP nor RTCP for so long: the caller vanished
    hold_timeout_s: float = Field(default=600.0, gt=0)
    session_expires_s: int = Field(default=1800, ge=0)  # RFC 4028; 0 = off
    min_se_s: int = Field(default=90, ge=1)
    t1_s: float = Field(default=0.5, gt=0)  # RFC 3261 T1; all transaction times follow from it

    transfer_target: str = ""  # where Handoff without a target goes: a SIP URI
    transfer_targets: dict[str, str] = Field(default_factory=dict)  # queue name -> SIP URI
    transfer_timeout_s: float = Field(default=30.0, gt=0)

    trunk: TrunkSettings = TrunkSettings()
    recording: RecordingSettings = RecordingSettings()

    @model_validator(mode="after")
    def _reachable(self) -> TelephonySettings:
        if self.host in ("0.0.0.0", "") and not self.advertised_host:
            raise ValueError("advertised_host is needed when host is 0.0.0.0: peers must be told a real address")
        return self

    @field_validator("codecs")
    @classmethod
    def _some_codec(cls, value: tuple[CodecName, ...]) -> tuple[CodecName, ...]:
        if not value:
            raise ValueError("at least one of PCMA, PCMU")
        return value

    @field_validator("rtp_ports")
    @classmethod
    def _port_range(cls, value: tuple[int, int]) -> tuple[int, int]:
        low, high = value
        if value != (0, 0) and not 1024 <= low < high <= 65535:
            raise ValueError("two ports between 1024 and 65535, the lower first, or (0, 0)")
        return value

    @field_validator("allow_from")
    @classmethod
    def _networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for network in value:
            ip_network(network)
        return value
