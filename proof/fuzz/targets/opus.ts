/** Streams of Opus as recorders and applications send them, cut anywhere. */
import { decodeLive, type LiveOptions } from "../../../audio/live_opus.ts";
import type { OpusEncoding } from "../../../audio/stream_encodings.ts";
import { below } from "../../../model/seeded.ts";
import { fixture, opusPackets } from "../../../tests/audio/files.ts";
import { base64 } from "../base64.ts";
import { mutated, type Random } from "../mutation.ts";
import { target, WORKER_STALL_MS } from "../target.ts";

/** Bytes of a seed: its heads and some packets. */
const SEED_BYTES = 3000;
const FILES: readonly { file: string; encoding: OpusEncoding }[] = [
  { file: "live.webm", encoding: "webm-opus" }, // as MediaRecorder gives it: of unknown length
  { file: "mono.webm", encoding: "webm-opus" },
  { file: "stereo.webm", encoding: "webm-opus" },
  { file: "stereo.opus", encoding: "ogg-opus" },
];

interface Recorded {
  readonly options: LiveOptions;
  readonly messages: readonly Uint8Array[];
}

/** What a stream's decoder takes: containers in pieces, and bare packets. */
export const opus = target<Recorded>({
  about: "streams of webm-opus, ogg-opus and opus, cut anywhere",
  share: 0.01,
  stallMs: WORKER_STALL_MS,
  async open() {
    const seeds = FILES.map(({ file }) => fixture(file).subarray(0, SEED_BYTES));
    const packets = (await opusPackets("stereo.opus")).slice(0, 8);
    // the decoder prints what it reports anyway
    console.error = () => {};
    const container = (random: Random): Recorded => {
      const nth = below(FILES.length, random);
      const bytes = mutated(random() < 0.9 ? [seeds[nth]] : seeds, random);
      const pieceBytes = 1 + below(SEED_BYTES, random);
      const messages = Array.from(
        { length: Math.ceil(bytes.length / pieceBytes) },
        (_, i) => bytes.slice(i * pieceBytes, (i + 1) * pieceBytes),
      );
      return { messages, options: optionsOf(FILES[nth].encoding, random) };
    };
    return {
      draw: (random) =>
        random() < 0.7 ? container(random) : {
          messages: packets.map((packet) => random() < 0.3 ? mutated([packet], random) : packet),
          options: optionsOf("opus", random),
        },
      async feed({ messages, options }) {
        for await (const samples of decodeLive(each(messages), options)) {
          if (samples.some(Number.isNaN)) throw new Error("NaN among the samples");
        }
      },
      show: ({ messages, options }) =>
        JSON.stringify({ ...options, messages: messages.map((message) => base64(message)) }),
    };
  },
});

function optionsOf(encoding: OpusEncoding, random: Random): LiveOptions {
  const split = random() < 0.3;
  const channels = split ? 2 : 1 + below(2, random);
  return {
    encoding,
    channels,
    split,
    ...(!split && channels === 2 && { channel: below(2, random) }),
  };
}

async function* each(messages: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* messages;
}
