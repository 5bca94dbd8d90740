"""Heads that listen to live audio."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest
from sound import NOBODY, RATE, assert_speech, chunks

from cpc_stream import InvalidOptionError, OverloadedError
from cpc_stream._listener import Listener
from cpc_stream._types import HeadEvent, HeadRows, Reset


def listen(server, feed, **options):
    heard = []

    async def run():
        was_reset = asyncio.Event()

        async def hear(said):
            heard.append(said)
            if isinstance(said, Reset):
                was_reset.set()

        listener = Listener(server.url, ["speech"], hear, **options)
        feeding = asyncio.create_task(feed(listener, was_reset))
        try:
            await listener.run()
        finally:
            await feeding

    asyncio.run(run())
    return heard


def states(heard):
    return [said.state for said in heard if isinstance(said, HeadEvent)]


def test_a_listener_hears_each_row_once_and_the_events_between_them(server, sound):
    async def feed(listener, _):
        for chunk in chunks(sound):
            listener.feed(chunk, sample_rate=RATE, channels=1)
        listener.finish()

    heard = listen(server, feed)
    rows = [said for said in heard if isinstance(said, HeadRows)]
    assert [each.first for each in rows] == list(
        np.cumsum([0, *(each.count for each in rows)])[:-1]
    )
    start, end = (said for said in heard if isinstance(said, HeadEvent))
    assert (start.state, end.state) == ("start", "end")
    assert_speech(start.time, end.time)


def speech_only(listener, sound):
    for chunk in chunks(sound[: 3 * RATE]):
        listener.feed(chunk, sample_rate=RATE, channels=1)


def test_what_is_on_ends_when_audio_stops_and_the_next_begins_anew(server, sound):
    async def feed(listener, was_reset):
        speech_only(listener, sound)
        await was_reset.wait()
        speech_only(listener, sound)
        listener.finish()

    heard = listen(server, feed, idle_s=0.5)
    assert states(heard) == ["start", "end", "start", "end"]
    spans = [said.time for said in heard if isinstance(said, HeadEvent)]
    assert spans[0] == spans[2] and spans[1] == pytest.approx(3.0, abs=0.03)


def test_audio_that_the_server_keeps_up_with_may_be_as_long_as_it_likes(server):
    async def run():
        heard = asyncio.Queue()

        async def hear(said):
            heard.put_nowait(said)

        listener = Listener(server.url, ["speech"], hear)
        running = asyncio.create_task(listener.run())
        for second in range(1, 14):
            listener.feed(bytes(2 * RATE), sample_rate=RATE, channels=1)
            rows = 0
            while rows < 100 * second - 2:
                said = await heard.get()
                rows = said.first + said.count
        listener.finish()
        await running

    asyncio.run(run())


def test_what_is_on_ends_when_the_listener_is_given_up(server, sound):
    async def run():
        heard, has_begun = [], asyncio.Event()

        async def hear(said):
            heard.append(said)
            if isinstance(said, HeadEvent):
                has_begun.set()

        listener = Listener(server.url, ["speech"], hear)
        running = asyncio.create_task(listener.run())
        speech_only(listener, sound)
        await has_begun.wait()
        running.cancel()
        await asyncio.wait([running])
        return heard

    assert states(asyncio.run(run())) == ["start", "end"]


def test_a_reset_forgets_what_is_on(server, sound):
    async def feed(listener, _):
        speech_only(listener, sound)
        listener.reset()
        listener.feed(bytes(2 * RATE), sample_rate=RATE, channels=1)
        listener.finish()

    assert states(listen(server, feed)) == ["start"]


def test_audio_of_another_rate_is_refused_and_so_is_more_than_the_server_can_take():
    async def nothing(_):
        pass

    async def run():
        listener = Listener(NOBODY, ["speech"], nothing)
        listener.feed(bytes(320), sample_rate=8000, channels=1)
        with pytest.raises(InvalidOptionError, match="1 channels at 8000 Hz"):
            listener.feed(bytes(320), sample_rate=16000, channels=1)
        with pytest.raises(OverloadedError, match="10 s of audio wait"):
            for _ in range(12):
                listener.feed(bytes(16000), sample_rate=8000, channels=1)

    asyncio.run(run())
