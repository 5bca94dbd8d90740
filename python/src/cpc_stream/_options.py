"""Options of a stream, and the query they become."""

from __future__ import annotations

import base64
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypedDict
from urllib.parse import urlencode, urlsplit, urlunsplit


class Options(TypedDict, total=False):
    """Options of `connect`; docs/python.md explains them."""

    model: str
    #: Encoding of bytes, and on the wire. Without it, bytes are s16le and arrays travel as f32le.
    encoding: str
    sample_rate: int
    channels: int
    channel: int
    split: bool
    output: str | Iterable[str]
    steps: str | int | Iterable[int]
    every: int
    format: str
    dtype: str
    #: Whether to resume after a lost connection.
    resume: bool
    #: How long to try, in seconds.
    resume_for_s: float
    #: Whether to keep a stream open while no audio is sent.
    keep_alive: bool
    #: Audio that may be sent ahead of its frames, in seconds.
    window_s: float
    #: Time to wait for a connection, and for a sign of life while the server owes an answer.
    timeout_s: float
    #: Bytes of unread frames beyond which nothing more is sent.
    max_unread_bytes: int


@dataclass
class Settings:
    """A stream's options: the client's own, and the server's as its query."""

    resume: bool = True
    resume_for_s: float = 60.0
    keep_alive: bool = True
    window_s: float = 8.0
    timeout_s: float = 20.0
    max_unread_bytes: int = 1 << 29
    encoding: str | None = None
    channels: int = 1
    query: dict[str, str] = field(default_factory=dict)


#: The route of streams.
_STREAM = "/v1/stream"
_OWN = ("resume", "resume_for_s", "keep_alive", "window_s", "timeout_s", "max_unread_bytes")


def settings_of(options: Mapping[str, Any]) -> Settings:
    """Sorts options into the client's own and the server's, which checks its own itself."""
    given = {name: value for name, value in options.items() if value is not None}
    if given.get("split") is False:
        del given["split"]  # the server knows split=1 alone
    settings = Settings(**{name: given.pop(name) for name in _OWN if name in given})
    if not isinstance(settings.resume, bool):
        raise TypeError("resume says whether to resume: True or False")
    settings.encoding = given.get("encoding")
    settings.channels = int(given.get("channels", 1))
    settings.query = {
        "encoding": "f32le",
        "format": "binary",
        **{name: _text(value) for name, value in given.items()},
    }
    return settings


def comma_list(value: str | Iterable[object]) -> list[str]:
    """Names of a list, or of a comma list."""
    parts = value.split(",") if isinstance(value, str) else map(str, value)
    return [part.strip() for part in parts]


def numbers_of(value: str | int | Iterable[int]) -> list[int]:
    """Numbers of a list, a comma list, or one."""
    return [value] if isinstance(value, int) else [int(part) for part in comma_list(value)]


def key_of(key: str | None) -> str | None:
    """The key given, or that of the environment."""
    return key or os.environ.get("CPC_API_KEY") or None


def stream_url(server: str, query: Iterable[tuple[str, str]]) -> str:
    """Address of a stream at a server."""
    scheme, host, path, own_query, _ = urlsplit(server)
    scheme = {"http": "ws", "https": "wss"}.get(scheme, scheme)
    if scheme not in ("ws", "wss") or not host:
        raise ValueError(f"{server!r} is no address of a server, such as http://127.0.0.1:8000")
    parts = [part for part in (own_query, urlencode(list(query))) if part]
    route = _STREAM if path in ("", "/") else path
    return urlunsplit((scheme, host, route, "&".join(parts), ""))


def route_url(server: str, route: str) -> str:
    """Address of a REST route at a server, which may be given by the address of its streams."""
    scheme, host, path, _, _ = urlsplit(server)
    scheme = {"ws": "http", "wss": "https"}.get(scheme, scheme)
    if scheme not in ("http", "https") or not host:
        raise ValueError(f"{server!r} is no address of a server, such as http://127.0.0.1:8000")
    base = path.rstrip("/").removesuffix(route).removesuffix(_STREAM)
    return urlunsplit((scheme, host, base + route, "", ""))


def credentials(key: str | None) -> tuple[dict[str, str], list[str]]:
    """Headers and subprotocols that carry a key; one that headers cannot hold goes in base64url."""
    if key is None:
        return {}, ["cpc.v1"]
    if key.isascii() and key.isprintable():
        return {"Authorization": f"Bearer {key}"}, ["cpc.v1"]
    encoded = base64.urlsafe_b64encode(key.encode()).decode().rstrip("=")
    return {}, ["cpc.v1", f"bearer64.{encoded}"]


def _text(value: object) -> str:
    if isinstance(value, bool):
        return str(int(value))
    if isinstance(value, Iterable) and not isinstance(value, str):
        return ",".join(map(str, value))
    return str(value)
