"""Stands for the telephone company: sends a 16 kHz WAV file as the envelopes of a call.

python call.py FILE.wav ws://127.0.0.1:8765
"""

import base64
import json
import sys
import wave

import numpy as np
from websockets.exceptions import ConnectionClosedOK
from websockets.sync.client import connect


def mulaw(samples):
    """16-bit samples as bytes (ITU-T G.711): sign, exponent and mantissa, inverted."""
    loud = np.minimum(np.abs(samples.astype(np.int32)), 32635) + 132
    exponent = np.floor(np.log2(loud)).astype(np.int32) - 7
    mantissa = (loud >> (exponent + 3)) & 15
    sign = np.where(samples < 0, 128, 0)
    return (255 - (sign | exponent << 4 | mantissa)).astype(np.uint8)


def main(path, url):
    with wave.open(path) as file:
        samples = np.frombuffer(file.readframes(file.getnframes()), "<i2")
    samples = samples[: len(samples) // 2 * 2].reshape(-1, 2).mean(axis=1)  # 8 kHz, roughly
    audio = mulaw(samples).tobytes()
    form = {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1}
    with connect(url) as call:

        def say(event, **more):
            call.send(json.dumps({"event": event, "streamSid": "MZ1", **more}))

        say("connected", protocol="Call", version="1.0.0")
        say("start", start={"streamSid": "MZ1", "tracks": ["inbound"], "mediaFormat": form})
        for at in range(0, len(audio), 160):
            payload = base64.b64encode(audio[at : at + 160]).decode()
            say("media", media={"track": "inbound", "timestamp": str(at // 8), "payload": payload})
        say("stop", stop={})
        try:
            call.recv()  # the bridge closes when it has told all
        except ConnectionClosedOK:
            return


if __name__ == "__main__":
    main(*sys.argv[1:])
