"""What a stream must give."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from cpc_stream import Frames


def rows(frames: Iterable[Frames], name: str = "context") -> NDArray[np.float32]:
    """Rows of an output, which must be frames 0, every, 2 · every, …"""
    frames = list(frames)
    indices = np.concatenate([each.index for each in frames])
    every = frames[0].every
    assert indices.tolist() == list(range(0, every * len(indices), every)), indices
    return np.concatenate([getattr(each, name) for each in frames])


def assert_close(
    got: NDArray[np.float32], truth: NDArray[np.float32], within: float = 2e-5
) -> None:
    assert got.shape == truth.shape, (got.shape, truth.shape)
    assert float(np.abs(got - truth).max()) <= within
