"""Every example on a recording, and the code of docs/python.md.

CPC_URL=http://127.0.0.1:8000 python -m pytest examples    # a server with weights/cpc-base
"""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import cpc_stream
import kaldiio
import numpy as np
import pytest

ROOT = Path(__file__).parents[1]
SPEECH = ROOT / "tests/fixtures/speech"
RUSSIAN = SPEECH / "russian.wav"  # 3.21 s, 16 kHz, a header of 44 bytes
FRAMES = 321
URL = os.environ["CPC_URL"]
DENO = shlex.split(os.environ.get("DENO", "deno"))


def run(*words, **options) -> str:
    """What a program of this folder prints."""
    arguments = [str(word) for word in words]
    if arguments[0].endswith(".py"):
        arguments = [sys.executable, str(ROOT / "examples" / arguments[0]), *arguments[1:]]
    done = subprocess.run(arguments, capture_output=True, timeout=40, cwd=ROOT, **options)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode()


def in_order(lines, *states):
    """Times of speech, in lines such as `0.07 speech start`."""
    assert [re.findall(r"speech (start|end)", line) for line in lines] == [[s] for s in states]
    return [float(re.search(r"\d+\.\d+", line)[0]) for line in lines]


@pytest.mark.parametrize("source", ["file", "stdin"])
def test_heat_map(source):
    if source == "file":
        printed = run("heat-map/heat_map.py", RUSSIAN, "--url", URL)
    else:
        printed = run("heat-map/heat_map.py", "-", "--url", URL, input=RUSSIAN.read_bytes()[44:])
    lines = printed.splitlines()
    assert len(lines) == -(-FRAMES // 5)
    assert all(len(line) == 8 + 64 for line in lines)
    assert len(set("".join(line[8:] for line in lines))) > 4  # letters


def test_voice_activity():
    silence = bytes(2 * 16000)
    program = [*DENO, "run", "--quiet", "--allow-net", "examples/voice-activity/voice_activity.ts"]
    printed = run(*program, URL, input=silence + RUSSIAN.read_bytes()[44:] + silence)
    start_s, end_s = in_order(printed.splitlines(), "start", "end")
    assert 0.9 < start_s < 1.2 and 4.0 < end_s < 4.4


def test_who_speaks():
    known = {"italian": "italian_long", "russian": "russian", "english": "synthetic_english"}
    pairs = [f"{name}={SPEECH / file}.wav" for name, file in known.items()]
    printed = run("who-speaks/who_speaks.py", SPEECH / "italian_short.wav", *pairs, "--url", URL)
    cosines, names, said = zip(*(line.split("\t") for line in printed.splitlines()), strict=True)
    assert names[0] == "italian"
    assert sorted(names) == sorted(known)
    assert set(said) <= {"the same", "another"}
    assert list(map(float, cosines)) == sorted(map(float, cosines), reverse=True)
    printed = run("who-speaks/who_speaks.py", RUSSIAN, f"he={RUSSIAN}", "--url", URL)
    assert printed == "1.000\the\tthe same\n"


def test_surprise(tmp_path):
    prefix = tmp_path / "sub-01_task-listen"
    run("surprise/surprise.py", RUSSIAN, prefix, "--url", URL)
    head, *rows = [
        line.split("\t") for line in Path(f"{prefix}_events.tsv").read_text().splitlines()
    ]
    assert head[:4] == ["onset", "duration", "trial_type", "surprise"] and len(head) == 4 + 12
    assert [row[0] for row in rows] == [f"{f / 100:.3f}" for f in range(FRAMES)]
    assert rows[0][3] == "n/a"
    scored = np.array([row[3:] for row in rows if "n/a" not in row], float)
    assert len(scored) > FRAMES / 2
    np.testing.assert_allclose(scored[:, 0], scored[:, 1:].mean(axis=1), atol=2e-4)
    columns = json.loads(Path(f"{prefix}_events.json").read_text())
    assert set(head[3:]) <= set(columns)


@pytest.mark.parametrize("output", ["context", "latent"])
def test_kaldi(tmp_path, output):
    files = {"rus": RUSSIAN, "ita": SPEECH / "italian_short.wav"}
    wav_scp, scp = tmp_path / "wav.scp", tmp_path / "feats.scp"
    wav_scp.write_text("".join(f"{name} {file}\n" for name, file in files.items()))
    given = [wav_scp, tmp_path / "feats.ark", scp]
    run("kaldi/write_ark.py", *given, "--output", output, "--url", URL)
    indexed = dict(kaldiio.load_scp(str(scp)))
    archived = dict(kaldiio.load_ark(str(tmp_path / "feats.ark")))
    for name, file in files.items():
        [rows] = cpc_stream.embed(URL, file, output=output)
        for read in (indexed, archived):
            np.testing.assert_array_equal(read[name].shape, rows.shape)
            np.testing.assert_allclose(read[name], rows, atol=1e-4)


def test_telephone():
    bridge = subprocess.Popen(
        [sys.executable, ROOT / "examples/telephone/bridge.py", "--port", "0", "--url", URL],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        run("telephone/call.py", RUSSIAN, bridge.stdout.readline().strip())
        lines = [bridge.stdout.readline() for _ in range(2)]
    finally:
        bridge.terminate()
        bridge.communicate()
    assert all(line.startswith("MZ1\t") for line in lines)
    start_s, end_s = in_order(lines, "start", "end")
    assert start_s < 0.3 and 3.0 < end_s < 3.3


def test_the_worked_examples_of_the_documentation():
    page = (ROOT / "docs/python.md").read_text().partition("## Three things to do")[2]
    code = "\n".join(re.findall(r"```python\n(.*?)```", page, re.DOTALL))
    assert '"http://127.0.0.1:8000"' in code
    program = code.replace('"http://127.0.0.1:8000"', repr(URL))
    printed, told = (
        run(sys.executable, "-c", program),
        "".join(re.findall(r"```text\n(.*?)```", page, re.DOTALL)),
    )
    number = r"-?\d+\.\d*"
    assert re.sub(number, "#", printed).split() == re.sub(number, "#", told).split()
    ours, theirs = (np.array(re.findall(number, text), float) for text in (printed, told))
    np.testing.assert_allclose(ours, theirs, atol=0.025)
