/**
 * A worker that decodes several files at once, one chunk at a time, on request.
 *
 * Each job is a conversation: the worker says `need` when it wants bytes of the file, and sends a
 * `chunk` for each `pull`.
 */
/// <reference no-default-lib="true" />
/// <reference lib="deno.worker" />
import { type ErrorCode, toCpcError } from "../errors.ts";
import { decodeStream, measureStream } from "./decode_stream.ts";
import type { LiveOptions } from "./live_opus.ts";
import { loadDecoder } from "./load_decoder.ts";
import type { AudioInfo, AudioSummary, DecodedAmount } from "./source.ts";

/** Messages to a decoding worker. */
export type DecodeRequest =
  /** `split`: decodes every channel instead of mono. */
  | { type: "decode" | "measure"; id: number; maxSeconds: number; split: boolean }
  /** A stream, whose samples leave as soon as its bytes allow. */
  | { type: "stream"; id: number } & LiveOptions
  /** Null: end of the file or stream. */
  | { type: "bytes"; id: number; bytes: Uint8Array<ArrayBuffer> | null }
  | { type: "pull"; id: number }
  | { type: "close"; id: number }
  /** Asks whether the worker still answers. */
  | { type: "ping" };

/** Messages from a decoding worker. */
export type DecodeAnswer =
  | { type: "need"; id: number }
  | { type: "info"; id: number; info: AudioInfo }
  /** While measuring: how much was decoded so far. */
  | { type: "progress"; id: number; decoded: DecodedAmount }
  | { type: "chunk"; id: number; samples: Float32Array<ArrayBuffer> }
  | { type: "done"; id: number; summary?: AudioSummary }
  | { type: "error"; id: number; code: ErrorCode; message: string };

/** What a job waits for, and whether it is still wanted. */
interface Job {
  onBytes?: (bytes: Uint8Array | null) => void;
  onPull?: () => void;
  pulls: number;
  closed: boolean;
}

/** What {@linkcode openAudio} loads on demand. */
const DECODERS = [
  () => import("./flac.ts"),
  () => import("./open_ogg.ts"),
  () => import("./opus.ts"),
  () => import("./vorbis.ts"),
  () => import("./mp3.ts"),
  () => import("./live_opus.ts"),
];
const jobs = new Map<number, Job>();
// Later there may be no file descriptors left to load them. A file that needs one waits for it, and
// says so if it cannot be loaded.
for (const decoder of DECODERS) decoder().catch(() => {});
/** The decoders print what they report anyway. */
console.error = () => {};

self.onmessage = ({ data }: MessageEvent<DecodeRequest>) => {
  if (data.type === "ping") return self.postMessage({ type: "pong" });
  if (data.type === "decode" || data.type === "measure" || data.type === "stream") {
    const job = { pulls: 0, closed: false };
    jobs.set(data.id, job);
    run(job, data);
    return;
  }
  const job = jobs.get(data.id);
  if (!job) return;
  if (data.type === "bytes") return job.onBytes?.(data.bytes);
  if (data.type === "pull") job.pulls++;
  if (data.type === "close") {
    job.closed = true;
    job.onBytes?.(null);
  }
  job.onPull?.();
};

async function run(
  job: Job,
  request: Extract<DecodeRequest, { type: "decode" | "measure" | "stream" }>,
) {
  const { id, split } = request;
  try {
    let summary: AudioSummary | undefined;
    const onInfo = (info: AudioInfo) => answer({ type: "info", id, info });
    if (request.type === "measure") {
      const { maxSeconds } = request;
      let told = 0;
      let last: DecodedAmount | undefined;
      const tell = (decoded: DecodedAmount) => {
        told = decoded.samples;
        answer({ type: "progress", id, decoded });
      };
      summary = await measureStream(bytesOf(job, id), {
        maxSeconds,
        onInfo,
        async onProgress(decoded) {
          last = decoded;
          if (decoded.samples - told >= PROGRESS_SAMPLES) tell(decoded);
          await turn(job);
        },
      });
      if (last) tell(last);
    } else {
      const bytes = bytesOf(job, id);
      const decoded = request.type === "stream"
        ? (await loadDecoder(() => import("./live_opus.ts"))).decodeLive(bytes, request)
        : decodeStream(bytes, { maxSeconds: request.maxSeconds, split, onInfo });
      for await (const samples of decoded) {
        await pulled(job);
        if (job.closed) break;
        answer({ type: "chunk", id, samples }, [samples.buffer]);
      }
    }
    if (!job.closed) answer({ type: "done", id, summary });
  } catch (error) {
    const { code, message } = refusal(error);
    if (!job.closed) answer({ type: "error", id, code, message });
  } finally {
    jobs.delete(id);
  }
}

/** An error thrown by a decoder itself is a fault of the file, unless it asked for memory. */
function refusal(error: unknown): { code: ErrorCode; message: string } {
  const { code, message } = toCpcError(error);
  if (code !== "internal") return { code, message };
  if (error instanceof RangeError && /memory|allocation/i.test(error.message)) {
    return { code: "overloaded", message: "the server has no memory left for a decoder" };
  }
  return {
    code: "invalid_audio",
    message: `the audio cannot be decoded: ${error instanceof Error ? error.message : error}`,
  };
}

async function* bytesOf(job: Job, id: number): AsyncGenerator<Uint8Array> {
  while (!job.closed) {
    const bytes = await new Promise<Uint8Array | null>((resolve) => {
      job.onBytes = resolve;
      answer({ type: "need", id });
    });
    if (bytes === null) return;
    yield bytes;
  }
}

async function pulled(job: Job): Promise<void> {
  while (job.pulls === 0 && !job.closed) await new Promise<void>((resolve) => job.onPull = resolve);
  job.pulls--;
}

/** Samples of all channels between two reports of progress. */
const PROGRESS_SAMPLES = 4 * 1024 * 1024;
/** Most milliseconds of work between two turns of the event loop. */
const TURN_MS = 20;
let lastTurnMs = performance.now();

/** Yields to other jobs now and then, and ends a job that was closed. */
async function turn(job: Job): Promise<void> {
  if (performance.now() - lastTurnMs > TURN_MS) {
    await new Promise((resolve) => setTimeout(resolve));
    lastTurnMs = performance.now();
  }
  if (job.closed) throw new Error("closed");
}

function answer(message: DecodeAnswer, transfer: Transferable[] = []): void {
  self.postMessage(message, transfer);
}
