"""What a stream gives its program."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias, TypedDict

import numpy as np
from numpy.typing import NDArray

from ._errors import CpcError

Floats: TypeAlias = NDArray[np.float32]


class Limits(TypedDict, total=False):
    """Bounds in force; docs/limits.md explains each."""

    message_bytes: int
    idle_s: float
    session_s: float
    backlog_s: float
    resume_s: float


class Dims(TypedDict):
    """Widths of the model: C, Z and K."""

    context: int
    latent: int
    steps: int


class _ReadyAlways(TypedDict):
    session: str
    resume: str
    model: str
    sample_rate: int
    frame_rate: float
    hop: int
    lookahead: int
    dims: Dims
    output: list[str]
    steps: list[int]
    every: int
    limits: Limits


class Ready(_ReadyAlways, total=False):
    """The server's first message: the configuration in force."""

    encoding: str
    channels: int
    channel: int
    format: str
    dtype: str
    resumed: bool
    samples: int
    segment: int


@dataclass(frozen=True)
class Selection:
    """What frames carry."""

    output: tuple[str, ...]
    steps: tuple[int, ...]
    every: int


@dataclass(frozen=True, eq=False)
class Score:
    """How well predictions of the past fitted each frame; NaN where there is no score yet."""

    #: [n]
    surprise: Floats
    #: [n, K], a column for each of `Frames.steps`
    nce: Floats
    #: [n, K], 0 or 1
    correct: Floats


@dataclass(frozen=True, eq=False)
class Frames:
    """Frames that arrived together; row i is frame `first + i * every` of `segment`."""

    segment: int
    first: int
    count: int
    every: int
    #: Seconds from the segment's start to the start of the first row.
    time: float
    #: Steps of the predictions and scores.
    steps: tuple[int, ...]
    frame_rate: float
    #: The channel, of a stream with `split=1`.
    channel: int | None = None
    #: [n, C]
    context: Floats | None = None
    #: [n, Z]
    latent: Floats | None = None
    #: [n, K, Z]
    prediction: Floats | None = None
    score: Score | None = None

    def __len__(self) -> int:
        return self.count

    @property
    def index(self) -> NDArray[np.int64]:
        """Index of each row, [n]."""
        return self.first + self.every * np.arange(self.count, dtype=np.int64)

    @property
    def times(self) -> NDArray[np.float64]:
        """Seconds from the segment's start to the start of each row, [n]."""
        return self.index / self.frame_rate

    def since(self, frame: int) -> Frames | None:
        """The rows from a frame on; None if there is none."""
        skip = max(0, -(-(frame - self.first) // self.every))
        if skip == 0:
            return self
        if skip >= self.count:
            return None

        def cut(rows: Floats | None) -> Floats | None:
            return None if rows is None else rows[skip:]

        score = self.score
        return Frames(
            segment=self.segment,
            first=self.first + skip * self.every,
            count=self.count - skip,
            every=self.every,
            time=(self.first + skip * self.every) / self.frame_rate,
            steps=self.steps,
            frame_rate=self.frame_rate,
            channel=self.channel,
            context=cut(self.context),
            latent=cut(self.latent),
            prediction=cut(self.prediction),
            score=score and Score(score.surprise[skip:], score.nce[skip:], score.correct[skip:]),
        )

    @property
    def nbytes(self) -> int:
        """Bytes of the arrays."""
        score = self.score
        arrays = [self.context, self.latent, self.prediction]
        arrays += [score.surprise, score.nce, score.correct] if score else []
        return sum(array.nbytes for array in arrays if array is not None)


@dataclass(frozen=True)
class HeadRows:
    """Rows of a head; each maps the names of its outputs to numbers."""

    name: str
    first: int
    count: int
    #: Seconds from the segment's start to the end of what the first row heard.
    time: float
    rows: list[dict[str, list[float]]]
    #: Of a split stream: the channel that a head of one channel heard.
    channel: int | None = None


@dataclass(frozen=True)
class HeadEvent:
    """A span that a head has heard begin or end, such as speech."""

    head: str
    event: str
    state: Literal["start", "end"]
    time: float
    #: Of a split stream: the channel that a head of one channel heard.
    channel: int | None = None


@dataclass(frozen=True)
class StreamWarning:
    """A warning of the server: idle, backlog, slow_reader, draining, store; the stream goes on."""

    code: str
    message: str
    resume: str | None = None


@dataclass(frozen=True)
class State:
    """The connection was lost and is tried again, or is open again."""

    state: Literal["open", "resuming"]
    #: Number of the attempt; 0 when open.
    attempt: int = 0
    retry_in_s: float = 0.0
    error: CpcError | None = None


@dataclass(frozen=True)
class Reset:
    """A segment has begun."""

    segment: int


@dataclass(frozen=True)
class Marked:
    """The server's position at a mark: the client's samples of the segment, and frames."""

    id: Any
    samples: int
    frames: int


@dataclass(frozen=True)
class Done:
    """Figures of the segment that `finish` ended."""

    samples: int
    frames: int
    seconds: float
    stats: Mapping[str, float] = field(default_factory=dict)


#: What `events()` gives.
Event: TypeAlias = Frames | HeadRows | HeadEvent | StreamWarning | State | Reset
