"""Heads that listen to live audio: agents feed it without waiting, and hear rows and events."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import replace
from enum import Enum
from typing import TypeAlias

from . import aio
from ._errors import InvalidOptionError, OverloadedError
from ._options import Options
from ._types import HeadEvent, HeadRows, Reset

#: What heads say. A `Reset` says that time counts from 0 again.
Said: TypeAlias = HeadRows | HeadEvent | Reset

_MOST_AHEAD_S = 10.0
_WELCOME_S = 5.0
_RESUME_FOR_S = 10.0  # an agent wants to know soon


class _Order(Enum):
    RESET = "reset"
    IDLE = "idle"
    FINISH = "finish"


class Listener:
    """A stream of heads alone. What began also ends, even if audio stops or the stream fails.

    Args:
        url: The server, such as `http://127.0.0.1:8000`.
        heads: Names of heads, without `head.`.
        hear: Called with rows and events, in order.
        key: The key; defaults to the environment's CPC_API_KEY.
        model: The model; defaults to the server's first.
        idle_s: Time without audio after which what is on ends, and the heads begin anew.
    """

    def __init__(
        self,
        url: str,
        heads: Iterable[str],
        hear: Callable[[Said], Awaitable[None]],
        *,
        key: str | None = None,
        model: str | None = None,
        idle_s: float | None = None,
    ) -> None:
        self._output = [f"head.{name}" for name in heads]
        self._url, self._key, self._model = url, key, model
        self._hear = hear
        self._idle_s = idle_s
        self._inbox: asyncio.Queue[bytes | _Order] = asyncio.Queue()
        self._ahead_bytes = 0
        self._is_welcome = asyncio.Event()
        self._is_welcome.set()
        self._format: tuple[int, int] | None = None
        self._heard_s = 0.0  # by the last row of this segment
        self._on: dict[tuple[str, str], HeadEvent] = {}
        self._is_reset_asked = False

    def feed(self, audio: bytes, *, sample_rate: int, channels: int) -> None:
        """Takes 16-bit audio, interleaved; never waits.

        Raises InvalidOptionError when rate or channels change, OverloadedError when the server is
        so slow that 10 s of audio wait for it.
        """
        given = (sample_rate, channels)
        self._format = self._format or given
        if given != self._format:
            rate, known = self._format
            raise InvalidOptionError(
                f"the stream has {known} channels at {rate} Hz, and this audio has {channels} at "
                f"{sample_rate} Hz: begin another stream for it"
            )
        if self._ahead_s > _MOST_AHEAD_S:
            raise OverloadedError(
                f"{_MOST_AHEAD_S:.0f} s of audio wait for the server, which is slower than that"
            )
        self._count(len(audio))
        self._inbox.put_nowait(bytes(audio))

    async def welcome(self) -> None:
        """Waits until less than 5 s of audio wait for the server, for sources that can wait."""
        await self._is_welcome.wait()

    def reset(self) -> None:
        """Forgets what is on, and begins anew with the audio that follows."""
        self._inbox.put_nowait(_Order.RESET)

    def finish(self) -> None:
        """No more audio follows; `run` returns when the last rows and events were heard."""
        self._inbox.put_nowait(_Order.FINISH)

    async def run(self) -> None:
        """Listens until `finish`. The stream opens with the first audio. Raises what ended it."""
        first = await self._inbox.get()
        while first is _Order.RESET:
            first = await self._inbox.get()
        if isinstance(first, _Order) or self._format is None:
            return
        sample_rate, channels = self._format
        options: Options = {
            "encoding": "s16le",
            "sample_rate": sample_rate,
            "channels": channels,
            "output": self._output,
            "resume_for_s": _RESUME_FOR_S,
        }
        if self._model is not None:
            options["model"] = self._model
        try:
            async with aio.connect(self._url, key=self._key, **options) as stream:
                tasks = [
                    asyncio.create_task(self._send(stream, first)),
                    asyncio.create_task(self._read(stream)),
                ]
                try:
                    await asyncio.gather(*tasks)
                finally:
                    for task in tasks:
                        task.cancel()
                    await asyncio.gather(*tasks, return_exceptions=True)
        finally:
            self._is_welcome.set()
            await self._end_all()

    @property
    def _ahead_s(self) -> float:
        rate, channels = self._format or (1, 1)
        return self._ahead_bytes / (2 * rate * channels)

    def _count(self, length: int) -> None:
        self._ahead_bytes += length
        if self._ahead_s < _WELCOME_S:
            self._is_welcome.set()
        else:
            self._is_welcome.clear()

    async def _send(self, stream: aio.Stream, item: bytes | _Order) -> None:
        while item is not _Order.FINISH:
            if isinstance(item, bytes):
                await stream.send(item)
                self._count(-len(item))
            else:
                self._is_reset_asked = item is _Order.RESET
                await stream.reset()
            item = await self._next()
        await stream.finish()

    async def _next(self) -> bytes | _Order:
        while True:
            try:
                return await asyncio.wait_for(self._inbox.get(), self._idle_s)
            except asyncio.TimeoutError:
                if self._on:
                    return _Order.IDLE

    async def _read(self, stream: aio.Stream) -> None:
        async for said in stream.events():
            if isinstance(said, HeadRows):
                # A row's time is when it ends: row 0 ends after one row's length.
                self._heard_s = said.time * (said.first + said.count) / (said.first + 1)
                await self._hear(said)
            elif isinstance(said, HeadEvent):
                self._note(said)
                await self._hear(said)
            elif isinstance(said, Reset):
                if self._is_reset_asked:
                    self._on.clear()
                await self._end_all()
                await self._hear(said)

    def _note(self, event: HeadEvent) -> None:
        span = (event.head, event.event)
        if event.state == "start":
            self._on[span] = event
        else:
            self._on.pop(span, None)

    async def _end_all(self) -> None:
        on, self._on = self._on, {}
        for event in on.values():
            await self._hear(replace(event, state="end", time=self._heard_s))
        self._heard_s = 0.0


def row_length_s(rows: HeadRows) -> float:
    """Seconds between two rows of a head."""
    return rows.time / (rows.first + 1)
