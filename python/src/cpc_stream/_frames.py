"""Frames as arrays, from binary and JSON messages; docs/protocol.md has the layout."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import Any

import numpy as np

from ._errors import lost
from ._types import Dims, Floats, Frames, Score, Selection

_HEADER = struct.Struct("<4sIIBBH")
_CHANNEL = struct.Struct("<HH")
_CONTEXT, _LATENT, _PREDICTION, _SCORE = 1, 2, 4, 8


def binary_frames(
    data: bytes, *, dims: Dims, selection: Selection, segment: int, frame_rate: float
) -> Frames:
    """Frames of a binary message, "CPC1" or "CPC2".

    Raises ConnectionLostError for anything else.
    """
    if len(data) < _HEADER.size or data[:4] not in (b"CPC1", b"CPC2"):
        raise lost("a binary message is neither CPC1 nor CPC2", retryable=False)
    magic, first, n, bits, dtype, steps = _HEADER.unpack_from(data)
    at, channel = _HEADER.size, None
    if magic == b"CPC2" and len(data) >= at + _CHANNEL.size:
        channel, _ = _CHANNEL.unpack_from(data, at)
        at += _CHANNEL.size
    c, z = dims["context"], dims["latent"]
    widths = [
        width
        for bit, width in (
            (_CONTEXT, c),
            (_LATENT, z),
            (_PREDICTION, steps * z),
            (_SCORE, 1 + 2 * steps),
        )
        if bits & bit
    ]
    wire = np.dtype("<f4" if dtype == 0 else "<f2")
    if len(data) - at != n * sum(widths) * wire.itemsize or bits > 15 or dtype > 1 or n == 0:
        raise lost(
            f"a binary message of {len(data)} bytes does not hold the {n} frames it claims",
            retryable=False,
        )
    numbers = np.frombuffer(data, wire, offset=at).astype(np.float32)

    def take(width: int) -> Floats:
        nonlocal numbers
        rows, numbers = numbers[: n * width], numbers[n * width :]
        return rows.reshape(n, width)

    context = take(c) if bits & _CONTEXT else None
    latent = take(z) if bits & _LATENT else None
    prediction = take(steps * z).reshape(n, steps, z) if bits & _PREDICTION else None
    score = None
    if bits & _SCORE:
        row = take(1 + 2 * steps)
        score = Score(row[:, 0], row[:, 1 : 1 + steps], row[:, 1 + steps :])
    return Frames(
        segment=segment,
        first=first,
        count=n,
        every=selection.every,
        time=first / frame_rate,
        steps=selection.steps,
        frame_rate=frame_rate,
        channel=channel,
        context=context,
        latent=latent,
        prediction=prediction,
        score=score,
    )


def json_frames(
    message: Mapping[str, Any], *, selection: Selection, segment: int, frame_rate: float
) -> Frames:
    """Frames of a `frames` message."""

    def rows(name: str) -> Floats | None:
        return np.asarray(message[name], dtype=np.float32) if name in message else None

    return Frames(
        segment=segment,
        first=message["first"],
        count=message["count"],
        every=selection.every,
        time=message["time"],
        steps=selection.steps,
        frame_rate=frame_rate,
        channel=message.get("channel"),
        context=rows("context"),
        latent=rows("latent"),
        prediction=rows("prediction"),
        score=_score(message["score"], len(selection.steps)) if "score" in message else None,
    )


def _score(rows: list[Mapping[str, Any] | None], steps: int) -> Score:
    nothing = [float("nan")] * steps
    numbers = np.asarray(
        [
            [row["surprise"], *row["nce"], *row["correct"]]
            if row
            else [float("nan"), *nothing, *nothing]
            for row in rows
        ],
        dtype=np.float32,
    ).reshape(len(rows), 1 + 2 * steps)
    return Score(numbers[:, 0], numbers[:, 1 : 1 + steps], numbers[:, 1 + steps :])
