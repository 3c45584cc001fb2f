"""`AsrEngine` and `TtsEngine` over gRPC. Callers cannot tell them from engines in place."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, suppress

from common.errors import HotlineError, Internal
from common.pb import speech_pb2 as pb
from common.pb import speech_pb2_grpc
from common.rpc.client import RpcClient
from voice_gateway.asr.api import (
    FREE,
    AsrClosed,
    AsrFailed,
    AsrModelError,
    AsrOverloaded,
    AsrStream,
    Capabilities,
    DecodingHint,
    Samples,
    Transcript,
)
from voice_gateway.speech_convert import (
    asr_from_pb,
    chunk_from_pb,
    config_to_pb,
    pcm_to_bytes,
    speech_to_pb,
    transcript_from_pb,
    tts_from_pb,
)
from voice_gateway.tts.api import AudioChunk, Speech, TtsCapabilities

_QUEUED = 100  # messages that wait to be sent: two seconds of 20 ms frames
_PUSH_S, _FINAL_S = 2.0, 10.0


async def _capabilities(rpc: RpcClient, stub: speech_pb2_grpc.SpeechStub) -> pb.CapabilitiesResponse:
    return await rpc.unary(stub.Capabilities, pb.CapabilitiesRequest())


class RemoteTts:
    """See `TtsEngine`. Made by `connect`."""

    def __init__(self, rpc: RpcClient, capabilities: TtsCapabilities) -> None:
        self._rpc, self._capabilities = rpc, capabilities
        self._stub = speech_pb2_grpc.SpeechStub(rpc.channel)

    @classmethod
    async def connect(cls, rpc: RpcClient) -> RemoteTts:
        """Ask the other side what it can do. Raises Unavailable when it does not answer."""
        found = await _capabilities(rpc, speech_pb2_grpc.SpeechStub(rpc.channel))
        return cls(rpc, tts_from_pb(found.tts))

    @property
    def capabilities(self) -> TtsCapabilities:
        """As they were when connecting."""
        return self._capabilities

    async def stream(self, speech: Speech) -> AsyncIterator[AudioChunk]:
        """See `TtsEngine`; closing the iterator cancels the call."""
        responses = self._rpc.stream(self._stub.Synthesize, speech_to_pb(speech))
        async with aclosing(responses) as source:  # type: ignore[type-var]
            async for response in source:
                yield chunk_from_pb(response)

    async def aclose(self) -> None:
        """Close the channel."""
        await self._rpc.aclose()


class RemoteAsr:
    """See `AsrEngine`. Made by `connect`."""

    def __init__(self, rpc: RpcClient, capabilities: Capabilities) -> None:
        self._rpc, self._capabilities = rpc, capabilities
        self._open: set[RemoteStream] = set()
        self._closed = False

    @classmethod
    async def connect(cls, rpc: RpcClient) -> RemoteAsr:
        """Ask the other side what it can do. Raises Unavailable when it does not answer."""
        found = await _capabilities(rpc, speech_pb2_grpc.SpeechStub(rpc.channel))
        return cls(rpc, asr_from_pb(found.asr))

    @property
    def capabilities(self) -> Capabilities:
        """As they were when connecting."""
        return self._capabilities

    async def stream(self, hint: DecodingHint = FREE, *, sample_rate: int = 8000) -> AsrStream:
        """See `AsrEngine`. A refusal of the other side is raised by the first `push`, `flush` or iteration."""
        if self._closed:
            raise AsrClosed("the recogniser was closed")
        if sample_rate not in self._capabilities.sample_rates:
            rates = ", ".join(map(str, self._capabilities.sample_rates))
            raise AsrModelError(f"audio at {sample_rate} Hz cannot be recognised; possible: {rates}")
        made = RemoteStream(self._rpc, hint, sample_rate, self._capabilities.name, self._open.discard)
        self._open.add(made)
        return made

    async def aclose(self) -> None:
        """Close all streams and the channel."""
        self._closed = True
        for stream in tuple(self._open):
            await stream.aclose()
        await self._rpc.aclose()


class RemoteStream:
    """See `AsrStream`: one RPC."""

    def __init__(
        self, rpc: RpcClient, hint: DecodingHint, rate: int, engine: str, gone: Callable[[RemoteStream], None]
    ) -> None:
        self._rpc, self._rate, self._engine, self._gone = rpc, rate, engine, gone
        self._stub = speech_pb2_grpc.SpeechStub(rpc.channel)
        self._outgoing: asyncio.Queue[pb.RecognizeRequest | None] = asyncio.Queue(_QUEUED)
        self._outgoing.put_nowait(pb.RecognizeRequest(config=config_to_pb(hint, rate)))
        self._news = asyncio.Event()
        self._partial: Transcript | None = None
        self._final: Transcript | None = None
        self._error: HotlineError | None = None
        self._samples = 0
        self._flushed_at = 0.0
        self._closed = False
        self._task = asyncio.create_task(self._receive(), name="speech-receive")

    async def push(self, frames: Samples) -> None:
        """See `AsrStream`."""
        if self._closed or self._flushed_at:
            raise AsrClosed("audio after the end of the utterance")
        self._raise_error()
        self._samples += len(frames)
        await self._put(pb.RecognizeRequest(pcm=pcm_to_bytes(frames)))

    async def flush(self) -> Transcript:
        """See `AsrStream`."""
        if self._closed and self._final is None:
            raise AsrClosed("the stream was closed")
        if not self._flushed_at:
            self._flushed_at = time.perf_counter()
            await self._put(pb.RecognizeRequest(flush=True))
            await self._put(None)
        await asyncio.wait((self._task,), timeout=_FINAL_S)
        if self._final is None:
            self._raise_error()
            raise AsrFailed("the recogniser gave no final text in time")
        return self._final

    async def _put(self, request: pb.RecognizeRequest | None) -> None:
        try:
            async with asyncio.timeout(_PUSH_S):
                await self._outgoing.put(request)
        except TimeoutError:
            self._raise_error()
            raise AsrOverloaded(f"the recogniser takes no audio for {_PUSH_S:g} s") from None

    def _raise_error(self) -> None:
        if self._error is not None:
            raise self._error

    async def _requests(self) -> AsyncIterator[pb.RecognizeRequest]:
        while (request := await self._outgoing.get()) is not None:
            yield request

    async def _receive(self) -> None:
        responses = self._rpc.converse(self._stub.StreamingRecognize, self._requests())
        try:
            async with aclosing(responses) as source:  # type: ignore[type-var]
                async for response in source:
                    self._heard(response)
                    if self._final is not None:
                        return
            if not self._closed:
                self._error = AsrFailed("the recogniser ended without a final text")
        except HotlineError as error:
            self._error = error
        except Exception as error:
            self._error = Internal(f"recognition failed: {error}")
        finally:
            self._news.set()

    def _heard(self, response: pb.RecognizeResponse) -> None:
        decode_ms = (time.perf_counter() - self._flushed_at) * 1000 if response.final and self._flushed_at else 0.0
        transcript = transcript_from_pb(
            response, audio_s=self._samples / self._rate, decode_ms=decode_ms, engine=self._engine
        )
        if transcript.final:
            self._final = transcript
        else:
            self._partial = transcript
        self._news.set()

    async def __aiter__(self) -> AsyncIterator[Transcript]:
        """See `AsrStream`: only the newest partial waits for a slow reader."""
        while not self._closed:
            await self._news.wait()
            self._news.clear()
            partial, self._partial = self._partial, None
            if partial is not None:
                yield partial
            if self._final is not None:
                self._news.set()
                yield self._final
                return
            self._raise_error()

    async def aclose(self) -> None:
        """See `AsrStream`."""
        self._closed = True
        self._gone(self)
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task
        self._news.set()
