"""Wyoming's own client over TCP, and a real server."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest
from sound import NOBODY, RATE, assert_speech, chunks
from wyoming.audio import AudioChunk, AudioStart, AudioStop
from wyoming.client import AsyncTcpClient
from wyoming.error import Error
from wyoming.event import Event
from wyoming.ping import Ping, Pong
from wyoming.server import AsyncTcpServer
from wyoming.vad import VoiceStarted, VoiceStopped

from cpc_stream.wyoming import Handler


def run(url, sent: list[Event]) -> list[Event]:
    """What a client hears until its ping is answered or the connection ends."""

    async def talk():
        server = AsyncTcpServer("127.0.0.1", 0)
        await server.start(lambda reader, writer: Handler(reader, writer, url=url))
        port = server._server.sockets[0].getsockname()[1]
        heard = []
        async with AsyncTcpClient("127.0.0.1", port) as client:
            for event in [*sent, Ping(text="over").event()]:
                await client.write_event(event)
            while (event := await client.read_event()) is not None:
                if Pong.is_type(event.type):
                    break
                heard.append(event)
        await server.stop()
        return heard

    return asyncio.run(talk())


def test_hears_voice_of_each_stream_of_a_connection(server, sound):
    audio = np.concatenate([sound, np.zeros(8 * RATE, np.int16)])  # more than is kept waiting
    stream = [
        AudioStart(RATE, 2, 1).event(),
        *(AudioChunk(RATE, 2, 1, chunk).event() for chunk in chunks(audio)),
        AudioStop().event(),
    ]
    heard = run(server.url, stream + stream)
    assert [event.type for event in heard] == ["voice-started", "voice-stopped"] * 2
    for started, stopped in (heard[:2], heard[2:]):
        times = (
            VoiceStarted.from_event(started).timestamp,
            VoiceStopped.from_event(stopped).timestamp,
        )
        assert_speech(*(time_ms / 1000 for time_ms in times))


@pytest.mark.parametrize("width, why", [(4, "send 16 bits"), (2, "cannot be reached")])
def test_what_goes_wrong_is_an_error_event(sound, width, why):
    chunk = AudioChunk(RATE, width, 1, bytes(640)).event()
    [error] = run(NOBODY, [AudioStart(RATE, width, 1).event(), chunk, AudioStop().event()])
    assert why in Error.from_event(error).text


def test_audio_after_audio_stop_is_ignored():
    silence = np.zeros(8 * RATE, np.int16)  # more than is kept waiting
    late = [AudioChunk(RATE, 2, 1, chunk).event() for chunk in chunks(silence)]
    assert run(NOBODY, [AudioStart(RATE, 2, 1).event(), AudioStop().event(), *late]) == []
