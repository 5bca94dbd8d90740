"""Voice activity over Home Assistant's Wyoming protocol: audio in, voice-started and -stopped out.

pip install "cpc-stream[wyoming]"
python -m cpc_stream.wyoming --uri tcp://127.0.0.1:10400 --url http://127.0.0.1:8000
"""

from __future__ import annotations

import argparse
import asyncio
from contextlib import suppress
from functools import partial

from wyoming.audio import AudioChunk, AudioStart, AudioStop
from wyoming.error import Error
from wyoming.event import Event
from wyoming.info import Describe, Info
from wyoming.ping import Ping, Pong
from wyoming.server import AsyncEventHandler, AsyncServer
from wyoming.vad import VoiceStarted, VoiceStopped

from ._errors import CpcError
from ._listener import Listener, Said
from ._types import HeadEvent


class Handler(AsyncEventHandler):
    """One connection: the audio between audio-start and audio-stop is one stream.

    Voice that is on at audio-stop stops there; what is asked after it is answered after that. What
    goes wrong is an error event, and the connection ends.
    """

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        *,
        url: str,
        key: str | None = None,
        head: str = "speech",
        event: str = "speech",
    ) -> None:
        super().__init__(reader, writer)
        self._open = partial(Listener, url, [head], self._hear, key=key)
        self._event = event
        self._listener: Listener | None = None
        self._listening: asyncio.Task[None] | None = None

    async def handle_event(self, event: Event) -> bool:
        """Acts on an event; False ends the connection."""
        if Describe.is_type(event.type):
            await self.write_event(Info().event())  # Wyoming lists no detectors of voice
        elif Ping.is_type(event.type):
            await self.write_event(Pong(text=Ping.from_event(event).text).event())
        elif AudioStart.is_type(event.type):
            await self.disconnect()
            self._listener = self._open()
            self._listening = asyncio.create_task(self._listen(self._listener))
        elif AudioChunk.is_type(event.type) and self._listener is not None:
            return await self._feed(self._listener, AudioChunk.from_event(event))
        elif AudioStop.is_type(event.type) and self._listener is not None:
            self._listener.finish()
            self._listener = None
            if self._listening is not None:
                await self._listening
        return True

    async def disconnect(self) -> None:
        """Ends the stream."""
        listening, self._listening = self._listening, None
        if listening is not None:
            listening.cancel()
            with suppress(asyncio.CancelledError):
                await listening

    async def _feed(self, listener: Listener, chunk: AudioChunk) -> bool:
        if chunk.width != 2:
            width = 8 * chunk.width
            return await self._fail("invalid_option", f"audio of {width} bits: send 16 bits")
        try:
            await listener.welcome()
            listener.feed(chunk.audio, sample_rate=chunk.rate, channels=chunk.channels)
        except CpcError as error:
            return await self._fail(error.code, str(error))
        return True

    async def _listen(self, listener: Listener) -> None:
        try:
            await listener.run()
        except CpcError as error:
            await self._fail(error.code, str(error))
            self.writer.close()

    async def _fail(self, code: str, why: str) -> bool:
        await self.write_event(Error(text=why, code=code).event())
        return False

    async def _hear(self, said: Said) -> None:
        if isinstance(said, HeadEvent) and said.event == self._event:
            kind = VoiceStarted if said.state == "start" else VoiceStopped
            with suppress(ConnectionError):
                await self.write_event(kind(timestamp=round(1000 * said.time)).event())


def main() -> None:
    """Serves until a signal ends it."""
    parser = argparse.ArgumentParser(prog="python -m cpc_stream.wyoming", description=__doc__)
    parser.add_argument("--uri", default="tcp://127.0.0.1:10400", help="default: %(default)s")
    parser.add_argument("--url", default="http://127.0.0.1:8000", help="default: %(default)s")
    parser.add_argument("--key", help="default: the environment's CPC_API_KEY")
    parser.add_argument("--head", default="speech", help="default: %(default)s")
    options = parser.parse_args()
    handler = partial(Handler, url=options.url, key=options.key, head=options.head)
    with suppress(KeyboardInterrupt):
        asyncio.run(AsyncServer.from_uri(options.uri).run(handler))


if __name__ == "__main__":
    main()
