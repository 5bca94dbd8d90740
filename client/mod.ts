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
import type { Options } from "./options.ts";
import { CpcStream } from "./stream.ts";

export { type Audio, encodeAudio } from "./audio.ts";
export { type BinaryFrame, decodeBinary } from "./binary_frame.ts";
export type { Events, State } from "./events.ts";
export type { Frames } from "./frames.ts";
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
 * @param url the server's address, such as `http://127.0.0.1:8000`
 * @returns once the server is ready for audio
 * @throws {StreamError} if the server refuses or cannot be reached
 */
export async function connect(url: string | URL, options: Options = {}): Promise<CpcStream> {
  const stream = new CpcStream(url, options);
  await stream.open();
  return stream;
}
