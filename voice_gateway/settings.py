"""Settings of the voice session: `[voice]`."""

from __future__ import annotations

from pydantic import Field

from common.settings import Section
from voice_gateway.endpointing import EndpointRules


class VoiceSettings(Section):
    """Turn-taking, patience and limits. Times say their unit."""

    # when an utterance ends (voice_gateway.endpointing)
    pause_ms: int = Field(140, ge=60, le=400)
    complete_ms: int = Field(200, ge=100, le=500)
    finished_ms: int = Field(260, ge=100, le=500)
    endpoint_ms: int = Field(360, ge=150, le=500)
    unfinished_ms: int = Field(500, ge=150, le=1500)
    number_ms: int = Field(1600, ge=500, le=5000)
    address_ms: int = Field(1100, ge=500, le=5000)
    max_utterance_ms: int = Field(30_000, ge=5_000)
    vad_onset: float = Field(0.6, gt=0, lt=1)
    vad_offset: float = Field(0.35, gt=0, lt=1)

    # patience
    no_input_s: float = Field(8.0, gt=0)
    no_input_number_s: float = Field(15.0, gt=0, description="the same while a number or an address is looked for")
    no_input_limit: int = Field(4, ge=1, description="silences in a row after which the call ends")
    noise_ms: int = Field(700, ge=100, description="speech without words that counts as a noise turn")
    filler_s: float = Field(1.2, gt=0, description="say 请稍等 when the dialog takes longer")
    key_s: float = Field(3.0, gt=0, description="wait for the next key of a number")
    single_key_s: float = Field(1.2, gt=0, description="wait for another key where one may be all")

    # bounds on what we depend on
    dialog_first_s: float = Field(8.0, gt=0)
    dialog_next_s: float = Field(15.0, gt=0)
    acoustic_wait_ms: int = Field(60, ge=0, description="how long a reply may wait for the voice reading")
    transfer_s: float = Field(40.0, gt=0)
    frames_s: float = Field(10.0, gt=0, description="a line without frames for so long is dead")
    closing_s: float = Field(2.0, gt=0, description="time for a running turn when the caller has gone")
    failure_limit: int = Field(2, ge=1, description="failed turns in a row after which a human is called in")
    max_call_s: float = Field(3600.0, gt=0)
    max_calls: int = Field(64, ge=1)
    max_transfers_failed: int = Field(2, ge=1)
    drain_s: float = Field(20.0, ge=0, description="time for running calls when the process stops")

    # what the bot says by itself; rendered once at start
    voice: str = ""
    say_filler: str = "请稍等。"
    say_unheard: str = "抱歉，我没有听清，请您再说一遍。"
    say_trouble: str = "抱歉，系统出了一点问题，请您再说一遍。"
    say_handover: str = "抱歉，现在为您转接人工客服，请稍候。"
    say_no_agent: str = "抱歉，人工客服暂时都在忙，我先继续为您服务，请问您还有什么问题？"
    say_failed: str = "非常抱歉，系统暂时无法服务，请您稍后再拨，再见。"
    say_silent: str = "一直没有听到您的声音，先不打扰您了，再见。"
    say_busy: str = "您好，现在来电较多，请您稍后再拨，再见。"
    say_time_up: str = "抱歉，本次通话时间已到，请您重新拨打，再见。"

    def endpointing(self) -> EndpointRules:
        """The rules of the endpointer."""
        return EndpointRules(
            onset=self.vad_onset,
            offset=self.vad_offset,
            pause_ms=self.pause_ms,
            complete_ms=self.complete_ms,
            finished_ms=self.finished_ms,
            default_ms=self.endpoint_ms,
            unfinished_ms=self.unfinished_ms,
            number_ms=self.number_ms,
            address_ms=self.address_ms,
            max_utterance_ms=self.max_utterance_ms,
        )

    def own_prompts(self) -> tuple[str, ...]:
        """Every sentence the gateway itself may say."""
        return (
            self.say_filler, self.say_unheard, self.say_trouble, self.say_handover, self.say_no_agent,
            self.say_failed, self.say_silent, self.say_busy, self.say_time_up,
        )  # fmt: skip
