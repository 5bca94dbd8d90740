/** Recordings of every kind, as the decoding workers read them. */
import { decodeStream, measureStream } from "../../../audio/decode_stream.ts";
import { CpcError } from "../../../errors.ts";
import { below } from "../../../model/seeded.ts";
import { fixture } from "../../../tests/audio/files.ts";
import { wav } from "../../../tests/support/server.ts";
import { base64 } from "../base64.ts";
import { mutated, type Random } from "../mutation.ts";
import { target, WORKER_STALL_MS } from "../target.ts";

const MOST_SHOWN = 3000;
/** Bytes of a seed: enough for its header and some frames. */
const SEED_BYTES = 4096;
const MAX_SECONDS = 60;
const FILES = [
  "speech.flac",
  "left_24bit.flac",
  "flac.ogg",
  "mono.opus",
  "stereo.opus",
  "vorbis.ogg",
  "stereo.mp3",
  "no_info.mp3",
];

interface Recording {
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Where it is cut into the pieces that arrive. */
  readonly pieceBytes: number;
  readonly measured: boolean;
}

/** Recordings, decoded and measured; both must agree. */
export const audio = target<Recording>({
  about: "recordings of every kind, decoded and measured",
  share: 0.02,
  stallMs: WORKER_STALL_MS,
  open() {
    const whole = FILES.map(fixture);
    const seeds = whole.map((bytes) => bytes.subarray(0, SEED_BYTES));
    const tone = Array.from({ length: 400 }, (_, i) => Math.sin(i / 9) / 2);
    for (const bits of [8, 16, 24, 32] as const) seeds.push(wav(tone, { bits }));
    seeds.push(wav(tone, { bits: 32, tag: 3, extensible: true, channels: 2 }));
    // the decoders print what they report anyway
    console.error = () => {};
    const file = (random: Random) => {
      const kind = below(seeds.length, random);
      // mostly of its own kind, so that a header rarely meets another one's frames
      return mutated(random() < 0.9 ? [seeds[kind]] : seeds, random);
    };
    return {
      draw: (random) => ({
        bytes: random() < 0.02 ? mutated(whole, random) : file(random),
        pieceBytes: 1 + below(SEED_BYTES, random),
        measured: random() < 0.3,
      }),
      async feed({ bytes, pieceBytes, measured }) {
        const bound = { maxSeconds: MAX_SECONDS };
        try {
          if (measured) await measureStream(pieces(bytes, pieceBytes), bound);
          for await (const chunk of decodeStream(pieces(bytes, pieceBytes), bound)) {
            if (chunk.some(Number.isNaN)) throw new Error("NaN among the samples");
          }
        } catch (error) {
          // decode_worker.ts says the same of what a decoder throws
          if (error instanceof CpcError || !isDecoders(error)) throw error;
          throw new CpcError("invalid_audio", "a decoder gave up", { cause: error });
        }
      },
      show: ({ bytes, pieceBytes, measured }) =>
        `${
          base64(bytes.subarray(0, MOST_SHOWN))
        } (${bytes.length} bytes, ${pieceBytes} at a time, measured: ${measured})`,
    };
  },
});

/** Whether an error comes from inside a decoder's package. */
function isDecoders(error: unknown): boolean {
  return error instanceof Error && /wasm|decoder/i.test(error.stack?.split("\n")[1] ?? "");
}

async function* pieces(bytes: Uint8Array, length: number): AsyncGenerator<Uint8Array> {
  // deno-lint-ignore no-await-in-loop -- as they arrive
  for (let at = 0; at < bytes.length; at += length) yield await bytes.slice(at, at + length);
}
