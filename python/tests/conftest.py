"""A real server, and a TCP proxy before it that cuts connections."""

from __future__ import annotations

import functools
import os
import re
import shlex
import shutil
import signal
import subprocess
import wave
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from proxy import CutProxy

ROOT = Path(os.environ.get("CPC_STREAM_ROOT", Path(__file__).parents[2]))
SPEECH = ROOT / "tests" / "fixtures" / "speech"


@functools.cache
def deno() -> str:
    """Deno itself: npx would put a shell before it, which a signal ends."""
    if found := shutil.which("deno"):
        return found
    npx = shlex.split("npx -y deno@2.9.6 eval --quiet console.log(Deno.execPath())")
    return subprocess.run(npx, stdout=subprocess.PIPE, text=True, check=True).stdout.strip()


class Server:
    """A server of its own process."""

    def __init__(self, *flags: str) -> None:
        model = ["--model", "weights/cpc-small", "--log-level", "silent"]
        self.process = subprocess.Popen(
            [deno(), "task", "start", "--port", "0", *model, *flags],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        assert self.process.stdout is not None and self.process.stderr is not None
        for line in self.process.stdout:
            if found := re.search(r"listening on (http://127\.0\.0\.1:(\d+))", line):
                self.url, self.port = found[1], int(found[2])
                return
        raise AssertionError(f"the server did not start: {self.process.stderr.read()}")

    def signal(self, number: signal.Signals) -> None:
        """Signals every process of the server."""
        os.killpg(self.process.pid, number)

    def stop(self) -> None:
        if self.process.poll() is None:
            self.signal(signal.SIGCONT)
            self.signal(signal.SIGKILL)
        self.process.communicate()


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    server = Server("--workers", "1")
    yield server
    server.stop()


@pytest.fixture(scope="session")
def other() -> Iterator[Server]:
    """A server that does not know the sessions of the first."""
    server = Server("--workers", "1", "--max-streams", "2", "--api-key", "key-a")
    yield server
    server.stop()


@pytest.fixture
def proxy(server: Server) -> Iterator[CutProxy]:
    with CutProxy(server.port) as proxy:
        yield proxy


@pytest.fixture(scope="session")
def speech() -> NDArray[np.int16]:
    """3.2 s of speech, 16 kHz."""
    with wave.open(str(SPEECH / "russian.wav")) as file:
        return np.frombuffer(file.readframes(file.getnframes()), "<i2")
