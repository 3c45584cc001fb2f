"""All settings of the program, one section a package. `hotline settings` prints them with their meaning."""

from __future__ import annotations

import os
from pathlib import Path

from pydantic import Field

from common import paths
from common.settings import RootSettings, Section
from dialog.settings import DialogSettings
from emotion.settings import EmotionSettings
from hotline.shop.settings import ShopSettings
from kb.settings import KbSettings
from nlu.settings import NluSettings
from telephony.settings import TelephonySettings
from text_gateway.settings import TextSettings
from voice_gateway.asr.settings import AsrSettings
from voice_gateway.settings import VoiceSettings
from voice_gateway.tts.settings import TtsSettings


class PathSettings(Section):
    """Where files live."""

    data: Path = Field(Path("var"), description="keys, databases, recordings, language-model graphs")
    cache: Path = Field(
        Path.home() / ".cache" / "hotline", description="models and rendered prompts; may be deleted at any time"
    )


class LogSettings(Section):
    """Logs go to stderr."""

    level: str = Field("INFO", pattern="^(DEBUG|INFO|WARNING|ERROR)$")
    json_lines: bool = Field(False, description="one JSON object a line instead of text for people")


class RpcSettings(Section):
    """The gRPC server of this process."""

    listen: str = Field("127.0.0.1:50051", description="address; port 0 takes a free one")
    drain_s: float = Field(10, ge=0, description="how long running calls may go on when stopping")


class MetricsSettings(Section):
    """Prometheus metrics of this process."""

    host: str = "127.0.0.1"
    port: int = Field(9464, ge=-1, le=65535, description="0 takes a free port; -1 serves no metrics")


class Addresses(Section):
    """Services that run elsewhere: host:port of each; empty = built into this process."""

    nlu: str = ""
    emotion: str = ""
    kb: str = ""
    dialog: str = ""
    speech: str = ""


class CompanySettings(Section):
    """Whose hotline this is."""

    sample: bool = Field(True, description="fill an empty knowledge base with the sample shop, and run its order API")
    graph_refresh_s: float = Field(300, gt=0, description="how often changed texts are looked for, for the recogniser")


class Settings(RootSettings):
    """Everything."""

    paths: PathSettings = PathSettings()
    log: LogSettings = LogSettings()
    rpc: RpcSettings = RpcSettings()
    metrics: MetricsSettings = MetricsSettings()
    services: Addresses = Addresses()
    company: CompanySettings = CompanySettings()
    nlu: NluSettings = NluSettings()
    emotion: EmotionSettings = EmotionSettings()
    kb: KbSettings = KbSettings()
    dialog: DialogSettings = DialogSettings()
    asr: AsrSettings = AsrSettings()
    tts: TtsSettings = TtsSettings()
    voice: VoiceSettings = VoiceSettings()
    telephony: TelephonySettings = TelephonySettings()
    text: TextSettings = TextSettings()
    shop: ShopSettings = ShopSettings()


def export_paths(settings: Settings) -> None:
    """Let `common.paths` and child processes see the folders of the settings file."""
    os.environ[paths.DATA_VARIABLE] = str(settings.paths.data)
    os.environ[paths.CACHE_VARIABLE] = str(settings.paths.cache)
