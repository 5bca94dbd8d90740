"""A processor for pipecat: audio passes through, and what heads hear becomes frames.

pip install "cpc-stream[pipecat]"
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from pipecat.frames.frames import (
    CancelFrame,
    EndFrame,
    Frame,
    InputAudioRawFrame,
    SystemFrame,
    UserSpeakingFrame,
    VADUserStartedSpeakingFrame,
    VADUserStoppedSpeakingFrame,
)
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor

from ._errors import CpcError
from ._listener import Listener, Said, row_length_s
from ._types import HeadEvent, HeadRows, Reset

_SPEAKING_PERIOD_S = 0.2
_FINISH_TIMEOUT_S = 10.0


@dataclass
class HeadRowsFrame(SystemFrame):
    """Rows of a head, such as the probabilities of a turn's end."""

    rows: HeadRows


@dataclass
class HeadEventFrame(SystemFrame):
    """A span that a head has heard begin or end."""

    event: HeadEvent


class HeadsProcessor(FrameProcessor):
    """Hands input audio to a server's heads, and pushes what they say downstream.

    Each message of rows is a `HeadRowsFrame`, each event a `HeadEventFrame`. An event named
    `speech_event` also becomes pipecat's own frames, up- and downstream: VADUserStartedSpeaking,
    UserSpeaking every 0.2 s, VADUserStoppedSpeaking. Audio never waits for the server. If the
    stream fails, open speech stops, an ErrorFrame says why, and audio goes on passing through.

    Args:
        url: The server, such as `http://127.0.0.1:8000`.
        heads: Names of heads, each of one channel.
        key: The key; defaults to the environment's CPC_API_KEY.
        model: The model; defaults to the server's first.
        speech_event: The event that means that the user speaks; None for none.
        idle_s: Time without audio (a muted microphone) after which open speech stops.
    """

    def __init__(
        self,
        url: str,
        *,
        heads: Iterable[str] = ("speech",),
        key: str | None = None,
        model: str | None = None,
        speech_event: str | None = "speech",
        idle_s: float = 1.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self._listener: Listener | None = Listener(
            url, heads, self._hear, key=key, model=model, idle_s=idle_s
        )
        self._listening: asyncio.Task[None] | None = None
        self._speech_event = speech_event
        self._is_speaking = False
        self._heard_s = 0.0
        self._told_s = 0.0  # when the last UserSpeakingFrame was due

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        """Forwards every frame; feeds input audio to the heads."""
        await super().process_frame(frame, direction)
        if isinstance(frame, EndFrame):
            await self._finish()
        elif isinstance(frame, CancelFrame):
            await self._stop()
        await self.push_frame(frame, direction)
        if isinstance(frame, InputAudioRawFrame) and self._listener is not None:
            if self._listening is None:
                self._listening = self.create_task(self._listen(self._listener))
            try:
                self._listener.feed(
                    frame.audio, sample_rate=frame.sample_rate, channels=frame.num_channels
                )
            except CpcError as error:
                await self._stop()
                await self._fail(error)

    async def cleanup(self) -> None:
        """Ends the stream."""
        await self._stop()
        await super().cleanup()

    async def _listen(self, listener: Listener) -> None:
        try:
            await listener.run()
        except CpcError as error:
            await self._fail(error)

    async def _fail(self, error: CpcError) -> None:
        self._listener = None
        await self.push_error(f"{error.code}: {error}", error, force_treat_as_permanent=True)

    async def _finish(self) -> None:
        """Lets the last rows and events come before the pipeline ends."""
        if self._listener is not None and self._listening is not None:
            self._listener.finish()
            await asyncio.wait([self._listening], timeout=_FINISH_TIMEOUT_S)
        await self._stop()

    async def _stop(self) -> None:
        self._listener = None
        listening, self._listening = self._listening, None
        if listening is not None:
            await self.cancel_task(listening)

    async def _hear(self, said: Said) -> None:
        if isinstance(said, HeadRows):
            self._heard_s = said.time + (said.count - 1) * row_length_s(said)
            await self.push_frame(HeadRowsFrame(said))
            if self._is_speaking and self._heard_s - self._told_s >= _SPEAKING_PERIOD_S:
                self._told_s = self._heard_s
                await self.broadcast_frame(UserSpeakingFrame)
        elif not isinstance(said, Reset):
            await self.push_frame(HeadEventFrame(said))
            if said.event == self._speech_event:
                await self._tell_speech(said)

    async def _tell_speech(self, said: HeadEvent) -> None:
        self._is_speaking = said.state == "start"
        self._told_s = said.time
        for_s = max(0.0, self._heard_s - said.time)
        if self._is_speaking:
            await self.broadcast_frame(VADUserStartedSpeakingFrame, start_secs=for_s)
        else:
            await self.broadcast_frame(VADUserStoppedSpeakingFrame, stop_secs=for_s)
