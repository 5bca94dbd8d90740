"""A stream's connections: one after another, for as long as it can be resumed."""

from __future__ import annotations

import asyncio
import json
import logging
import math
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from urllib.parse import urlsplit

from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from ._dialing import Deadline, hang_up, open_socket
from ._errors import CpcError, StreamTimeoutError, UnknownResumeTokenError, lost
from ._options import Settings, key_of, stream_url
from ._resume import backoff_s, can_resume
from ._session import Session
from ._types import State, StreamWarning

_log = logging.getLogger("cpc_stream")
_TICK_S = 1.0


class Line:
    """Carries a session's messages over sockets.

    Args:
        url: The server.
        key: The key; None for that of the environment.
        session: What is sent, and what takes what comes.
        settings: Whether and how long to resume, and timeouts.
        changed: Called when something came or was sent.
    """

    def __init__(
        self,
        url: str,
        key: str | None,
        *,
        session: Session,
        settings: Settings,
        changed: Callable[[], None],
    ) -> None:
        self._url = url
        self._host = urlsplit(stream_url(url, [])).netloc
        self._key = key_of(key)
        self._session = session
        self._settings = settings
        self._changed = changed
        self._has_work = asyncio.Event()
        self._last_sent = self._last_heard = 0.0

    async def open(self) -> ClientConnection:
        """The first connection, once the server is ready. Raises a CpcError."""
        return await self._dial(self._session.query())

    def look(self) -> None:
        """There may be something to send."""
        self._has_work.set()

    async def follow(self, socket: ClientConnection) -> CpcError | None:
        """Sends and receives until the stream is done; returns or raises what ended it before."""
        while True:
            error = await self._converse(socket)
            if self._session.is_done:
                return None
            if not self._settings.resume or not can_resume(error):
                return error
            socket = await self._resume(error)

    async def _converse(self, socket: ClientConnection) -> CpcError:
        """Sends and receives until the connection ends; returns why it did."""
        self._session.tell(State("open"))
        self._last_sent = self._last_heard = time.monotonic()
        silence: list[CpcError] = []
        tasks = [
            asyncio.create_task(self._write(socket)),
            asyncio.create_task(self._watch(socket, silence)),
        ]
        self._changed()
        try:
            async for data in socket:
                self._last_heard = time.monotonic()
                self._hear(data)
                if self._session.is_done:
                    break
            why = self._reason(socket)
        except ConnectionClosed:
            why = self._reason(socket)
        except CpcError as error:
            why = error
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await hang_up(socket, is_dead=bool(silence))
        return silence[0] if silence else why

    async def _write(self, socket: ClientConnection) -> None:
        with suppress(ConnectionClosed):
            while True:
                self._has_work.clear()
                while (message := self._session.next_message()) is not None:
                    self._last_sent = time.monotonic()
                    await socket.send(message)
                    self._changed()
                await self._has_work.wait()

    async def _watch(self, socket: ClientConnection, silence: list[CpcError]) -> None:
        """Keeps a quiet stream open, and notices a connection that died silently."""
        timeout_s = self._settings.timeout_s
        owed_since = math.inf
        with suppress(ConnectionClosed):
            while True:
                await asyncio.sleep(min(_TICK_S, timeout_s / 2))
                now = time.monotonic()
                # A server that had nothing to say before has its time from the question on.
                owed_since = min(owed_since, now) if self._session.is_answer_owed else math.inf
                if now - max(self._last_heard, owed_since) > timeout_s:
                    why = f"the server sent nothing for {timeout_s} s"
                    silence.append(StreamTimeoutError(why, retryable=True))
                    return socket.transport.abort()
                idle_s = self._session.ready["limits"].get("idle_s", 60)
                if self._settings.keep_alive and now - self._last_sent > idle_s / 3:
                    self._last_sent = now
                    await socket.send(json.dumps({"type": "keep_alive"}))

    async def _resume(self, error: CpcError) -> ClientConnection:
        """Dials until a connection succeeds. Raises the error that made it give up."""
        session = self._session
        deadline = time.monotonic() + self._settings.resume_for_s
        asked = session.received
        attempt = 0
        while True:
            attempt += 1
            wait_s = backoff_s(attempt, error)
            if time.monotonic() + wait_s > deadline:
                raise error
            _log.info("%s; attempt %d to resume in %.1f s", error, attempt, wait_s)
            self._session.tell(State("resuming", attempt, wait_s, error))
            self._changed()
            await asyncio.sleep(wait_s)
            try:
                try:
                    return await self._dial(session.resume_query(asked))
                except UnknownResumeTokenError:
                    if not session.is_fresh:
                        raise
                    return await self._dial(session.query())
            except CpcError as refused:
                error = refused
                # After a reset whose answer was lost, the server has fewer frames than we do.
                if refused.param == "received" and asked > 0 and session.is_reset_pending:
                    asked = 0
                elif not refused.retryable:
                    raise

    async def _dial(self, query: Mapping[str, str]) -> ClientConnection:
        """Connects, and waits for `ready`."""
        timeout_s = self._settings.timeout_s
        self._session.begin_connection()
        socket = await open_socket(
            stream_url(self._url, query.items()), key=self._key, timeout_s=timeout_s
        )
        is_ready = False
        try:
            async with Deadline(timeout_s):
                while not self._session.is_ready:
                    self._hear(await socket.recv())
            is_ready = True
        except asyncio.TimeoutError as silent:
            why = f"no answer from {self._host} in {timeout_s} s"
            raise StreamTimeoutError(why, retryable=True) from silent
        except ConnectionClosed:
            raise self._reason(socket) from None
        finally:
            if not is_ready:
                await hang_up(socket, is_dead=False)
        return socket

    def _hear(self, data: str | bytes) -> None:
        unread = self._session.unread
        before = len(unread)
        self._session.take(data)
        if len(unread) > before and isinstance(unread[-1], StreamWarning):
            _log.warning("%s: %s", unread[-1].code, unread[-1].message)
        self._changed()

    def _reason(self, socket: ClientConnection) -> CpcError:
        code = socket.close_code
        said = self._session.said
        if said is not None:
            said.close_code = code
            return said
        if code in (None, 1006):
            return lost("the connection to the server was lost", close_code=1006)
        return lost(f"the server closed with {code} {socket.close_reason}", close_code=code)
