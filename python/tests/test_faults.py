"""Faults: frames must be those of an unbroken stream."""

from __future__ import annotations

import asyncio
import random
import signal
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from conftest import Server
from frames import assert_close, rows
from websockets.sync.client import connect as raw_connect

import cpc_stream
from cpc_stream import Frames, State


@pytest.fixture(scope="module")
def truth(server: Server, speech: np.ndarray) -> np.ndarray:
    [context] = cpc_stream.embed(server.url, speech)
    return context


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_cuts_at_random_bytes_lose_and_double_nothing(proxy, speech, truth, seed):
    chance = random.Random(seed)
    cuts = iter([chance.randrange(600, 60_000) for _ in range(6)])
    proxy.budget = lambda: next(cuts, float("inf"))
    options = {"encoding": "s16le"} if seed == 2 else {}
    for _ in range(20):  # a cut within the first handshake is the caller's to try again
        try:
            stream = cpc_stream.connect(proxy.url, **options)
            break
        except cpc_stream.ConnectionLostError:
            continue
    with stream:
        data = speech.tobytes()
        while data:
            size = chance.randrange(1, 6000)
            stream.send(data[:size])
            data = data[size:]
            if chance.random() < 0.3:
                stream.mark()
        done = stream.finish()
        events = list(stream.events())
    frames = [event for event in events if isinstance(event, Frames)]
    assert (done.samples, done.frames) == (len(speech), len(truth))
    assert_close(rows(frames), truth)
    assert proxy.connections >= 3
    states = [event for event in events if isinstance(event, State)]
    resumed = [state for state in states if state.state == "resuming"]
    assert resumed and all(state.retry_in_s >= 0.125 and state.error for state in resumed)


def test_the_async_client_resumes_too(proxy, speech, truth):
    async def run():
        async with cpc_stream.aio.connect(proxy.url) as stream:
            await stream.send(speech[:20_000])
            await stream.mark()
            proxy.cut_after(700)  # within the answers of what follows
            await stream.send(speech[20_000:])
            await stream.finish()
            return [each async for each in stream]

    assert_close(rows(asyncio.run(run())), truth)
    assert proxy.connections == 2


@pytest.mark.parametrize("at", [1, 40, 100, 300, 1000])
def test_update_reset_and_finish_are_answered_once_whatever_is_cut(proxy, speech, truth, at):
    with cpc_stream.connect(proxy.url) as stream:
        stream.send(speech[:4000])
        stream.mark()
        proxy.cut_after(at)
        assert stream.update(output=["context", "latent"]).output == ("context", "latent")
        proxy.cut_after(at)
        assert stream.reset().segment == 1
        stream.send(speech)
        proxy.cut_after(at)
        assert stream.finish().frames == len(truth)
        second = [each for each in stream if each.segment == 1]
    assert_close(rows(second), truth)
    assert len(rows(second, "latent")) == len(truth)


def test_a_session_that_is_gone_begins_anew_if_nothing_came(proxy, other, speech, truth):
    with cpc_stream.connect(proxy.url, key="key-a") as stream:
        session = stream.ready["session"]
        stream.update(output="context,latent")
        proxy.target = other.port  # which does not know the session
        proxy.cut()
        stream.send(speech)
        assert stream.finish().frames == len(truth)
        frames = list(stream)
        assert stream.ready["session"] != session
    assert_close(rows(frames), truth)
    assert len(rows(frames, "latent")) == len(truth)


def test_a_session_that_is_gone_is_an_error_once_frames_came(proxy, other, speech):
    with cpc_stream.connect(proxy.url, key="key-a") as stream:
        stream.send(speech)
        stream.mark()
        proxy.target = other.port
        proxy.cut()
        with pytest.raises(cpc_stream.UnknownResumeTokenError) as raised:
            stream.finish()
        assert raised.value.close_code == 4404
        with pytest.raises(cpc_stream.UnknownResumeTokenError):
            list(stream)


def test_a_stream_that_is_resumed_elsewhere_ends_with_4409(server, speech):
    with cpc_stream.connect(server.url) as stream:
        stream.send(speech)
        frames = stream.mark().frames
        query = f"resume={stream.ready['resume']}&received={frames}"
        with raw_connect(f"ws://127.0.0.1:{server.port}/v1/stream?{query}") as thief:
            thief.recv()
            with pytest.raises(cpc_stream.ResumedElsewhereError) as raised:
                stream.finish()
        assert (raised.value.code, raised.value.close_code) == ("resumed_elsewhere", 4409)


