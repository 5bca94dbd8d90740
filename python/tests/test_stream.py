"""Streams of a real server."""

from __future__ import annotations

import asyncio
import threading

import numpy as np
import pytest
from conftest import ROOT, Server
from frames import assert_close, rows

import cpc_stream
from cpc_stream import Frames, HeadRows, Reset


@pytest.fixture(scope="module")
def truth(server: Server, speech: np.ndarray) -> dict[str, np.ndarray]:
    [arrays] = cpc_stream.embed(server.url, speech, output="context,latent,prediction")
    return arrays


def blocks(audio: np.ndarray | bytes, size: int) -> list:
    return [audio[at : at + size] for at in range(0, len(audio), size)]


@pytest.mark.parametrize(
    ("kind", "options", "within"),
    [
        ("float", {}, 2e-5),
        ("float", {"format": "json", "encoding": "s16le"}, 2e-5),
        ("int", {"dtype": "f16"}, 1e-2),
        ("bytes", {}, 2e-5),
        ("bytes", {"encoding": "s16le"}, 2e-5),
        ("double", {"sample_rate": 16000, "steps": None}, 2e-5),
    ],
)
def test_frames_are_those_of_the_recording(server, speech, truth, kind, options, within):
    audio = {
        "float": speech.astype(np.float32) / np.float32(32768),
        "double": speech / 32768,
        "int": speech,
        "bytes": speech.tobytes(),
    }[kind]
    output = ["context", "latent", "prediction"]
    with cpc_stream.connect(server.url, output=output, **options) as stream:
        for block in blocks(audio, 3201):  # odd: samples of bytes are cut in two
            stream.send(block)
        marked = stream.mark({"my": 1})
        assert (marked.id, marked.samples) == ({"my": 1}, len(speech))
        done = stream.finish()
        frames = list(stream)
    assert (done.samples, done.frames) == (len(speech), len(truth["context"]))
    for name in output:
        assert_close(rows(frames, name), truth[name], within)
    assert frames[-1].times[-1] == pytest.approx((done.frames - 1) / 100)


def test_scores_are_arrays_in_both_formats(server, speech):
    def scores(format):
        with cpc_stream.connect(server.url, output="score", steps="1,3", format=format) as stream:
            stream.send(speech)
            stream.finish()
            frames = list(stream)
        assert frames[0].steps == (1, 3)
        parts = zip(
            *[(f.score.surprise, f.score.nce, f.score.correct) for f in frames], strict=True
        )
        return [np.concatenate(part) for part in parts]

    binary, text = scores("binary"), scores("json")
    assert [part.shape for part in binary] == [(321,), (321, 2), (321, 2)]
    assert np.isnan(binary[0][0]) and not np.isnan(binary[0][300])
    for one, other in zip(binary, text, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)


@pytest.mark.parametrize("format", ["binary", "json"])
def test_a_split_stream_has_frames_of_every_channel(proxy, speech, format):
    stereo = np.stack([speech, speech[::-1]], axis=1)
    with cpc_stream.connect(proxy.url, channels=2, split=True, format=format) as stream:
        stream.send(stereo[:20_000])
        stream.mark()
        proxy.cut_after(7_000)  # within the answers of what follows
        stream.send(stereo[20_000:])
        done = stream.finish()
        frames = list(stream)
    assert done.samples == len(speech)
    assert proxy.connections == 2
    [truth] = cpc_stream.embed(proxy.url, stereo, split=True)
    for channel in (0, 1):
        got = rows([each for each in frames if each.channel == channel])
        assert_close(got, truth[:, channel])
        [alone] = cpc_stream.embed(proxy.url, stereo[:, channel].copy())
        assert_close(got, alone)


def test_several_channels_are_averaged(server, speech):
    stereo = np.stack([speech, np.zeros_like(speech)], axis=1)
    [truth] = cpc_stream.embed(server.url, stereo)
    with cpc_stream.connect(server.url, channels=2) as stream:
        stream.send(stereo)
        stream.finish()
        assert_close(rows(stream), truth)
        with pytest.raises(cpc_stream.ClosedError):
            stream.send(stereo)
    with (
        cpc_stream.connect(server.url, channels=2) as stream,
        pytest.raises(ValueError, match="channels=2"),
    ):
        stream.send(np.zeros((5, 3), np.float32))


def test_update_and_reset_answer_in_order(server, speech, truth):
    with cpc_stream.connect(server.url, encoding="s16le") as stream:
        stream.send(speech[:8000])
        selection = stream.update(output="latent", every=3)
        assert (selection.output, selection.every) == (("latent",), 3)
        assert stream.reset() == Reset(1)
        stream.send(speech)
        stream.finish()
        events = list(stream.events())
    frames = [event for event in events if isinstance(event, Frames)]
    second = [each for each in frames if each.segment == 1]
    assert any(each.context is not None for each in frames if each.segment == 0)
    assert Reset(1) in events
    assert_close(rows(second, "latent"), truth["latent"][::3])


