"""How far a stream has been received: its frames, its heads' rows and events, in this segment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ._types import Frames, HeadEvent, HeadRows


class Received:
    """What the client has. What comes twice, as after a resume, is dropped."""

    def __init__(self, channels: Sequence[int | None]) -> None:
        """`channels`: those of a split stream, or None alone."""
        self._channels = channels
        #: Nothing was received: the stream could as well begin anew.
        self.is_fresh = True
        self.begin_segment()

    def begin_segment(self) -> None:
        """Everything counts from 0 again."""
        self._have: dict[int | None, int] = {}  # channel: frames received
        # of each head, and each channel that it hears by itself:
        self._have_rows: dict[tuple[str, int | None], int] = {}  # rows received
        self._row_frames: dict[tuple[str, int | None], int] = {}  # frames that those rows heard
        # the latest of each kind
        self._event_times: dict[tuple[str, int | None, str, str], float] = {}

    @property
    def frames(self) -> int:
        """Frames received of every channel."""
        return min(self._have.get(channel, 0) for channel in self._channels)

    def resume_at(self, output: Sequence[str]) -> int:
        """The frame from which on a resume must send these outputs."""
        heads = [name[5:] for name in output if name.startswith("head.")]
        if not heads:
            return self.frames
        if len(heads) == len(output):
            return min(self._frames_of_rows(name) for name in heads)
        # A row may have been lost that leaves right after the last frame that came.
        return max(0, self.frames - 1)

    def _frames_of_rows(self, head: str) -> int:
        """Frames that the rows of a head have heard, of every channel that it hears by itself."""
        of_all = self._row_frames.get((head, None), 0)
        return of_all or min(self._row_frames.get((head, c), 0) for c in self._channels)

    def take_mark(self, frames: int) -> None:
        """All frames before a mark have come, and all rows."""
        if frames <= 0:
            return
        for channel in self._channels:
            self._have[channel] = max(self._have.get(channel, 0), frames)
        for key, had in self._row_frames.items():
            self._row_frames[key] = max(had, frames)
        self.is_fresh = False

    def take_frames(self, frames: Frames) -> Frames | None:
        """Counts frames; gives those that are new."""
        end = frames.first + (frames.count - 1) * frames.every + 1
        had = self._have.get(frames.channel, 0)
        self._have[frames.channel] = max(had, end)
        self.is_fresh = False
        return frames.since(had)

    def take_rows(self, message: Mapping[str, Any], *, frame_rate: float) -> HeadRows | None:
        """Counts rows of a head; gives those that are new."""
        name, first, count = message["name"], message["first"], message["count"]
        channel = message.get("channel")
        key = (name, channel)
        have = self._have_rows.get(key, 0)
        every = round(message["time"] * frame_rate / (first + 1))
        self._have_rows[key] = max(have, first + count)
        self._row_frames[key] = self._have_rows[key] * every
        self.is_fresh = False
        skip = max(0, have - first)
        if skip >= count:
            return None
        rows = list(message["rows"][skip:])
        time = (first + skip + 1) * every / frame_rate
        return HeadRows(name, first + skip, count - skip, time, rows, channel)

    def is_new(self, event: HeadEvent) -> bool:
        """Notes an event; whether it is a new one."""
        span = (event.head, event.channel, event.event, event.state)
        if event.time <= self._event_times.get(span, -1.0):
            return False
        self._event_times[span] = event.time
        return True