def test_a_server_that_stands_still_is_left_and_the_stream_resumed(proxy, speech, truth):
    server = Server("--workers", "1")
    try:
        proxy.target = server.port
        with cpc_stream.connect(proxy.url, timeout_s=2) as stream:
            stream.send(speech[:20_000])
            stream.mark()
            server.signal(signal.SIGSTOP)
            stream.send(speech[20_000:])
            with ThreadPoolExecutor(1) as asker:
                finishing = asker.submit(stream.finish)  # an answer is owed, so silence is noticed
                events = []
                for event in stream.events():
                    events.append(event)
                    if isinstance(event, State) and event.state == "resuming":
                        server.signal(signal.SIGCONT)
                assert finishing.result().frames == len(truth)
        lost = [event.error for event in events if isinstance(event, State) and event.error]
        assert lost[0].code == "timeout"
        assert_close(rows(event for event in events if isinstance(event, Frames)), truth)
    finally:
        server.stop()


def test_a_draining_server_warns_and_the_stream_ends_with_its_reason(speech, caplog):
    server = Server("--workers", "1", "--drain-timeout", "5")
    try:
        with cpc_stream.connect(server.url, resume_for_s=2) as stream:
            stream.send(speech)
            stream.mark()
            server.signal(signal.SIGTERM)
            with pytest.raises(cpc_stream.CpcError) as raised:
                list(stream)
            assert raised.value.code in ("draining", "connection_lost"), raised.value
        assert "draining" in caplog.text
        assert server.process.wait(20) == 0
    finally:
        server.stop()


def test_bad_options_say_what_is_wrong(server):
    for options, param in (
        ({"every": 0}, "every"),
        ({"output": "contxt"}, "output"),
        ({"no_such_option": 1}, "no_such_option"),
        ({"sample_rate": 7}, "sample_rate"),
    ):
        with pytest.raises(cpc_stream.InvalidOptionError) as raised:
            cpc_stream.connect(server.url, **options)
        error = raised.value
        assert (error.code, error.close_code, error.param) == ("invalid_option", 4400, param)
        assert error.request
        assert not error.retryable
    with pytest.raises(cpc_stream.NotFoundError) as raised:
        cpc_stream.connect(server.url, model="nope")
    assert raised.value.code == "model_not_found"
    with pytest.raises(ValueError, match="no address"):
        cpc_stream.connect("127.0.0.1")


def test_bad_audio_ends_the_stream_with_its_code(server):
    with cpc_stream.connect(server.url) as stream:
        with pytest.raises(TypeError, match="complex"):
            stream.send(np.zeros(4, np.complex64))
        with pytest.raises(TypeError, match="str"):
            stream.send("audio")
        stream.send(np.full(100, np.nan, np.float32))
        with pytest.raises(cpc_stream.InvalidAudioError):
            stream.finish()


def test_keys_and_limits_have_their_codes(other, monkeypatch):
    monkeypatch.delenv("CPC_API_KEY", raising=False)
    for key in (None, "wrong", "schlüssel/="):
        with pytest.raises(cpc_stream.UnauthorizedError):
            cpc_stream.connect(other.url, key=key)
    monkeypatch.setenv("CPC_API_KEY", "key-a")
    with cpc_stream.connect(other.url), cpc_stream.connect(other.url):
        with pytest.raises(cpc_stream.OverloadedError) as raised:
            cpc_stream.connect(other.url)
        assert raised.value.retryable and raised.value.close_code in (4429, 1013)


def test_a_server_that_cannot_be_reached_says_so():
    with pytest.raises(cpc_stream.ConnectionLostError) as raised:
        cpc_stream.connect("http://127.0.0.1:1")
    assert raised.value.retryable


def test_resume_false_gives_up_at_the_first_cut(proxy, speech):
    with cpc_stream.connect(proxy.url, resume=False) as stream:
        stream.send(speech)
        stream.mark()
        proxy.cut()
        with pytest.raises(cpc_stream.ConnectionLostError):
            list(stream)
    assert proxy.connections == 1
