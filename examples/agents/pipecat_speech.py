"""A pipecat pipeline that prints when somebody speaks: python pipecat_speech.py FILE.wav [URL]"""

import asyncio
import sys
import wave

from cpc_stream.pipecat import HeadEventFrame, HeadsProcessor
from pipecat.frames.frames import EndFrame, InputAudioRawFrame
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineWorker
from pipecat.processors.frame_processor import FrameProcessor
from pipecat.workers.runner import WorkerRunner


class Printer(FrameProcessor):
    async def process_frame(self, frame, direction):
        await super().process_frame(frame, direction)
        if isinstance(frame, HeadEventFrame):
            print(f"{frame.event.time:.2f}\t{frame.event.event} {frame.event.state}")
        await self.push_frame(frame, direction)


async def play(path, worker):  # stands for a transport
    with wave.open(path) as file:
        rate, channels = file.getframerate(), file.getnchannels()
        while audio := file.readframes(rate // 50):
            await worker.queue_frame(InputAudioRawFrame(audio, rate, channels))
            await asyncio.sleep(0.02)
    await worker.queue_frame(EndFrame())


async def main(path, url="http://127.0.0.1:8000"):
    worker = PipelineWorker(Pipeline([HeadsProcessor(url), Printer()]))
    runner = WorkerRunner()
    await runner.add_workers(worker)
    await asyncio.gather(runner.run(), play(path, worker))


asyncio.run(main(*sys.argv[1:]))