def test_update_enrols_a_voice(server, speech, truth):
    context = truth["context"]
    voice = context.mean(axis=0)
    with cpc_stream.connect(server.url, encoding="s16le", output="head.speaker") as stream:
        stream.update(voice=voice)
        stream.send(speech)
        stream.finish()
        rows = [
            row for event in stream.events() if isinstance(event, HeadRows) for row in event.rows
        ]
    assert len(rows) == len(context) // 10
    heard = context[: 10 * len(rows)].mean(axis=0)
    cosine = heard @ voice / np.linalg.norm(heard) / np.linalg.norm(voice)
    assert abs(rows[-1]["similarity"][0] - cosine) <= 1e-4


def test_async_client_has_the_same_names(server, speech, truth):
    async def run():
        async with cpc_stream.aio.connect(server.url, every=2) as stream:
            frames: list[Frames] = []

            async def read():
                async for each in stream:
                    frames.append(each)

            reading = asyncio.create_task(read())
            for block in blocks(speech, 1600):
                await stream.send(block)
            assert (await stream.mark()).samples == len(speech)
            assert (await stream.update(every=2)).every == 2
            assert (await stream.finish()).frames == len(truth["context"])
            await reading
        stream = await cpc_stream.aio.connect(server.url)
        assert (await stream.reset()).segment == 1
        await stream.close()
        return frames

    assert_close(rows(asyncio.run(run())), truth["context"][::2])


def test_a_whole_recording_before_the_first_read_does_not_deadlock(server, speech):
    """Wide outputs fill every buffer between server and client while audio is sent."""
    audio = np.tile(speech, 8)
    with cpc_stream.connect(server.url, output="context,latent,prediction") as stream:
        stream.send(audio)
        done = stream.finish()
        assert len(rows(stream, "prediction")) == done.frames > 2500


def test_unread_frames_are_bounded_and_nothing_is_lost(server, speech):
    audio = np.tile(speech, 8)
    [truth] = cpc_stream.embed(server.url, audio)
    with cpc_stream.connect(server.url, max_unread_bytes=400_000, window_s=1) as stream:
        for call in (lambda: stream.send(audio), stream.finish):
            with pytest.raises(cpc_stream.UnreadFullError) as raised:
                call()
            assert raised.value.code == "unread_full"
        most = stream._stream._session.unread_bytes
        assert most < 400_000 + 1.5 * 100 * 1100, most
        frames = list(stream)  # the finish is still queued, so the stream ends by itself
    assert_close(rows(frames), truth)


def test_a_slow_reader_holds_the_sender_back(server, speech):
    audio = np.tile(speech, 20)
    [truth] = cpc_stream.embed(server.url, audio)
    frames, most = [], 0
    is_sent, may_read = threading.Event(), threading.Event()
    with cpc_stream.connect(server.url, window_s=2) as stream:

        def read():
            nonlocal most
            for each in stream:
                frames.append(each)
                may_read.wait()  # the first block is read, and then nothing for a while
                most = max(most, stream._stream._session.unread_rows)

        reader = threading.Thread(target=read)
        reader.start()

        def send():
            stream.send(audio)
            stream.finish()
            is_sent.set()

        sender = threading.Thread(target=send)
        sender.start()
        assert not is_sent.wait(3)  # 64 s of audio do not go out
        may_read.set()
        assert is_sent.wait(60)
        sender.join()
        reader.join()
    assert 2000 < most < 2600, most
    assert_close(rows(frames), truth)


def test_one_thread_may_send_while_it_iterates(server, speech, truth):
    pieces = iter(blocks(speech, 1600))
    frames = []
    with cpc_stream.connect(server.url) as stream:
        stream.send(next(pieces))
        for each in stream:
            frames.append(each)
            piece = next(pieces, None)
            if piece is not None:
                stream.send(piece)
                stream.mark()
            elif len(frames) and stream._stream._session.unread_rows == 0:
                stream.finish()
                break
        frames.extend(stream)
    assert_close(rows(frames), truth["context"])


def test_close_ends_a_stream_and_what_waits_for_it(server):
    with cpc_stream.connect(server.url) as stream:
        reading = threading.Thread(target=list, args=(stream,))
        reading.start()
        stream.close()
        reading.join(10)
        assert not reading.is_alive()
        with pytest.raises(cpc_stream.ClosedError):
            stream.mark()
        assert list(stream) == []


@pytest.mark.parametrize(
    ("encoding", "name"), [("ogg-opus", "mono.opus"), ("webm-opus", "mono.webm")]
)
def test_opus_is_that_of_the_file_however_it_is_cut(server, proxy, encoding, name):
    folder = ROOT / "tests" / "fixtures" / "audio"
    [truth] = cpc_stream.embed(server.url, [folder / "mono.opus"])
    data = (folder / name).read_bytes()
    with cpc_stream.connect(proxy.url, encoding=encoding) as stream:
        for at in range(0, len(data), 300):
            stream.send(data[at : at + 300])
            if at == 600:
                stream.mark()
            if at == 1200:
                proxy.cut()
        assert stream.finish().samples == 12001
        assert_close(rows(stream), truth)
