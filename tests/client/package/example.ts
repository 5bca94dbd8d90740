/// <reference lib="dom" />
// What an application in TypeScript writes against the installed package; .ci/run checks its types.
import {
  connect,
  type Frames,
  type LocalOptions,
  StreamError,
  type StreamState,
} from "@cpc-stream/client";
import { openMicrophone } from "@cpc-stream/client/browser";
import WebSocket from "ws";

/** Streams the microphone, and logs how surprising the sound is. */
export async function logSurprise(url: string): Promise<number> {
  const microphone = await openMicrophone();
  const { sampleRate } = microphone;
  try {
    const stream = await connect(url, { sampleRate, output: ["context", "score"], WebSocket });
    stream.on("warning", ({ code, message }) => console.log(code, message));
    await microphone.run((samples) => stream.send(samples), () => void stream.finish());
    for await (const frames of stream) log(frames);
    return stream.ready.dims.context;
  } catch (error) {
    if (error instanceof StreamError && error.retryable) return await logSurprise(url);
    throw error;
  }
}

function log({ first, context = [], score = [] }: Frames): void {
  score.forEach((row, i) => console.log(first + i, context[i]?.length, row?.surprise.toFixed(2)));
}

/** The same without a server: one option says where to compute. */
export async function inThisBrowser(
  options: LocalOptions,
  audio: Float32Array,
): Promise<StreamState> {
  const stream = await connect({ ...options, output: ["context", "head.speech"] });
  stream.on("event", ({ event, state }) => console.log(event, state));
  await stream.send(audio);
  return await stream.save();
}
