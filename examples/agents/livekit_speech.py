"""LiveKit's VAD interface, by a head: python livekit_speech.py FILE.wav [URL]

In an agent it is `AgentSession(vad=VAD(url), stt=…, llm=…, tts=…)`.
"""

import asyncio
import sys
import wave

from cpc_stream.livekit import VAD
from livekit import rtc
from livekit.agents.vad import VADEventType


async def main(path, url="http://127.0.0.1:8000"):
    stream = VAD(url).stream()
    with wave.open(path) as file:  # stands for a room's track
        rate, channels = file.getframerate(), file.getnchannels()
        while audio := file.readframes(rate // 50):
            samples = len(audio) // (2 * channels)
            stream.push_frame(rtc.AudioFrame(audio, rate, channels, samples))
    for _ in range(50):  # a second of silence, in which speech ends
        stream.push_frame(rtc.AudioFrame.create(rate, channels, rate // 50))
    stream.end_input()
    async for event in stream:
        if event.type == VADEventType.START_OF_SPEECH:
            print(f"{event.timestamp - event.speech_duration:.2f}\tspeech start")
        elif event.type == VADEventType.END_OF_SPEECH:
            heard_s = sum(frame.duration for frame in event.frames)
            print(f"{event.timestamp - event.silence_duration:.2f}\tspeech end", end="")
            print(f", with {heard_s:.2f} s of audio")


asyncio.run(main(*sys.argv[1:]))
