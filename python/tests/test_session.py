"""The protocol's state machine, fed by hand."""

from __future__ import annotations

import json

import numpy as np
import pytest

from cpc_stream import ConnectionLostError, Frames, HeadEvent, HeadRows, Reset
from cpc_stream._frames import binary_frames
from cpc_stream._options import credentials, route_url, settings_of, stream_url
from cpc_stream._resume import backoff_s, can_resume
from cpc_stream._session import Session
from cpc_stream._types import Selection

READY = {
    "type": "ready",
    "session": "s",
    "resume": "token",
    "model": "m",
    "sample_rate": 16000,
    "frame_rate": 100,
    "hop": 160,
    "lookahead": 312,
    "dims": {"context": 2, "latent": 3, "steps": 4},
    "output": ["context"],
    "steps": [2],
    "every": 1,
    "limits": {"message_bytes": 1000, "idle_s": 60},
}


def opened(ready=None, **options) -> Session:
    session = Session(settings_of({"encoding": "s16le", **options}))
    session.begin_connection()
    session.take(json.dumps({**READY, **(ready or {})}))
    return session


def say(session, **message):
    session.take(json.dumps(message))


def contexts(session, first, count, **more):
    rows = [[first + i, 0] for i in range(count)]
    head = {"type": "frames", "first": first, "count": count, "time": first / 100}
    say(session, **head, context=rows, **more)


def sent(session) -> list:
    messages = []
    while (message := session.next_message()) is not None:
        messages.append(message if isinstance(message, bytes) else json.loads(message))
    return messages


def heard(session, kind) -> list:
    return [event for event in session.unread if isinstance(event, kind)]


def resume(session, samples, segment=0, **ready):
    session.begin_connection()
    message = {**READY, "resume": "next", "resumed": True, "samples": samples, "segment": segment}
    session.take(json.dumps({**message, **ready}))


def decode(text, steps=(2,), every=2):
    return binary_frames(
        bytes.fromhex(text),
        dims={"context": 2, "latent": 3, "steps": 4},
        selection=Selection(("context",), steps, every),
        segment=0,
        frame_rate=100,
    )


PAYLOAD = """00 00 00 3f 00 00 80 bf 00 00 80 3e 00 00 80 3f
00 00 80 3f 00 00 00 40 00 00 40 40 00 00 00 bf 00 00 00 00 00 e0 7f 47"""


@pytest.mark.parametrize(
    ("message", "channel"),
    [
        (f"43504331 04000000 02000000 05 00 0100 {PAYLOAD}", None),
        (f"43504332 04000000 02000000 05 00 0100 0100 0000 {PAYLOAD}", 1),
        (
            "43504331 04000000 02000000 05 01 0100 003800bc003400 3c003c00400042 00b80000ff7b",
            None,
        ),
    ],
)
def test_binary_frames_of_the_documentation(message, channel):
    frames = decode(message)
    assert (frames.first, frames.count, frames.time, frames.channel) == (4, 2, 0.04, channel)
    assert frames.index.tolist() == [4, 6]
    assert frames.context.tolist() == [[0.5, -1], [0.25, 1]]
    largest = 65504
    assert frames.prediction.tolist() == [[[1, 2, 3]], [[-0.5, 0, largest]]]
    assert frames.latent is None and frames.context.flags.writeable


def test_binary_frames_refuses_what_is_no_frame():
    for text in ("", "43504333" + "00" * 12, "43504331 00000000 01000000 01 00 0000 00000000"):
        with pytest.raises(ConnectionLostError) as raised:
            decode(text)
        assert not raised.value.retryable


def test_a_resume_sends_the_audio_again_from_where_the_server_is():
    session = opened()
    session.add_audio(np.arange(400, dtype=np.int16))
    assert b"".join(sent(session)) == np.arange(400, dtype="<i2").tobytes()
    contexts(session, 0, 2)
    assert session.received == 2
    resume(session, 160)
    assert b"".join(sent(session)) == np.arange(160, 400, dtype="<i2").tobytes()
    contexts(session, 1, 3)  # frame 1 comes twice
    assert [frame.index.tolist() for frame in heard(session, Frames)] == [[0, 1], [2, 3]]
    with pytest.raises(ConnectionLostError, match="sample 0 on is gone"):
        resume(session, 0)


def test_requests_without_an_answer_are_sent_again_in_their_place():
    session = opened()
    answers = []
    session.add_audio(np.zeros(100, np.int16))
    session.mark("a", answers.append, answers.append)
    session.add_audio(np.ones(100, np.int16))
    kinds = [type(message) for message in sent(session)]
    assert kinds == [bytes, dict, bytes]
    resume(session, 50)
    again = sent(session)
    assert [len(again[0]), again[1]["type"], len(again[2])] == [100, "mark", 200]
    say(session, type="marked", id=again[1]["id"], samples=100, frames=0)
    assert (answers[0].id, answers[0].samples) == ("a", 100)


