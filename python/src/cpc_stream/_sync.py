"""Streams for threads.

They run over the asynchronous client, on one event loop in a thread of its own. The blocking
client of websockets would not do: it holds a lock while it writes, and needs the same lock to
read. With a server that waits for its frames to be read, both would wait for ever.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Coroutine, Iterator
from typing import TYPE_CHECKING, Any, TypeVar

from . import aio
from ._audio import Audio
from ._options import Options
from ._types import Done, Event, Frames, Marked, Ready, Reset, Selection

if TYPE_CHECKING:
    from typing_extensions import Unpack

T = TypeVar("T")


class _Background:
    """An event loop in a daemon thread, shared by all streams of this process."""

    def __init__(self) -> None:
        self.pid = os.getpid()
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, name="cpc_stream", daemon=True)
        self.thread.start()


_lock = threading.Lock()
_background: _Background | None = None


def _loop() -> asyncio.AbstractEventLoop:
    global _background
    with _lock:
        if _background is None or _background.pid != os.getpid():
            _background = _Background()
        return _background.loop


class Stream:
    """One stream: audio in, frames out. `connect` opens it.

    Threads may share it: one sends while another reads.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, stream: aio.Stream) -> None:
        self._loop = loop
        self._stream = stream

    @property
    def ready(self) -> Ready:
        """The server's latest `ready`: the configuration in force."""
        return self._stream.ready

    @property
    def selection(self) -> Selection:
        """What frames carry now."""
        return self._stream.selection

    def send(self, audio: Audio) -> None:
        """Sends audio; returns when more is welcome, so the server sets the pace.

        Arrays are [samples] or [samples, channels], float32 or int16. Bytes are in the stream's
        `encoding`, or s16le if none was named. Raises the error that ended the stream.
        """
        self._call(self._stream._send(audio, threading.get_ident()))

    def mark(self, id: Any = None) -> Marked:
        """Waits until all that was sent has been processed and its frames have arrived."""
        return self._call(self._stream._mark(id, threading.get_ident()))

    def update(self, **options: Any) -> Selection:
        """Changes `output`, `steps` or `every`, from the next frame on."""
        return self._call(self._stream._update(options, threading.get_ident()))

    def reset(self) -> Reset:
        """Begins a segment: samples and frames count from 0 again."""
        return self._call(self._stream._reset(threading.get_ident()))

    def finish(self) -> Done:
        """Ends the audio and waits for the last frames; they can be read afterwards too."""
        return self._call(self._stream._finish(threading.get_ident()))

    def close(self) -> None:
        """Ends the stream at once; the server forgets it. Frames that have come can be read."""
        self._call(self._stream.close())

    def __iter__(self) -> Iterator[Frames]:
        """Frames, in order, each once, until `finish` or `close`; raises what ended the stream."""
        for event in self.events():
            if isinstance(event, Frames):
                yield event

    def events(self) -> Iterator[Event]:
        """Frames, heads' rows and events, warnings, states and resets, as they come."""
        me = threading.get_ident()
        try:
            while (event := self._call(self._stream._next(me))) is not None:
                yield event
        finally:
            self._loop.call_soon_threadsafe(self._stream._reader_left, me)

    def __enter__(self) -> Stream:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _call(self, work: Coroutine[Any, Any, T]) -> T:
        return _run(self._loop, work)


def connect(url: str, *, key: str | None = None, **options: Unpack[Options]) -> Stream:
    """Opens a stream at a server such as `http://127.0.0.1:8000`; use it in a `with` statement.

    `key` defaults to the environment's CPC_API_KEY. Raises a CpcError if the server refuses or
    cannot be reached.
    """
    loop = _loop()
    return Stream(loop, _run(loop, aio.connect(url, key=key, **options)._open()))


def _run(loop: asyncio.AbstractEventLoop, work: Coroutine[Any, Any, T]) -> T:
    future = asyncio.run_coroutine_threadsafe(work, loop)
    try:
        return future.result()
    except BaseException:
        future.cancel()
        raise
