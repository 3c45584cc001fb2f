"""gRPC servicer of speech: recognition of one utterance a stream, synthesis of one text a stream."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

from common.auth import Role
from common.errors import BadInput
from common.pb import speech_pb2 as pb
from common.pb import speech_pb2_grpc
from common.rpc.server import GrpcServer
from voice_gateway.asr.api import AsrEngine, AsrStream
from voice_gateway.speech_convert import (
    asr_to_pb,
    chunk_to_pb,
    config_from_pb,
    pcm_from_bytes,
    speech_from_pb,
    transcript_to_pb,
    tts_to_pb,
)
from voice_gateway.tts.api import TtsEngine
from voice_gateway.tts.resample import at_rate

MAX_TEXT = 5000
_RATES = (8000, 16_000, 24_000, 48_000)


class SpeechServicer(speech_pb2_grpc.SpeechServicer):
    """Thin."""

    def __init__(self, asr: AsrEngine, tts: TtsEngine) -> None:
        self._asr, self._tts = asr, tts

    async def Capabilities(self, request: pb.CapabilitiesRequest, context: Any) -> pb.CapabilitiesResponse:
        """What the engines behind this can do."""
        return pb.CapabilitiesResponse(asr=asr_to_pb(self._asr.capabilities), tts=tts_to_pb(self._tts.capabilities))

    async def StreamingRecognize(
        self, request_iterator: AsyncIterator[pb.RecognizeRequest], context: Any
    ) -> AsyncIterator[pb.RecognizeResponse]:
        """One utterance: config, audio, flush in; partials and one final out. Ending without flush drops it."""
        first = await anext(aiter(request_iterator), None)
        if first is None or first.WhichOneof("request") != "config":
            raise BadInput("the first message of StreamingRecognize must be `config`")
        hint, rate = config_from_pb(first.config)
        stream = await self._asr.stream(hint, sample_rate=rate)
        feeding = asyncio.create_task(_feed(stream, request_iterator), name="speech-feed")
        try:
            async for transcript in stream:
                yield transcript_to_pb(transcript)
            await feeding
        finally:
            feeding.cancel()
            await asyncio.gather(feeding, return_exceptions=True)
            await stream.aclose()

    async def Synthesize(self, request: pb.SynthesizeRequest, context: Any) -> AsyncIterator[pb.SynthesizeResponse]:
        """One text as audio, part by part, at the wanted rate."""
        if len(request.text) > MAX_TEXT:
            raise BadInput(f"{len(request.text)} characters are too many for one text; at most {MAX_TEXT}")
        if request.sample_rate not in (0, *_RATES):
            raise BadInput(f"sample rate {request.sample_rate} is not offered; one of {', '.join(map(str, _RATES))}")
        chunks = self._tts.stream(speech_from_pb(request))
        if request.sample_rate:
            chunks = at_rate(chunks, request.sample_rate)
        async with aclosing(chunks) as source:  # type: ignore[type-var]
            async for chunk in source:
                yield chunk_to_pb(chunk)


async def _feed(stream: AsrStream, requests: AsyncIterator[pb.RecognizeRequest]) -> None:
    """Audio into the stream until flush; anything that goes wrong closes it, so that its reader ends too."""
    try:
        async for request in requests:
            kind = request.WhichOneof("request")
            if kind == "flush":
                await stream.flush()
                return
            if kind != "pcm":
                raise BadInput("after `config` only `pcm` and `flush` may come")
            await stream.push(pcm_from_bytes(request.pcm))
        await stream.aclose()
    except BaseException:
        await stream.aclose()
        raise


def register(server: GrpcServer, asr: AsrEngine, tts: TtsEngine) -> None:
    """Serve both engines on `server`."""
    server.add(
        lambda to: speech_pb2_grpc.add_SpeechServicer_to_server(SpeechServicer(asr, tts), to),
        "hotline.v1.Speech",
        {Role.SERVICE},
    )
