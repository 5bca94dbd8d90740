"""Streams for asyncio."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, Generator, Iterator, Mapping
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar

from websockets.asyncio.client import ClientConnection

from ._audio import Audio
from ._errors import ClosedError, CpcError, UnreadFullError
from ._line import Line
from ._options import Options, settings_of
from ._session import UNREAD_ROWS, Reject, Resolve, Session
from ._types import Done, Event, Frames, Marked, Ready, Reset, Selection

if TYPE_CHECKING:
    from typing_extensions import Unpack

A = TypeVar("A")
_log = logging.getLogger("cpc_stream")


class Stream:
    """One stream: audio in, frames out. `connect` opens it."""

    def __init__(self, url: str, key: str | None, options: Mapping[str, Any]) -> None:
        self._settings = settings_of(options)
        self._session = Session(self._settings)
        self._line = Line(
            url, key, session=self._session, settings=self._settings, changed=self._pump
        )
        self._error: CpcError | None = None
        self._is_over = False
        self._running: asyncio.Task[None] | None = None
        self._waiters: set[asyncio.Future[None]] = set()
        self._reader: object = None
        self._reader_waits = 0  # calls of the reader's own that wait for something else

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
            socket = await self._line.open()
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

    async def _run(self, socket: ClientConnection) -> None:
        try:
            self._end(await self._line.follow(socket))
        except CpcError as fatal:
            self._end(fatal)
        except Exception as broken:
            _log.exception("the stream failed")
            self._end(CpcError(f"the client failed: {broken!r}"))

    # Waking

    def _pump(self) -> None:
        """Something has changed: what may be sent, or what is waited for."""
        session = self._session
        is_behind = session.unread_rows > UNREAD_ROWS
        is_full = session.unread_bytes > self._settings.max_unread_bytes
        session.is_held = is_full or (
            is_behind and self._reader is not None and self._reader_waits == 0
        )
        self._line.look()
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
