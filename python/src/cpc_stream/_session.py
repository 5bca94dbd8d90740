"""The protocol as a state machine without input or output.

A transport feeds it what the server says (`take`), sends what it wants to send (`next_message`),
and tells it of each connection (`begin_connection`). It keeps the audio since the last received
frame, so that a lost connection loses nothing, and drops what comes twice.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any, TypeVar, cast

from ._audio import OPUS, SAMPLE_BYTES, Audio, Encoder
from ._errors import CpcError, error_of, lost
from ._frames import binary_frames, json_frames
from ._options import Settings, comma_list, numbers_of
from ._outbox import AudioItem, Message, Outbox, Request
from ._received import Received
from ._types import (
    Done,
    Event,
    Frames,
    HeadEvent,
    HeadRows,
    Marked,
    Ready,
    Reset,
    Selection,
    StreamWarning,
)

#: `send()` waits while more than this has not left.
HIGH_WATER_BYTES = 256 * 1024
#: Unread rows beyond which audio is held back for a reader who is slower.
UNREAD_ROWS = 2000
_CHUNK_BYTES = 32 * 1024
#: Of Opus, a second that may be sent ahead: 128 kbit/s, more than speech takes.
_OPUS_BYTES_PER_S = 16_000

A = TypeVar("A")
Resolve = Callable[[A], None]
Reject = Callable[[CpcError], None]


class Session:
    """One stream, across its connections."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._encoder = Encoder(settings.encoding, settings.channels)
        self._sample_bytes = SAMPLE_BYTES.get(self._encoder.encoding, 1) * settings.channels
        self._is_opus = self._encoder.encoding in OPUS  # then marks alone tell the position
        self._outbox = Outbox()
        is_split = settings.query.get("split") == "1"
        self._received = Received([*range(settings.channels)] if is_split else [None])
        self._ready: Ready | None = None
        self._token = ""
        self.selection = Selection((), (), 1)
        self.segment = 0
        #: Received events that wait for their reader.
        self.unread: deque[Event] = deque()
        self.unread_rows = 0
        self.unread_bytes = 0
        #: Whether audio waits until the reader has caught up.
        self.is_held = False
        self.is_done = False
        #: The server's reason for the close that follows.
        self.said: CpcError | None = None
        self.is_ready = False
        self._is_probing = False
        self._marks = 0
        self._confirmed = 0  # bytes of the segment known to have been processed

    # What the program asks

    def add_audio(self, audio: Audio) -> None:
        """Queues audio."""
        data = self._encoder.encode(audio)
        chunk = self.ready["limits"].get("message_bytes", _CHUNK_BYTES)
        if self._encoder.encoding != "opus":  # a packet stays whole
            chunk = min(_CHUNK_BYTES, chunk)
        for at in range(0, len(data), chunk):
            self._outbox.add_audio(data[at : at + chunk])

    def mark(self, id: Any, resolve: Resolve[Marked], reject: Reject) -> None:
        """Asks for the server's position."""
        self._ask_mark(lambda m: resolve(Marked(id, m["samples"], m["frames"])), reject)

    def reset(self, resolve: Resolve[Reset], reject: Reject) -> None:
        """Begins a segment."""
        self._encoder.begin_segment()

        def offer(message: Message) -> bool:
            if message["type"] != "reset":
                return False
            resolve(Reset(message["segment"]))
            return True

        self._outbox.ask(Request({"type": "reset"}, offer, reject, is_barrier=True))

    def update(
        self, change: Mapping[str, Any], resolve: Resolve[Selection], reject: Reject
    ) -> None:
        """Changes what frames carry: `output`, `steps`, `every`; enrols a `voice`."""
        unknown = change.keys() - {"output", "steps", "every", "voice"}
        if unknown:
            known = "output, steps, every and voice"
            raise TypeError(f"update() takes {known}, not {', '.join(unknown)}")
        wanted: dict[str, Any] = {"type": "update"}
        if change.get("output") is not None:
            wanted["output"] = comma_list(change["output"])
        if change.get("steps") is not None:
            wanted["steps"] = numbers_of(change["steps"])
        if change.get("every") is not None:
            wanted["every"] = change["every"]
        if change.get("voice") is not None:
            wanted["voice"] = [float(x) for x in change["voice"]]

        def offer(message: Message) -> bool:
            if message["type"] != "updated" or not _is_fulfilled(wanted, message):
                return False
            resolve(_selection(message))
            return True

        self._outbox.ask(Request(wanted, offer, reject, is_barrier=True))

    def finish(self, resolve: Resolve[Done], reject: Reject) -> None:
        """Ends the audio."""

        def offer(message: Message) -> bool:
            if message["type"] != "done":
                return False
            samples, frames, seconds = (message[name] for name in ("samples", "frames", "seconds"))
            resolve(Done(samples, frames, seconds, message.get("stats", {})))
            return True

        self._outbox.ask(Request({"type": "finish"}, offer, reject, is_barrier=True))

    @property
    def is_welcome(self) -> bool:
        """Whether more audio is welcome."""
        return self._outbox.unsent < HIGH_WATER_BYTES

    @property
    def is_unsent(self) -> bool:
        """Whether audio waits to be sent."""
        return self._outbox.unsent > 0

    def pop_unread(self) -> Event:
        """The oldest unread event."""
        event = self.unread.popleft()
        self._count(event, -1)
        return event

    # What the transport asks

    @property
    def ready(self) -> Ready:
        """The server's latest `ready`."""
        if self._ready is None:
            raise TypeError("the stream is not open yet: connect() opens it")
        return self._ready

    @property
    def is_reset_pending(self) -> bool:
        return self._outbox.is_reset_pending

    @property
    def is_answer_owed(self) -> bool:
        return self._is_probing or self._outbox.is_answer_owed

    @property
    def is_fresh(self) -> bool:
        """Whether nothing has been received: a session that is gone could begin anew."""
        return self._received.is_fresh and self.segment == 0

    @property
    def received(self) -> int:
        """The frame from which on a resume must send; what comes twice is dropped."""
        return self._received.resume_at(self.selection.output)

    def query(self) -> dict[str, str]:
        """The query of a new session, with the selection in force."""
        if self._ready is None:
            return self._settings.query
        selection = self.selection
        return {
            **self._settings.query,
            "output": ",".join(selection.output),
            "steps": ",".join(map(str, selection.steps)),
            "every": str(selection.every),
        }

    def resume_query(self, received: int) -> dict[str, str]:
        """The query that continues this session."""
        return {"resume": self._token, "received": str(received)}

    def begin_connection(self) -> None:
        """A connection is dialled."""
        self.is_ready = False
        self.said = None
        self._is_probing = False

    def next_message(self) -> str | bytes | None:
        """What to send now; it counts as sent."""
        item = self._outbox.next
        if not self.is_ready or item is None or self.is_done:
            return None
        if isinstance(item, Request):
            self._outbox.advance()
            return json.dumps(item.message)
        if self.is_held:
            return None
        rate = self.ready["sample_rate"] * self._sample_bytes
        window = self._settings.window_s * (_OPUS_BYTES_PER_S if self._is_opus else rate)
        ahead = self._outbox.sent - self._confirmed
        if ahead > window / 2 and not self._is_probing:
            return self._probe()
        if ahead > window:
            return None
        self._outbox.advance()
        return item.data

    def take(self, data: str | bytes) -> None:
        """Acts on a message of the server.

        Raises ConnectionLostError for what cannot be understood.
        """
        try:
            if isinstance(data, bytes):
                self._take_frames(self._read_binary(data))
            else:
                self._take_message(json.loads(data))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise lost(f"a message was not understood: {data[:200]!r}", retryable=False) from error

    def tell(self, event: Event) -> None:
        """Leaves an event for the reader."""
        self.unread.append(event)
        self._count(event, 1)

    def end(self, why: CpcError) -> None:
        """The stream is over."""
        self._outbox.clear(why)

    # Acts on messages

    def _take_message(self, message: Message) -> None:
        kind = message["type"]
        if kind == "error":
            self.said = error_of(message)
        elif kind == "ready":
            self._take_ready(message)
        elif kind == "frames":
            rate = self.ready["frame_rate"]
            frames = json_frames(
                message, selection=self.selection, segment=self.segment, frame_rate=rate
            )
            self._take_frames(frames)
        elif kind == "head":
            self._take_rows(message)
        elif kind == "event":
            self._take_event(message)
        elif kind == "warning":
            self._token = message.get("resume") or self._token
            warning = StreamWarning(message["code"], message["message"], message.get("resume"))
            self.tell(warning)
        elif kind == "reset":
            self._begin_segment(message["segment"])
        else:
            if kind == "marked":
                self._take_mark(message)
            elif kind == "updated":
                self.selection = _selection(message)
            elif kind == "done":
                self.is_done = True
            self._outbox.answer(message)

    def _take_mark(self, message: Message) -> None:
        self._received.take_mark(message["frames"])
        self._confirm(message["samples"])
        if "bytes" in message:
            self._confirmed = max(self._confirmed, message["bytes"])
            self._outbox.release(message["bytes"])

    def _read_binary(self, data: bytes) -> Frames:
        return binary_frames(
            data,
            dims=self.ready["dims"],
            selection=self.selection,
            segment=self.segment,
            frame_rate=self.ready["frame_rate"],
        )

    def _take_ready(self, message: Message) -> None:
        is_first = self._ready is None
        self._ready = cast(
            Ready, {name: value for name, value in message.items() if name != "type"}
        )
        self._token = self._ready["resume"]
        self.selection = _selection(message)
        self.is_ready = True
        if is_first:
            return
        samples, segment = message.get("samples", 0), message.get("segment", 0)
        if segment != self.segment:
            self._begin_segment(segment)  # it had received the reset
        start = message.get("bytes", samples * self._sample_bytes)
        self._confirmed = min(self._confirmed, start)
        if not self._outbox.rewind(start):
            raise lost(f"audio from sample {samples} on is gone", retryable=False)

    def _take_frames(self, frames: Frames) -> None:
        fresh = self._received.take_frames(frames)
        if fresh is not None:
            self.tell(fresh)
        self._confirm(int(self.received * self._samples_per_frame))

    def _take_rows(self, message: Message) -> None:
        fresh = self._received.take_rows(message, frame_rate=self.ready["frame_rate"])
        if fresh is not None:
            self.tell(fresh)
        self._confirm(int(self.received * self._samples_per_frame))

    def _take_event(self, message: Message) -> None:
        head, name, state = message["head"], message["event"], message["state"]
        event = HeadEvent(head, name, state, message["time"], message.get("channel"))
        if self._received.is_new(event):
            self.tell(event)

    @property
    def _samples_per_frame(self) -> float:
        return self.ready["sample_rate"] / self.ready["frame_rate"]

    def _confirm(self, samples: int) -> None:
        """Notes what was processed, and drops audio that no resume can ask for."""
        if self._is_opus:
            return
        self._confirmed = max(self._confirmed, samples * self._sample_bytes)
        needed_from = int(max(0, self.received - 1) * self._samples_per_frame)
        self._outbox.release(needed_from * self._sample_bytes)

    def _begin_segment(self, segment: int) -> None:
        frames = self._received.frames
        self._outbox.begin_segment(segment, sample_bytes=self._sample_bytes, frames=frames)
        self.segment = segment
        self._received.begin_segment()
        self._confirmed = 0
        self.tell(Reset(segment))

    # Asks

    def _ask_mark(self, resolve: Resolve[Message], reject: Reject, *, ahead: bool = False) -> None:
        self._marks += 1
        id = self._marks

        def offer(message: Message) -> bool:
            if message["type"] != "marked" or message["id"] != id:
                return False
            resolve(message)
            return True

        self._outbox.ask(Request({"type": "mark", "id": id}, offer, reject), ahead=ahead)

    def _probe(self) -> str:
        """Asks for the server's position, since no frames show it."""
        self._is_probing = True

        def resolve(_: Message) -> None:
            self._is_probing = False

        self._ask_mark(resolve, lambda _: None, ahead=True)
        message = self._outbox.next
        assert not isinstance(message, AudioItem) and message is not None
        self._outbox.advance()
        return json.dumps(message.message)

    def _count(self, event: Event, sign: int) -> None:
        size = 200
        if isinstance(event, Frames):
            self.unread_rows += sign * event.count
            size += event.nbytes
        elif isinstance(event, HeadRows):
            size += 200 * event.count
        self.unread_bytes += sign * size


def _selection(message: Message) -> Selection:
    return Selection(tuple(message["output"]), tuple(message["steps"]), message["every"])


def _is_fulfilled(wanted: Mapping[str, Any], message: Message) -> bool:
    return all(
        message[name] == value if name == "every" else sorted(message[name]) == sorted(value)
        for name, value in wanted.items()
        if name not in ("type", "voice")
    ) and ("voice" not in wanted or message.get("voice") is True)
