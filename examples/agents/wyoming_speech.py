"""A Wyoming client that prints when somebody speaks: python wyoming_speech.py FILE.wav [URI]

It talks to `python -m cpc_stream.wyoming`.
"""

import asyncio
import sys
import wave

from wyoming.audio import wav_to_chunks
from wyoming.client import AsyncClient
from wyoming.ping import Ping, Pong


async def main(path, uri="tcp://127.0.0.1:10400"):
    async with AsyncClient.from_uri(uri) as client:
        with wave.open(path) as file:
            for each in wav_to_chunks(file, 320, start_event=True, stop_event=True):
                await client.write_event(each.event())
        await client.write_event(Ping().event())  # its answer comes after the last event
        while (event := await client.read_event()) and not Pong.is_type(event.type):
            print(event.type, event.data)


asyncio.run(main(*sys.argv[1:]))
