"""What a stream sends, in order.

First comes what was sent but may be needed again after a lost connection, then what waits.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ._errors import CpcError

Message = Mapping[str, Any]


@dataclass
class AudioItem:
    """Part of the segment's audio; `start` counts bytes of the segment."""

    data: bytes
    start: int

    @property
    def end(self) -> int:
        return self.start + len(self.data)


@dataclass(eq=False)
class Request:
    """A message that the server answers."""

    message: dict[str, Any]
    #: Takes a message if it is the answer; returns whether it was.
    offer: Callable[[Message], bool]
    reject: Callable[[CpcError], None]
    #: Nothing more is sent until it is answered.
    is_barrier: bool = False
    is_sent: bool = False
    is_answered: bool = False
    #: Where it stands in the segment's audio, in bytes.
    at: int = 0

    @property
    def is_reset(self) -> bool:
        return bool(self.message["type"] == "reset")


class Outbox:
    """Audio and requests of one stream, across its connections."""

    def __init__(self) -> None:
        self._items: list[AudioItem | Request] = []
        self._next = 0  # index of the first item not yet sent on this connection
        self._waiting: list[Request] = []  # requests without an answer, in order
        self._given = 0  # end of the newest segment's audio, in bytes
        self.sent = 0  # end of what was sent of the current segment, in bytes
        self.unsent = 0  # bytes that wait, of every segment

    @property
    def is_reset_pending(self) -> bool:
        """Whether a reset waits for the server's confirmation."""
        return any(request.is_reset for request in self._waiting)

    @property
    def is_answer_owed(self) -> bool:
        """Whether the server owes an answer."""
        return bool(self._waiting) and self._waiting[0].is_sent

    def add_audio(self, data: bytes) -> None:
        self._items.append(AudioItem(data, self._given))
        self._given += len(data)
        self.unsent += len(data)

    def ask(self, request: Request, *, ahead: bool = False) -> None:
        """Adds a request; `ahead` of what waits. Audio after a reset counts from 0."""
        if ahead:
            request.at = self.sent
            self._items.insert(self._next, request)
            sent = sum(waiting.is_sent for waiting in self._waiting)
            self._waiting.insert(sent, request)
            return
        request.at = self._given
        self._items.append(request)
        self._waiting.append(request)
        if request.is_reset:
            self._given = 0

    @property
    def next(self) -> AudioItem | Request | None:
        """The next item to send; None after an unanswered barrier."""
        previous = self._items[self._next - 1] if self._next else None
        if isinstance(previous, Request) and previous.is_barrier and not previous.is_answered:
            return None
        return self._items[self._next] if self._next < len(self._items) else None

    def advance(self) -> None:
        """Marks the next item as sent."""
        item = self._items[self._next]
        self._next += 1
        if isinstance(item, AudioItem):
            self.sent = item.end
            self.unsent -= len(item.data)
        else:
            item.is_sent = True

    def release(self, needed_from: int) -> None:
        """Drops what was sent before a byte, since no resume will ask for it."""
        gone = 0
        for item in self._items[: self._next]:
            is_needed = (
                item.end > needed_from if isinstance(item, AudioItem) else not item.is_answered
            )
            if is_needed:
                break
            gone += 1
        del self._items[:gone]
        self._next -= gone

    def answer(self, message: Message) -> None:
        """Hands a message to the oldest sent request that it answers."""
        for request in self._waiting:
            if request.is_sent and request.offer(message):
                request.is_answered = True
                self._waiting.remove(request)
                return

    def rewind(self, to: int) -> bool:
        """Rewinds to the byte where a resumed connection goes on.

        Drops earlier audio; unanswered requests are sent again. Returns whether the audio from
        there on is still here.
        """
        end = next((request.at for request in self._waiting if request.is_reset), self._given)
        is_here = to == end
        kept: list[AudioItem | Request] = []
        is_later = False  # audio after an unanswered reset counts from 0 again
        for item in self._items:
            if isinstance(item, Request):
                if not item.is_answered:
                    item.is_sent = False
                    kept.append(item)
                    is_later = is_later or item.is_reset
            elif is_later:
                kept.append(item)
            elif item.end > to:
                if not is_here and item.start > to:
                    return False
                is_here = True
                skip = max(0, to - item.start)
                kept.append(AudioItem(item.data[skip:], item.start + skip))
        if not is_here:
            return False
        self._items = kept
        self._next = 0
        self.sent = to
        self.unsent = sum(len(item.data) for item in kept if isinstance(item, AudioItem))
        return True

    def begin_segment(self, segment: int, *, sample_bytes: int, frames: int) -> None:
        """The server has begun a segment, so what was sent before the reset is done."""
        self.sent = 0
        reset = next((request for request in self._waiting if request.is_reset), None)
        if reset is None:
            return
        end = self._items.index(reset) + 1
        former = self._items[:end]
        del self._items[:end]
        self._next = max(0, self._next - end)
        for item in former:
            if isinstance(item, AudioItem) or item.is_answered:
                continue
            # The answers of marks before it were lost with a connection.
            mark = {"type": "marked", "samples": item.at // sample_bytes, "frames": frames}
            item.offer({**mark, "id": item.message.get("id")})
            item.offer({"type": "reset", "segment": segment})
            item.is_answered = True
            self._waiting.remove(item)

    def clear(self, why: CpcError) -> None:
        """Drops everything, and rejects waiting requests with the reason."""
        waiting, self._waiting = self._waiting, []
        self._items, self._next, self.unsent = [], 0, 0
        for request in waiting:
            request.reject(why)
