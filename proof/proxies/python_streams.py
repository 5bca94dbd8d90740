"""Streams of the Python client at the pace of speech; writes what each of them heard.

usage: python_streams.py URL CLIP.s16le STREAMS OUT: each stream i leaves OUT/i.f32 and prints a
line of JSON with the number of its resumes.
"""

import asyncio
import json
import logging
import sys
import time
from pathlib import Path

import numpy as np
from cpc_stream import Frames, State
from cpc_stream.aio import Stream, connect

RATE = 16_000
CHUNK_SAMPLES = RATE // 50


async def speak(stream: Stream, pcm: np.ndarray) -> None:
    start = time.monotonic()
    for at in range(0, len(pcm), CHUNK_SAMPLES):
        await asyncio.sleep(max(0.0, start + at / RATE - time.monotonic()))
        await stream.send(pcm[at : at + CHUNK_SAMPLES])
    await stream.finish()


async def say(url: str, pcm: np.ndarray) -> tuple[np.ndarray, int]:
    rows, frames, connections = [], 0, 0
    async with connect(url) as stream:
        speaking = asyncio.create_task(speak(stream, pcm))
        async for event in stream.events():
            if isinstance(event, State) and event.state == "open":
                connections += 1
            if isinstance(event, Frames):
                if event.first != frames:
                    raise ValueError(f"frame {event.first} came where {frames} was due")
                rows.append(event.context)
                frames += event.count
        await speaking
    return np.concatenate(rows), connections - 1


async def main(url: str, clip: str, streams: int, out: Path) -> None:
    pcm = np.fromfile(clip, dtype="<i2")
    for i, (heard, resumed) in enumerate(
        await asyncio.gather(*(say(url, pcm) for _ in range(streams)))
    ):
        heard.astype("<f4").tofile(out / f"{i}.f32")
        print(json.dumps({"resumed": resumed}))


if __name__ == "__main__":
    logging.getLogger("cpc_stream").setLevel(logging.ERROR)  # it warns of every drain
    asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3]), Path(sys.argv[4])))
