"""pipecat's own pipeline around our processor, and a real server."""

from __future__ import annotations

import asyncio

from pipecat.frames.frames import (
    ErrorFrame,
    Frame,
    InputAudioRawFrame,
    UserSpeakingFrame,
    VADUserStartedSpeakingFrame,
    VADUserStoppedSpeakingFrame,
)
from pipecat.tests.utils import run_test
from sound import NOBODY, RATE, assert_speech, chunks

from cpc_stream.pipecat import HeadEventFrame, HeadRowsFrame, HeadsProcessor


def run(processor, audio) -> tuple[list[Frame], list[Frame]]:
    """The frames that come out downstream and upstream."""
    sent = [InputAudioRawFrame(chunk, RATE, 1) for chunk in chunks(audio)]
    return asyncio.run(run_test(processor, frames_to_send=sent))


def of(kind, frames):
    return [frame for frame in frames if isinstance(frame, kind)]


def test_hears_speech_start_and_end_and_audio_passes(server, sound):
    down, up = run(HeadsProcessor(server.url), sound)
    passed = b"".join(frame.audio for frame in of(InputAudioRawFrame, down))
    assert passed == sound.tobytes()
    assert_speech(*(frame.event.time for frame in of(HeadEventFrame, down)))
    for frames in (down, up):
        kinds = (VADUserStartedSpeakingFrame, VADUserStoppedSpeakingFrame)
        started, stopped = of(kinds, frames)
        assert isinstance(started, kinds[0]) and isinstance(stopped, kinds[1])
        assert started.start_secs >= 0.09 and stopped.stop_secs >= 0.29
        assert 1 <= len(of(UserSpeakingFrame, frames)) < 20
    rows = [frame.rows for frame in of(HeadRowsFrame, down)]
    assert sum(each.count for each in rows) == len(sound) // 160
    assert all(0 <= row["speech"][0] <= 1 for each in rows for row in each.rows)


def test_speech_that_is_on_stops_when_the_pipeline_ends(server, sound):
    down, _ = run(HeadsProcessor(server.url), sound[: 3 * RATE])
    assert len(of(VADUserStartedSpeakingFrame, down)) == 1
    assert len(of(VADUserStoppedSpeakingFrame, down)) == 1


def test_audio_passes_when_the_server_is_gone_and_an_error_says_so(sound):
    down, up = run(HeadsProcessor(NOBODY), sound)
    assert len(of(InputAudioRawFrame, down)) == len(list(chunks(sound)))
    [error] = of(ErrorFrame, up)
    assert "connection_lost" in error.error


def test_events_of_another_name_are_no_speech(server, sound):
    down, _ = run(HeadsProcessor(server.url, speech_event=None), sound)
    assert len(of(HeadEventFrame, down)) == 2
    assert not of(VADUserStartedSpeakingFrame, down)
