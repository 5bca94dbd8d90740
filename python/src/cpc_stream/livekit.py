"""Voice activity detection for LiveKit agents, by a head of a server.

pip install "cpc-stream[livekit]"
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from importlib.metadata import version

from livekit import rtc
from livekit.agents import Plugin, vad

from ._listener import Listener, Said, row_length_s
from ._types import HeadEvent, HeadRows

_log = logging.getLogger("cpc_stream")
_UPDATE_INTERVAL_S = 0.01
_SAMPLE_BYTES = 2
_CONFIRM_S = 5.0  # audio kept before a start is confirmed; longer than heads' min_on_s


class _CpcStream(Plugin):
    def __init__(self) -> None:
        super().__init__("cpc-stream", version("cpc-stream"), "cpc_stream.livekit", _log)


Plugin.register_plugin(_CpcStream())


class VAD(vad.VAD):
    """Voice activity: `AgentSession(vad=VAD("http://127.0.0.1:8000"))`.

    Speech starts and ends with the head's events; `INFERENCE_DONE` comes for every row, with the
    probability.

    Args:
        url: The server.
        head: A head of one channel that sends an event named `event`.
        event: The event that means speech.
        output: The output of the head that holds the probability, in its first number.
        key: The key; defaults to the environment's CPC_API_KEY.
        model: The model; defaults to the server's first.
        threshold: Probability from which a row counts in `raw_accumulated_speech`.
        prefix_padding_duration: Audio before the start of speech in the events' frames, seconds.
        max_buffered_speech: The last seconds of a stretch of speech that its end carries.
    """

    def __init__(
        self,
        url: str,
        *,
        head: str = "speech",
        event: str = "speech",
        output: str = "speech",
        key: str | None = None,
        model: str | None = None,
        threshold: float = 0.5,
        prefix_padding_duration: float = 0.5,
        max_buffered_speech: float = 60.0,
    ) -> None:
        super().__init__(capabilities=vad.VADCapabilities(update_interval=_UPDATE_INTERVAL_S))
        self.url, self.key, self.head, self.event, self.output = url, key, head, event, output
        self.threshold = threshold
        self.prefix_padding_duration = prefix_padding_duration
        self.max_buffered_speech = max_buffered_speech
        self._model = model

    @property
    def model(self) -> str:
        """The head, with its model if one was named."""
        return self.head if self._model is None else f"{self._model}/{self.head}"

    @property
    def provider(self) -> str:
        """Who detects."""
        return "cpc-stream"

    def stream(self) -> vad.VADStream:
        """Opens a stream; it connects with the first frame of audio."""
        return _VADStream(self, self._model)


class _VADStream(vad.VADStream):
    def __init__(self, parent: VAD, model: str | None) -> None:
        self._options = parent
        self._listener = Listener(
            parent.url, [parent.head], self._hear, key=parent.key, model=model
        )
        self._tracks = deque([_Track()])  # of the segments that are not over
        self._begin()
        super().__init__(parent)

    def _begin(self) -> None:
        self._now_s = 0.0
        self._row_s = _UPDATE_INTERVAL_S
        self._start_s: float | None = None  # when speech began, while there is some
        self._end_s = 0.0  # when it last ended
        self._raw_speech_s = self._raw_silence_s = 0.0

    async def _main_task(self) -> None:
        feeding = asyncio.create_task(self._feed())
        listening = asyncio.create_task(self._listener.run())
        try:
            await asyncio.gather(feeding, listening)
        finally:
            for task in (feeding, listening):
                task.cancel()
            await asyncio.gather(feeding, listening, return_exceptions=True)

    async def _feed(self) -> None:
        async for frame in self._input_ch:
            await self._listener.welcome()
            if isinstance(frame, rtc.AudioFrame):
                self._tracks[-1].add(frame)
                self._listener.feed(
                    bytes(frame.data), sample_rate=frame.sample_rate, channels=frame.num_channels
                )
            else:
                self._tracks.append(_Track())
                self._listener.reset()
        self._listener.finish()

    async def _hear(self, said: Said) -> None:
        if isinstance(said, HeadRows):
            self._row_s = row_length_s(said)
            for i, row in enumerate(said.rows):
                self._take_row(said.time + i * self._row_s, row[self._options.output][0])
        elif isinstance(said, HeadEvent):
            if said.event == self._options.event:
                self._take_event(said)
        else:
            self._tracks.popleft()
            self._begin()

    def _take_row(self, time_s: float, probability: float) -> None:
        heard = self._tracks[0].cut(self._now_s, time_s)
        self._now_s = time_s
        if probability >= self._options.threshold:
            self._raw_speech_s, self._raw_silence_s = self._raw_speech_s + self._row_s, 0.0
        else:
            self._raw_speech_s, self._raw_silence_s = 0.0, self._raw_silence_s + self._row_s
        self._tell(vad.VADEventType.INFERENCE_DONE, heard, probability)
        kept_s = _CONFIRM_S if self._start_s is None else self._options.max_buffered_speech
        self._tracks[0].forget_before(time_s - kept_s - self._options.prefix_padding_duration)

    def _take_event(self, event: HeadEvent) -> None:
        padding_s = self._options.prefix_padding_duration
        if event.state == "start":
            self._start_s = began_s = event.time - self._row_s  # an event's time is its row's end
            speech = self._tracks[0].cut(began_s - padding_s, self._now_s)
            self._tell(vad.VADEventType.START_OF_SPEECH, speech)
        elif self._start_s is not None:
            speech = self._tracks[0].cut(self._start_s - padding_s, self._now_s)
            self._end_s = min(event.time, self._now_s)
            self._tell(vad.VADEventType.END_OF_SPEECH, speech, speech_s=self._end_s - self._start_s)
            self._start_s = None

    def _tell(
        self,
        kind: vad.VADEventType,
        audio: list[rtc.AudioFrame],
        probability: float = 0.0,
        *,
        speech_s: float | None = None,
    ) -> None:
        is_on = self._start_s is not None and speech_s is None
        if speech_s is None:
            speech_s = 0.0 if self._start_s is None else self._now_s - self._start_s
        self._event_ch.send_nowait(
            vad.VADEvent(
                type=kind,
                samples_index=self._tracks[0].index_at(self._now_s),
                timestamp=self._now_s,
                speech_duration=speech_s,
                silence_duration=0.0 if is_on else self._now_s - self._end_s,
                frames=audio,
                probability=probability,
                speaking=is_on,
                raw_accumulated_silence=self._raw_silence_s,
                raw_accumulated_speech=self._raw_speech_s,
            )
        )


class _Track:
    """The audio of a segment, without what is forgotten."""

    def __init__(self) -> None:
        self._data = bytearray()
        self._first = 0  # index of the first sample that is kept
        self._rate, self._channels = 16000, 1

    def add(self, frame: rtc.AudioFrame) -> None:
        self._rate, self._channels = frame.sample_rate, frame.num_channels
        self._data += bytes(frame.data)

    def index_at(self, time_s: float) -> int:
        return max(0, round(time_s * self._rate))

    def cut(self, from_s: float, to_s: float) -> list[rtc.AudioFrame]:
        """The audio between two times, as one frame; an empty list if there is none."""
        data = bytes(self._data[self._byte_at(from_s) : self._byte_at(to_s)])
        samples = len(data) // (_SAMPLE_BYTES * self._channels)
        return [rtc.AudioFrame(data, self._rate, self._channels, samples)] if samples else []

    def forget_before(self, time_s: float) -> None:
        if (gone := self._byte_at(time_s)) >= self._rate:  # not for every row
            del self._data[:gone]
            self._first += gone // (_SAMPLE_BYTES * self._channels)

    def _byte_at(self, time_s: float) -> int:
        return max(0, self.index_at(time_s) - self._first) * _SAMPLE_BYTES * self._channels
