"""A bridge for calls as Twilio's Media Streams send them: µ-law at 8 kHz in JSON envelopes.

python bridge.py [--port 8765] [--url URL]
"""

import argparse
import asyncio
import base64
import json

import cpc_stream
from websockets.asyncio.server import serve


async def follow(call, url):
    """One call: envelopes in; what the head `speech` hears goes to standard output."""
    stream = listening = sid = None
    try:
        async for message in call:
            envelope = json.loads(message)
            if envelope["event"] == "start":
                sid, form = envelope["start"]["streamSid"], envelope["start"]["mediaFormat"]
                if form["encoding"] != "audio/x-mulaw":
                    return await call.close(1003, f"unknown encoding {form['encoding']}")
                stream = await cpc_stream.aio.connect(
                    url,
                    encoding="mulaw",
                    sample_rate=form["sampleRate"],
                    channels=form["channels"],
                    output="head.speech",
                )
                listening = asyncio.create_task(tell(stream, sid))
            elif envelope["event"] == "media" and stream and is_caller(envelope["media"]):
                await stream.send(base64.b64decode(envelope["media"]["payload"]))
            elif envelope["event"] == "stop" and stream:
                await stream.finish()
                await listening
                return await call.close()
    finally:
        if stream:
            await stream.close()


def is_caller(media):
    """Of both tracks of a call, `inbound` is what the caller says."""
    return media.get("track", "inbound") == "inbound"


async def tell(stream, sid):
    async for said in stream.events():
        if isinstance(said, cpc_stream.HeadEvent):
            print(f"{sid}\t{said.time:.2f}\t{said.event} {said.state}", flush=True)


async def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--port", type=int, default=8765)
    parser.add_argument("--url", default="http://127.0.0.1:8000")
    options = parser.parse_args()
    async with serve(lambda call: follow(call, options.url), "127.0.0.1", options.port) as server:
        print(f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
