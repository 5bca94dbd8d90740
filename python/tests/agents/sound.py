"""What the agents hear."""

from __future__ import annotations

from collections.abc import Iterator

from numpy.typing import NDArray

RATE = 16000
#: A server that nobody runs.
NOBODY = "http://127.0.0.1:9"

_CHUNK = RATE // 50


def chunks(audio: NDArray) -> Iterator[bytes]:
    """20 ms each, as transports send them."""
    for at in range(0, len(audio), _CHUNK):
        yield audio[at : at + _CHUNK].tobytes()


def assert_speech(start_s: float, end_s: float) -> None:
    """The span that the head hears in `sound`."""
    assert 0.9 < start_s < 1.2
    assert 4.0 < end_s < 4.4
