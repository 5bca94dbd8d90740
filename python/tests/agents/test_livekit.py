"""LiveKit agents' own interfaces, frames as a room gives them, and a real server."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from importlib.metadata import version

import numpy as np
import pytest
from livekit import rtc
from livekit.agents import Plugin
from livekit.agents.vad import VADEvent, VADEventType
from sound import NOBODY, RATE, assert_speech, chunks

from cpc_stream import CpcError
from cpc_stream.livekit import VAD


def events_of(detector, audio) -> list[VADEvent]:
    """What a detector says of a whole stream."""

    async def listen():
        stream = detector.stream()
        for frame in frames(audio):
            stream.push_frame(frame)
        stream._input_ch.close()  # end_input() flushes, which forgets what is on
        heard = [event async for event in stream]
        await stream.aclose()
        return heard

    return asyncio.run(listen())


def frames(audio) -> Iterator[rtc.AudioFrame]:
    for chunk in chunks(audio):
        yield rtc.AudioFrame(chunk, RATE, 1, len(chunk) // 2)


@pytest.mark.parametrize("before_s", [0, 8])
def test_hears_speech_with_its_audio(server, sound, before_s):
    sound = np.concatenate([np.zeros(before_s * RATE, np.int16), sound])
    events = events_of(VAD(server.url), sound)
    start, end = (event for event in events if event.type != VADEventType.INFERENCE_DONE)
    assert (start.type, end.type) == (VADEventType.START_OF_SPEECH, VADEventType.END_OF_SPEECH)
    assert start.speaking and not end.speaking and not events[-1].speaking
    began_s = start.timestamp - start.speech_duration
    ended_s = end.timestamp - end.silence_duration
    assert_speech(began_s - before_s, ended_s - before_s)
    assert end.speech_duration == pytest.approx(ended_s - began_s)
    assert bytes(end.frames[0].data) == with_padding(sound, began_s, end.timestamp)
    assert end.samples_index == round(end.timestamp * RATE)


def with_padding(audio, from_s, to_s) -> bytes:
    """From half a second before."""
    return audio[round((from_s - 0.5) * RATE) : round(to_s * RATE)].tobytes()


def test_tells_each_row_with_the_audio_it_heard(server, sound):
    rows = [event for event in events_of(VAD(server.url), sound) if event.frames]
    rows = [event for event in rows if event.type == VADEventType.INFERENCE_DONE]
    assert (
        b"".join(bytes(event.frames[0].data) for event in rows)
        == sound[: len(rows) * 160].tobytes()
    )
    assert all(0 <= event.probability <= 1 for event in rows)
    loud = max(rows, key=lambda event: event.raw_accumulated_speech)
    assert loud.speaking and loud.raw_accumulated_speech > 0.5
    assert rows[0].raw_accumulated_speech == 0 and rows[0].raw_accumulated_silence > 0


def test_flush_begins_a_segment_without_an_end(server, sound):
    async def run():
        stream = VAD(server.url).stream()
        for audio in (sound[RATE // 2 : 3 * RATE], sound):
            for frame in frames(audio):
                stream.push_frame(frame)
            stream.flush()
        stream.end_input()
        return [event async for event in stream if event.type != VADEventType.INFERENCE_DONE]

    first, start, end = asyncio.run(run())
    assert first.type == start.type == VADEventType.START_OF_SPEECH
    assert end.type == VADEventType.END_OF_SPEECH
    assert end.timestamp < 5.3
    began_s = start.timestamp - start.speech_duration
    assert bytes(end.frames[0].data) == with_padding(sound, began_s, end.timestamp)


def test_a_server_that_is_gone_is_an_error(sound):
    with pytest.raises(CpcError, match="cannot be reached"):
        events_of(VAD(NOBODY), sound)


def test_registers_as_a_plugin_with_the_package_s_version():
    [plugin] = [each for each in Plugin.registered_plugins if each.title == "cpc-stream"]
    assert plugin.version == version("cpc-stream")
