/**
 * Client of cpc-stream for browsers, Deno and Node, without dependencies; a server offers it at
 * `/client.js`. Send audio and iterate frames. After a lost connection it resumes, and no frame is
 * lost or doubled. `docs/client.md` explains it.
 *
 * @example
 * ```ts ignore
 * const stream = await connect("http://127.0.0.1:8000", { sampleRate: 48_000, encoding: "f32le" });
 * microphone.onsamples = (samples) => stream.send(samples); // Float32Array
 * for await (const { first, context } of stream) console.log(first, context.length, "vectors");
 * ```
 */
import { connectHere, type LocalOptions, type LocalStream } from "./local.ts";
import type { Options } from "./options.ts";
import { CpcStream } from "./stream.ts";

export { type Audio, encodeAudio } from "./audio.ts";
export { type BinaryFrame, decodeBinary } from "./binary_frame.ts";
export type { LocalDevice, StreamState } from "./engine_messages.ts";
export type { Events, State } from "./events.ts";
export type { Frames } from "./frames.ts";
export { type LocalOptions, LocalStream } from "./local.ts";
export type { Options } from "./options.ts";
export type {
  Done,
  Encoding,
  HeadEvent,
  HeadMessage,
  Marked,
  Output,
  Ready,
  Score,
  Selection,
  Warning,
} from "./protocol.ts";
export type { SocketConstructor, SocketLike } from "./socket.ts";
export { CpcStream } from "./stream.ts";
export { StreamError, type StreamErrorDetails } from "./stream_error.ts";

/**
 * Opens a stream.
 *
 * @param url the server's address, such as `http://127.0.0.1:8000`; or the options of a stream that
 *   this browser computes, with the address of its `model`
 * @returns once the server, or the model, is ready for audio
 * @throws {StreamError} if the server refuses or cannot be reached; if the model cannot be loaded
 */
export async function connect(url: string | URL, options?: Options): Promise<CpcStream>;
export async function connect(options: LocalOptions): Promise<LocalStream>;
export async function connect(
  where: string | URL | LocalOptions,
  options: Options = {},
): Promise<CpcStream> {
  if (typeof where === "object" && "model" in where) return await connectHere(where);
  const stream = new CpcStream(where, options);
  await stream.open();
  return stream;
}
