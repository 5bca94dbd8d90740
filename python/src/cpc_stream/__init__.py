"""Client of cpc-stream: live, exact, self-supervised speech features.

import cpc_stream

with cpc_stream.connect("http://127.0.0.1:8000", sample_rate=16000) as stream:
    stream.send(samples)  # float32 or int16
    stream.finish()
    for frames in stream:
        print(frames.time, frames.context.shape)
"""

from . import aio
from ._audio import Audio
from ._errors import (
    ClosedError,
    ConnectionLostError,
    CpcError,
    DrainingError,
    InvalidAudioError,
    InvalidMessageError,
    InvalidOptionError,
    NotFoundError,
    OverloadedError,
    ResumedElsewhereError,
    ServerError,
    SessionEndedError,
    StreamTimeoutError,
    TooLargeError,
    UnauthorizedError,
    UnknownResumeTokenError,
    UnreadFullError,
)
from ._options import Options
from ._rest import Recording, embed
from ._sync import Stream, connect
from ._types import (
    Done,
    Event,
    Frames,
    HeadEvent,
    HeadRows,
    Marked,
    Ready,
    Reset,
    Score,
    Selection,
    State,
    StreamWarning,
)

__all__ = [
    "Audio",
    "ClosedError",
    "ConnectionLostError",
    "CpcError",
    "Done",
    "DrainingError",
    "Event",
    "Frames",
    "HeadEvent",
    "HeadRows",
    "InvalidAudioError",
    "InvalidMessageError",
    "InvalidOptionError",
    "Marked",
    "NotFoundError",
    "Options",
    "OverloadedError",
    "Ready",
    "Recording",
    "Reset",
    "ResumedElsewhereError",
    "Score",
    "Selection",
    "ServerError",
    "SessionEndedError",
    "State",
    "Stream",
    "StreamTimeoutError",
    "StreamWarning",
    "TooLargeError",
    "UnauthorizedError",
    "UnknownResumeTokenError",
    "UnreadFullError",
    "aio",
    "connect",
    "embed",
]
