"""Streams for asyncio."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import AsyncGenerator, Callable, Generator, Iterator, Mapping
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

from websockets.asyncio.client import ClientConnection
from websockets.asyncio.client import connect as dial
from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException
from websockets.typing import Subprotocol

from ._audio import Audio
from ._errors import (
    ClosedError,
    CpcError,
    StreamTimeoutError,
    UnknownResumeTokenError,
    UnreadFullError,
    error_of,
    lost,
)
from ._options import Options, credentials, key_of, settings_of, stream_url
from ._session import UNREAD_ROWS, Reject, Resolve, Session, backoff_s, can_resume
from ._types import Done, Event, Frames, Marked, Ready, Reset, Selection, State, StreamWarning

if TYPE_CHECKING:
    from typing_extensions import Unpack

A = TypeVar("A")
_log = logging.getLogger("cpc_stream")
_MOST_MESSAGE_BYTES = 64 * 1024 * 1024
_CLOSE_TIMEOUT_S = 2.0
_TICK_S = 1.0
_BODY_CHARACTERS = 300


class Stream:
    """One stream: audio in, frames out. `connect` opens it."""

    def __init__(self, url: str, key: str | None, options: Mapping[str, Any]) -> None:
        self._settings = settings_of(options)
        self._url = url
        self._host = urlsplit(stream_url(url, [])).netloc
        self._key = key_of(key)
        self._session = Session(self._settings)
        self._error: CpcError | None = None
        self._is_over = False
        self._running: asyncio.Task[None] | None = None
        self._has_work = asyncio.Event()
        self._waiters: set[asyncio.Future[None]] = set()
        self._reader: object = None
        self._reader_waits = 0  # calls of the reader's own that wait for something else
        self._last_sent = self._last_heard = 0.0

    @property
    def ready(self) -> Ready:
        """The server's latest `ready`: the configuration in force."""
        return self._session.ready

    @property
    def selection(self) -> Selection:
        """What frames carry now."""
        return self._session.selection

    async def send(self, audio: Audio) -> None:
        """Sends audio; returns when more is welcome, so the server sets the pace.

        Arrays are [samples] or [samples, channels], float32 or int16. Bytes are in the stream's
        `encoding`, or s16le if none was named. Raises the error that ended the stream.
        """
        await self._send(audio, asyncio.current_task())

    async def mark(self, id: Any = None) -> Marked:
        """Waits until all that was sent has been processed and its frames have arrived."""
        return await self._mark(id, asyncio.current_task())

    async def update(self, **options: Any) -> Selection:
        """Changes `output`, `steps` or `every`, from the next frame on."""
        return await self._update(options, asyncio.current_task())

    async def reset(self) -> Reset:
        """Begins a segment: samples and frames count from 0 again."""
        return await self._reset(asyncio.current_task())

    async def finish(self) -> Done:
        """Ends the audio and waits for the last frames; they can be read afterwards too."""
        return await self._finish(asyncio.current_task())

    async def close(self) -> None:
        """Ends the stream at once; the server forgets it. Frames that have come can be read."""
        self._end(None)
        if self._running is not None and self._running is not asyncio.current_task():
            self._running.cancel()
            with suppress(asyncio.CancelledError):
                await self._running

    async def __aiter__(self) -> AsyncGenerator[Frames, None]:
        """Frames, in order, each once, until `finish` or `close`; raises what ended the stream."""
        events = self.events()
        try:
            async for event in events:
                if isinstance(event, Frames):
                    yield event
        finally:
            await events.aclose()

    async def events(self) -> AsyncGenerator[Event, None]:
        """Frames, heads' rows and events, warnings, states and resets, as they come."""
        me = asyncio.current_task()
        try:
            while (event := await self._next(me)) is not None:
                yield event
        finally:
            self._reader_left(me)

    async def __aenter__(self) -> Stream:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    # The same for a caller who is named: a task, or a thread of the synchronous client.

    async def _open(self) -> None:
        try:
            socket = await self._dial(self._session.query())
        except CpcError as error:
            self._end(error)
            raise
        self._running = asyncio.create_task(self._run(socket))

    async def _send(self, audio: Audio, caller: object) -> None:
        self._assert_open()
        self._session.add_audio(audio)
        self._pump()
        await self._until(lambda: self._session.is_welcome, caller)

    async def _mark(self, id: Any, caller: object) -> Marked:
        return await self._ask(lambda *answer: self._session.mark(id, *answer), caller)

    async def _update(self, change: Mapping[str, Any], caller: object) -> Selection:
        return await self._ask(lambda *answer: self._session.update(change, *answer), caller)

    async def _reset(self, caller: object) -> Reset:
        return await self._ask(self._session.reset, caller)

    async def _finish(self, caller: object) -> Done:
        return await self._ask(self._session.finish, caller)

    async def _next(self, caller: object) -> Event | None:
        """The next event; None at the end."""
        self._reader = caller
        while not self._session.unread:
            if self._is_over:
                if self._error is not None:
                    raise self._error
                return None
            await self._changed()
        event = self._session.pop_unread()
        self._pump()
        return event

    def _reader_left(self, caller: object) -> None:
        if self._reader == caller:
            self._reader = None
            self._pump()

    async def _ask(self, ask: Callable[[Resolve[A], Reject], None], caller: object) -> A:
        self._assert_open()
        answer: asyncio.Future[A] = asyncio.get_running_loop().create_future()

        def resolve(value: A) -> None:
            if not answer.done():
                answer.set_result(value)

        def reject(error: CpcError) -> None:
            if not answer.done():
                answer.set_exception(error)
                answer.exception()  # a caller who was cancelled does not look at it

        ask(resolve, reject)
        self._pump()
        await self._until(answer.done, caller)
        return answer.result()

    async def _until(self, is_so: Callable[[], bool], caller: object) -> None:
        """Waits, unless the caller is the one whose reading is waited for."""
        with self._waiting(caller):
            while not is_so():
                if self._is_over:
                    raise self._error or ClosedError("the stream is closed")
                is_full = self._session.unread_bytes > self._settings.max_unread_bytes
                is_stuck = is_full and self._session.is_unsent
                if is_stuck and self._reader in (None, caller):
                    raise UnreadFullError(
                        f"{self._session.unread_bytes} bytes of frames are unread, more than "
                        f"max_unread_bytes={self._settings.max_unread_bytes}: read frames and the "
                        "stream goes on; what this call was given is kept, so do not repeat it",
                        retryable=True,
                    )
                await self._changed()

    @contextmanager
    def _waiting(self, caller: object) -> Iterator[None]:
        is_reader = self._reader is not None and caller == self._reader
        self._reader_waits += is_reader
        self._pump()
        try:
            yield
        finally:
            self._reader_waits -= is_reader
            self._pump()

    # Connections

    async def _run(self, socket: ClientConnection) -> None:
        """Follows the stream across its connections."""
        error: CpcError | None = None
        try:
            while True:
                error = await self._converse(socket)
                if self._session.is_done or self._is_over:
                    return self._end(None)
                if not self._settings.resume or not can_resume(error):
                    return self._end(error)
                socket = await self._resume(error)
        except CpcError as fatal:
            self._end(fatal)
        except Exception as broken:
            _log.exception("the stream failed")
            self._end(CpcError(f"the client failed: {broken!r}"))

    async def _converse(self, socket: ClientConnection) -> CpcError:
        """Sends and receives until the connection ends; returns why it did."""
        self._session.tell(State("open"))
        self._last_sent = self._last_heard = time.monotonic()
        silence: list[CpcError] = []
        tasks = [
            asyncio.create_task(self._write(socket)),
            asyncio.create_task(self._watch(socket, silence)),
        ]
        self._pump()
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
            await _hang_up(socket, is_dead=bool(silence))
        return silence[0] if silence else why

    async def _write(self, socket: ClientConnection) -> None:
        with suppress(ConnectionClosed):
            while True:
                self._has_work.clear()
                while (message := self._session.next_message()) is not None:
                    self._last_sent = time.monotonic()
                    await socket.send(message)
                    self._wake()
                await self._has_work.wait()

    async def _watch(self, socket: ClientConnection, silence: list[CpcError]) -> None:
        """Keeps a quiet stream open, and notices a connection that died silently."""
        timeout_s = self._settings.timeout_s
        with suppress(ConnectionClosed):
            while True:
                await asyncio.sleep(min(_TICK_S, timeout_s / 2))
                now = time.monotonic()
                if self._session.is_answer_owed and now - self._last_heard > timeout_s:
                    why = f"the server sent nothing for {timeout_s} s"
                    silence.append(StreamTimeoutError(why, retryable=True))
                    return socket.transport.abort()
                idle_s = self.ready["limits"].get("idle_s", 60)
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
            self._wake()
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
        headers, subprotocols = credentials(self._key)
        self._session.begin_connection()
        connecting = dial(
            stream_url(self._url, query.items()),
            additional_headers=headers,
            subprotocols=[Subprotocol(name) for name in subprotocols],
            compression=None,
            open_timeout=self._settings.timeout_s,
            ping_interval=None,  # a server that does not read for a while is not dead
            close_timeout=_CLOSE_TIMEOUT_S,
            max_size=_MOST_MESSAGE_BYTES,
        )
        try:
            socket = await connecting.__aenter__()
        except InvalidStatus as refused:
            raise _refusal(refused) from refused
        except TimeoutError as silent:
            raise self._no_answer() from silent
        except (OSError, EOFError, WebSocketException) as broken:
            raise lost(f"{self._host} cannot be reached: {broken}") from broken
        is_ready = False
        try:
            async with _Deadline(self._settings.timeout_s):
                while not self._session.is_ready:
                    self._hear(await socket.recv())
            is_ready = True
        except asyncio.TimeoutError as silent:
            raise self._no_answer() from silent
        except ConnectionClosed:
            raise self._reason(socket) from None
        finally:
            if not is_ready:
                await _hang_up(socket, is_dead=False)
        return socket

    def _hear(self, data: str | bytes) -> None:
        unread = self._session.unread
        before = len(unread)
        self._session.take(data)
        if len(unread) > before and isinstance(unread[-1], StreamWarning):
            _log.warning("%s: %s", unread[-1].code, unread[-1].message)
        self._pump()

    def _reason(self, socket: ClientConnection) -> CpcError:
        code = socket.close_code
        said = self._session.said
        if said is not None:
            said.close_code = code
            return said
        if code in (None, 1006):
            return lost("the connection to the server was lost", close_code=1006)
        return lost(f"the server closed with {code} {socket.close_reason}", close_code=code)

    def _no_answer(self) -> CpcError:
        why = f"no answer from {self._host} in {self._settings.timeout_s} s"
        return StreamTimeoutError(why, retryable=True)

    # Waking

    def _pump(self) -> None:
        """Something has changed: what may be sent, or what is waited for."""
        session = self._session
        is_behind = session.unread_rows > UNREAD_ROWS
        is_full = session.unread_bytes > self._settings.max_unread_bytes
        session.is_held = is_full or (
            is_behind and self._reader is not None and self._reader_waits == 0
        )
        self._has_work.set()
        self._wake()

    def _wake(self) -> None:
        waiters, self._waiters = self._waiters, set()
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)

    async def _changed(self) -> None:
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiters.add(waiter)
        try:
            await waiter
        finally:
            self._waiters.discard(waiter)

    def _end(self, error: CpcError | None) -> None:
        if self._is_over:
            return
        self._is_over = True
        self._error = error
        self._session.end(error or ClosedError("the stream is closed"))
        self._wake()

    def _assert_open(self) -> None:
        if self._is_over:
            raise self._error or ClosedError("the stream is closed")


class Connecting:
    """A stream that opens: `async with connect(…) as stream`, or `stream = await connect(…)`."""

    def __init__(self, url: str, key: str | None, options: Mapping[str, Any]) -> None:
        self._arguments = (url, key, options)
        self._stream: Stream | None = None

    async def _open(self) -> Stream:
        stream = Stream(*self._arguments)
        await stream._open()
        return stream

    def __await__(self) -> Generator[Any, None, Stream]:
        return self._open().__await__()

    async def __aenter__(self) -> Stream:
        self._stream = await self._open()
        return self._stream

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._stream is not None:
            await self._stream.close()


def connect(url: str, *, key: str | None = None, **options: Unpack[Options]) -> Connecting:
    """Opens a stream at a server such as `http://127.0.0.1:8000`.

    `key` defaults to the environment's CPC_API_KEY. Raises a CpcError if the server refuses or
    cannot be reached.
    """
    return Connecting(url, key, options)


class _Deadline:
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


async def _hang_up(socket: ClientConnection, *, is_dead: bool) -> None:
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
