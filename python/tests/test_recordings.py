"""Recordings over REST, and the command."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from conftest import ROOT, SPEECH
from frames import assert_close

import cpc_stream

RUSSIAN = SPEECH / "russian.wav"


def test_embed_takes_files_bytes_and_arrays(server, speech):
    with RUSSIAN.open("rb") as file:
        kinds = [str(RUSSIAN), RUSSIAN, RUSSIAN.read_bytes(), file, speech, speech / 32768]
        contexts = cpc_stream.embed(server.url, kinds)
    assert [each.shape for each in contexts] == [(321, 256)] * len(kinds)
    for each in contexts:
        assert_close(each, contexts[0])


def test_embed_pools_and_names_outputs(server, speech):
    [every] = cpc_stream.embed(server.url, speech)
    [mean] = cpc_stream.embed(server.url, [speech], pool="mean")
    assert_close(mean, every.mean(axis=0))
    [both] = cpc_stream.embed(server.url, [speech], output=["context", "latent"], pool="last")
    assert {name: rows.shape for name, rows in both.items()} == {
        "context": (256,),
        "latent": (256,),
    }
    [telephone] = cpc_stream.embed(server.url, [speech[::2]], sample_rate=8000)
    assert telephone.shape == (321, 256)


def test_embed_names_the_recording_at_fault(server, speech):
    with pytest.raises(cpc_stream.InvalidAudioError) as raised:
        cpc_stream.embed(server.url, [speech, b"no audio at all"])
    error = raised.value
    assert (error.code, error.status, error.param) == ("unsupported_audio", 415, "input[1]")
    assert error.request
    with pytest.raises(cpc_stream.InvalidOptionError):
        cpc_stream.embed(server.url, [speech], pool="median")
    with pytest.raises(cpc_stream.ConnectionLostError):
        cpc_stream.embed("http://127.0.0.1:1", [speech])


def test_embed_sends_the_key(other, speech, monkeypatch):
    monkeypatch.delenv("CPC_API_KEY", raising=False)
    with pytest.raises(cpc_stream.UnauthorizedError):
        cpc_stream.embed(other.url, [speech])
    assert len(cpc_stream.embed(other.url, [speech], key="key-a")) == 1


def command(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "cpc_stream", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_command_prints_frames(server):
    run = command(RUSSIAN, "--url", server.url, "--every", 100)
    assert run.returncode == 0, run.stderr
    lines = run.stdout.splitlines()
    assert [line.split("\t")[0] for line in lines] == ["0.00", "1.00", "2.00", "3.00"]


def test_command_saves_frames_of_every_kind_of_file(server, tmp_path):
    flac = ROOT / "tests" / "fixtures" / "audio" / "speech.flac"
    for recording in (RUSSIAN, flac):
        path = tmp_path / "frames.npz"
        run = command(recording, "--url", server.url, "--save", path, "--output", "latent")
        assert run.returncode == 0, run.stderr
        [truth] = cpc_stream.embed(server.url, recording, output="latent")
        with np.load(path) as saved:
            assert_close(saved["latent"], truth)
            assert saved["index"].tolist() == list(range(len(truth)))


def test_command_says_what_is_wrong(server, tmp_path):
    missing = command(tmp_path / "none.wav")
    assert (missing.returncode, "there is no file" in missing.stderr) == (2, True)
    unreachable = command(RUSSIAN, "--url", "http://127.0.0.1:1")
    assert (unreachable.returncode, "connection_lost" in unreachable.stderr) == (1, True)
    assert "Traceback" not in unreachable.stderr


def test_command_without_sounddevice_says_how_to_get_it():
    script = (
        "import sys; sys.modules['sounddevice'] = None; sys.argv = ['cpc_stream', 'mic']\n"
        "from cpc_stream.__main__ import main; sys.exit(main())"
    )
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert run.returncode == 2
    assert "pip install sounddevice" in run.stderr
