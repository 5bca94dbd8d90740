/** What bad neighbours do to a live stream: its latency and its frames, alone and beside them. */
import { joinChunks } from "../audio/rechunk.ts";
import { ready } from "./load.ts";

/** Measurements of a whole live stream. */
export interface LiveStream {
  /**
   * Time from sending the audio that completes a frame to the frame's arrival, for each message of
   * frames.
   */
  readonly latenciesMs: readonly number[];
  /** `[T, C]` */
  readonly context: Float32Array;
}

const CHUNK_MS = 20;
const CHUNK_SAMPLES = 16_000 * CHUNK_MS / 1000;

/** Sends noise for `seconds`, at the pace of speech. */
export async function liveStream(url: string, seconds: number): Promise<LiveStream> {
  const pcm = Int16Array.from(
    { length: 16_000 * seconds },
    (_, i) => (Math.imul(i + 1, 0x9e3779b1) >> 16) / 4,
  );
  const socket = await ready(url, "format=binary");
  const latenciesMs: number[] = [];
  const blocks: Float32Array[] = [];
  const started = performance.now();
  const { promise: done, resolve, reject } = Promise.withResolvers<void>();
  socket.on("message", (data: Uint8Array, isBinary: boolean) => {
    const nowMs = performance.now();
    if (!isBinary) {
      const message = JSON.parse(new TextDecoder().decode(data));
      if (message.type === "error") reject(new Error(message.message));
      return;
    }
    const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
    const last = view.getUint32(4, true) + view.getUint32(8, true) - 1;
    blocks.push(new Float32Array(Uint8Array.from(data.subarray(16)).buffer));
    // the message that completed the frame
    const chunk = Math.floor((last * 160 + 311) / CHUNK_SAMPLES);
    // the tail arrives after `finish`
    if (chunk < sentMs.length) latenciesMs.push(nowMs - sentMs[chunk]);
  });
  socket.on(
    "close",
    (code: number) => code === 1000 ? resolve() : reject(new Error(`closed with ${code}`)),
  );
  const sentMs: number[] = [];
  const chunks = Math.ceil(pcm.length / CHUNK_SAMPLES);
  for (let i = 0; i < chunks; i++) {
    const waitMs = started + i * CHUNK_MS - performance.now();
    if (waitMs > 0) await new Promise((resolve) => setTimeout(resolve, waitMs));
    sentMs.push(performance.now());
    socket.send(new Uint8Array(pcm.slice(i * CHUNK_SAMPLES, (i + 1) * CHUNK_SAMPLES).buffer));
  }
  socket.send(JSON.stringify({ type: "finish" }));
  await done;
  return { latenciesMs, context: joinChunks(blocks) };
}

/** Runs `task` beside a flooding sender and a client that never reads. */
export async function besideBadClients<T>(url: string, run: () => Promise<T>): Promise<T> {
  const worker = new Worker(new URL("./bad_clients.ts", import.meta.url), { type: "module" });
  try {
    await new Promise<void>((resolve, reject) => {
      worker.onmessage = () => resolve();
      worker.onerror = (event) => reject(new Error(event.message));
      worker.postMessage(url);
    });
    return await run();
  } finally {
    worker.terminate();
  }
}