def test_a_reset_that_the_server_had_received_is_not_sent_again():
    session = opened()
    answers = []
    session.add_audio(np.zeros(400, np.int16))
    session.mark("before", answers.append, answers.append)
    session.reset(answers.append, answers.append)
    session.add_audio(np.ones(10, np.int16))
    assert [m["type"] for m in sent(session) if isinstance(m, dict)] == ["mark", "reset"]
    contexts(session, 0, 1)
    resume(session, 0, segment=1)
    assert (answers[0].samples, answers[1]) == (400, Reset(1))
    assert sent(session) == [np.ones(10, "<i2").tobytes()]
    assert heard(session, Reset) == [Reset(1)] and session.received == 0


def test_audio_stays_within_the_window_and_a_probe_asks_for_the_position():
    session = opened(window_s=0.1)  # 3200 bytes
    session.add_audio(np.zeros(16000, np.int16))
    messages = sent(session)
    probes = [message for message in messages if isinstance(message, dict)]
    assert [probe["type"] for probe in probes] == ["mark"]
    assert 3200 < sum(len(m) for m in messages if isinstance(m, bytes)) <= 3200 + 1000
    assert session.is_answer_owed
    say(session, type="marked", id=probes[0]["id"], samples=1600, frames=0)
    assert sent(session)


def test_channels_of_a_split_stream_count_together():
    session = opened(channels=2, split=True)
    session.add_audio(np.zeros((900, 2), np.int16))
    sent(session)
    contexts(session, 0, 3, channel=0)
    contexts(session, 0, 1, channel=1)
    assert session.received == 1
    resume(session, 160)
    contexts(session, 1, 3, channel=0)
    contexts(session, 1, 3, channel=1)
    got = [(frame.channel, frame.index.tolist()) for frame in heard(session, Frames)]
    assert got == [(0, [0, 1, 2]), (1, [0]), (0, [3]), (1, [1, 2, 3])]


def test_rows_and_events_of_heads_come_once():
    session = opened({"output": ["context", "head.vap"]})
    session.add_audio(np.zeros(2000, np.int16))
    sent(session)
    contexts(session, 0, 5)
    row = {"vad": [0.25]}
    say(session, type="head", name="vap", first=0, count=1, time=0.05, rows=[row])
    say(session, type="event", head="vap", event="speech", state="start", time=0.05)
    assert session.received == 4  # so that a row after frame 4 could not be lost
    resume(session, 640, output=["context", "head.vap"])
    say(session, type="head", name="vap", first=0, count=2, time=0.05, rows=[row, row])
    say(session, type="event", head="vap", event="speech", state="start", time=0.05)
    rows = heard(session, HeadRows)
    assert [(each.first, each.count, each.time) for each in rows] == [(0, 1, 0.05), (1, 1, 0.1)]
    assert heard(session, HeadEvent) == [HeadEvent("vap", "speech", "start", 0.05)]
    alone = opened({"output": ["head.vap"]})
    say(alone, type="head", name="vap", first=0, count=2, time=0.05, rows=[row, row])
    assert alone.received == 10


def test_a_head_of_one_channel_has_rows_and_events_of_every_channel_of_a_split_stream():
    session = opened({"output": ["head.vad"]}, channels=2, split=True)
    rows = {"type": "head", "name": "vad", "first": 0, "count": 1, "time": 0.05, "rows": [{}]}
    event = {"type": "event", "head": "vad", "event": "speech", "state": "start", "time": 0.05}
    say(session, **rows, channel=0)
    assert session.received == 0  # a resume must send the rows of channel 1 too
    say(session, **rows, channel=1)
    assert session.received == 5
    for channel in (0, 1, 0, 1):
        say(session, **event, channel=channel)
    assert [(each.channel, each.first) for each in heard(session, HeadRows)] == [(0, 0), (1, 0)]
    assert [each.channel for each in heard(session, HeadEvent)] == [0, 1]


def test_what_is_not_understood_ends_the_stream_for_good():
    for data in ("{", "[]", '{"type":"frames"}', b"CPC1", "{}"):
        with pytest.raises(ConnectionLostError) as raised:
            opened().take(data)
        assert not can_resume(raised.value)


def test_back_off_doubles_with_jitter_and_respects_the_server():
    error = ConnectionLostError("cut", retryable=True)
    for attempt, longest in ((1, 0.25), (3, 1.0), (20, 8.0)):
        waits = [backoff_s(attempt, error) for _ in range(50)]
        assert longest / 2 <= min(waits) < max(waits) <= longest
    assert backoff_s(1, ConnectionLostError("full", retry_after_s=9.0)) == 9.0


def test_addresses_and_keys():
    assert stream_url("https://h", [("a", "1,2")]) == "wss://h/v1/stream?a=1%2C2"
    assert stream_url("ws://h:1/x?y=1", []) == "ws://h:1/x?y=1"
    for server in ("ws://h:1/", "ws://h:1/v1/stream", "http://h:1/v1/embeddings"):
        assert route_url(server, "/v1/embeddings") == "http://h:1/v1/embeddings"
    assert credentials("a b") == ({"Authorization": "Bearer a b"}, ["cpc.v1"])
    assert credentials("é/=") == ({}, ["cpc.v1", "bearer64.w6kvPQ"])
