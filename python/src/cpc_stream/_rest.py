"""Recordings over REST."""

from __future__ import annotations

import io
import json
import os
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Any, Literal, TypeAlias, overload

import httpx
import numpy as np
from numpy.typing import NDArray

from ._audio import wav_of
from ._errors import CpcError, StreamTimeoutError, error_of, lost
from ._options import comma_list, key_of, route_url
from ._types import Floats

#: A recording: the path of a file, a file's bytes, an open file, or samples.
Recording: TypeAlias = (
    str
    | os.PathLike[str]
    | bytes
    | IO[bytes]
    | NDArray[np.float32]
    | NDArray[np.float64]
    | NDArray[np.int16]
)
Outputs: TypeAlias = dict[str, Floats]

_ROUTE = "/v1/embeddings"
_TRIES = 5
_LONGEST_WAIT_S = 30.0
_BLOCK_BYTES = 1 << 16


@overload
def embed(
    url: str,
    recordings: Recording | Iterable[Recording],
    *,
    output: Literal["context", "latent", "prediction"] = "context",
    pool: Literal["none", "mean", "max", "last"] = "none",
    key: str | None = None,
    model: str | None = None,
    sample_rate: int = 16000,
    split: bool = False,
    timeout_s: float = 600.0,
) -> list[Floats]: ...
@overload
def embed(
    url: str,
    recordings: Recording | Iterable[Recording],
    *,
    output: str | Iterable[str],
    pool: Literal["none", "mean", "max", "last"] = "none",
    key: str | None = None,
    model: str | None = None,
    sample_rate: int = 16000,
    split: bool = False,
    timeout_s: float = 600.0,
) -> list[Floats] | list[Outputs]: ...
def embed(
    url: str,
    recordings: Recording | Iterable[Recording],
    *,
    output: str | Iterable[str] = "context",
    pool: Literal["none", "mean", "max", "last"] = "none",
    key: str | None = None,
    model: str | None = None,
    sample_rate: int = 16000,
    split: bool = False,
    timeout_s: float = 600.0,
) -> list[Floats] | list[Outputs]:
    """Embeds recordings, one request each.

    Arrays are [samples] or [samples, channels] at `sample_rate`, and travel as float WAV. Returns
    one array for each recording: context [frames, C], latent [frames, Z], prediction
    [frames, K, Z], or without frames if pooled; with `split`, every row is one for each channel,
    such as [frames, channels, C]. Several outputs, or a head, give one dict of arrays
    for each recording. Raises a CpcError that names the recording.
    """
    outputs = comma_list(output)
    query = {"output": ",".join(outputs), "pool": pool, "format": "npz"}
    if model is not None:
        query["model"] = model
    if split:
        query["split"] = "1"
    headers = {"Content-Type": "application/octet-stream"}
    if (secret := key_of(key)) is not None:
        headers["Authorization"] = f"Bearer {secret}"
    answers: list[Outputs] = []
    with httpx.Client(headers=headers, timeout=httpx.Timeout(30.0, read=timeout_s)) as client:
        for index, recording in enumerate(_each(recordings)):
            body = _body_of(recording, sample_rate)
            answer = _post(client, httpx.URL(route_url(url, _ROUTE), params=query), body, index)
            with np.load(io.BytesIO(answer)) as arrays:
                answers.append({name.partition(".")[2]: arrays[name] for name in arrays})
    if len(outputs) == 1 and not outputs[0].startswith("head."):
        return [answer[outputs[0]] for answer in answers]
    return answers


def _each(recordings: Recording | Iterable[Recording]) -> Iterator[Recording]:
    if isinstance(recordings, str | bytes | os.PathLike | np.ndarray | io.IOBase):
        yield recordings  # type: ignore[misc]
    else:
        yield from recordings


def _body_of(recording: Recording, sample_rate: int) -> bytes | Path:
    if isinstance(recording, np.ndarray):
        return wav_of(recording, sample_rate)
    if isinstance(recording, bytes):
        return recording
    if isinstance(recording, str | os.PathLike):
        return Path(recording)
    return recording.read()


def _post(client: httpx.Client, url: httpx.URL, body: bytes | Path, index: int) -> bytes:
    for tries_left in reversed(range(_TRIES)):
        try:
            return _try(client, url, body)
        except CpcError as error:
            if error.param is None or error.param.startswith("input"):
                error.param = f"input[{index}]"
            if not error.retryable or error.status is None or tries_left == 0:
                raise
            time.sleep(min(error.retry_after_s or 1.0, _LONGEST_WAIT_S))
    raise AssertionError("the last try returns or raises")


def _try(client: httpx.Client, url: httpx.URL, body: bytes | Path) -> bytes:
    headers = {}
    if isinstance(body, Path):
        headers["Content-Length"] = str(body.stat().st_size)
    try:
        answer = client.post(
            url, content=_blocks(body) if isinstance(body, Path) else body, headers=headers
        )
    except httpx.TimeoutException as silent:
        raise StreamTimeoutError(f"no answer from {url.host} in time") from silent
    except httpx.TransportError as broken:
        raise lost(f"{url.host} cannot be reached: {broken}") from broken
    if answer.is_success:
        return answer.content
    after = answer.headers.get("retry-after", "")
    status: dict[str, Any] = {
        "status": answer.status_code,
        "retryable": answer.status_code in (429, 503),
        "retry_after_s": float(after) if after.isdecimal() else None,
    }
    try:
        said = json.loads(answer.content)["error"]
    except (ValueError, KeyError, TypeError):
        said = {"code": "internal", "message": f"HTTP status {answer.status_code}"}
    raise error_of({"request": answer.headers.get("x-request-id"), **said}, **status)


def _blocks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while block := file.read(_BLOCK_BYTES):
            yield block
