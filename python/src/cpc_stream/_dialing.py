"""Opening and closing sockets."""

from __future__ import annotations

import asyncio
import json
from urllib.parse import urlsplit

from websockets.asyncio.client import ClientConnection
from websockets.asyncio.client import connect as dial
from websockets.exceptions import InvalidStatus, WebSocketException
from websockets.typing import Subprotocol

from ._errors import CpcError, StreamTimeoutError, error_of, lost
from ._options import credentials

_MOST_MESSAGE_BYTES = 64 * 1024 * 1024
_CLOSE_TIMEOUT_S = 2.0
_BODY_CHARACTERS = 300


async def open_socket(url: str, *, key: str | None, timeout_s: float) -> ClientConnection:
    """Connects. Raises a CpcError: refused, silent for too long, or not to be reached."""
    headers, subprotocols = credentials(key)
    host = urlsplit(url).netloc
    connecting = dial(
        url,
        additional_headers=headers,
        subprotocols=[Subprotocol(name) for name in subprotocols],
        compression=None,
        open_timeout=timeout_s,
        ping_interval=None,  # a server that does not read for a while is not dead
        close_timeout=_CLOSE_TIMEOUT_S,
        max_size=_MOST_MESSAGE_BYTES,
    )
    try:
        return await connecting.__aenter__()
    except InvalidStatus as refused:
        raise _refusal(refused) from refused
    except TimeoutError as silent:
        why = f"no answer from {host} in {timeout_s} s"
        raise StreamTimeoutError(why, retryable=True) from silent
    except (OSError, EOFError, WebSocketException) as broken:
        raise lost(f"{host} cannot be reached: {broken}") from broken


class Deadline:
    """`asyncio.timeout`, which Python 3.10 lacks: raises asyncio.TimeoutError."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._is_late = False

    async def __aenter__(self) -> None:
        task = asyncio.current_task()
        assert task is not None

        def cancel() -> None:
            self._is_late = True
            task.cancel()

        self._timer = asyncio.get_running_loop().call_later(self._seconds, cancel)

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._timer.cancel()
        if self._is_late and kind is asyncio.CancelledError:
            raise asyncio.TimeoutError


async def hang_up(socket: ClientConnection, *, is_dead: bool) -> None:
    """Closes a socket; a dead one at once."""
    if is_dead:
        socket.transport.abort()
    await socket.close()


def _refusal(refused: InvalidStatus) -> CpcError:
    """The error of an HTTP answer in place of a WebSocket."""
    status = refused.response.status_code
    body = bytes(refused.response.body or b"")
    try:
        said = json.loads(body)["error"]
        return error_of(said, status=status, retryable=status in (429, 503))
    except (ValueError, KeyError, TypeError):
        text = body.decode(errors="replace")[:_BODY_CHARACTERS]
        why = f"the server answered with HTTP status {status} {text}".strip()
        return CpcError(why, code="connection_lost", status=status, retryable=status >= 500)
