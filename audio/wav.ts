/**
 * RIFF/WAVE, and RF64 for files beyond 4 GB, read as it arrives. Written by hand, because node-wav,
 * the usual package, needs a whole file and fails on float32 and extensible ones.
 */
import { ascii, type ByteReader, viewOf } from "./byte_reader.ts";
import { BYTES_PER_SAMPLE, type SampleEncoding, toInterleaved, toMono } from "./pcm.ts";
import { corrupt, type OpenedAudio, type Split, truncated, unsupported } from "./source.ts";

const SLICE_BYTES = 64 * 1024;
const MAX_FMT_BYTES = 64 * 1024;
const EXTENSIBLE = 0xfffe;
/** Integer samples, by their bytes. */
const PCM_ENCODINGS = ["u8", "s16le", "s24le", "s32le"] as const;
/**
 * Sizes that mean an unknown length, as written into a pipe: 0 or all ones by most programs, 2³¹ −
 * 4096 by sox, about 2³¹ by arecord. The data then continues to the end of the file.
 */
const UNKNOWN_SIZES: ReadonlySet<number> = new Set([
  0,
  0xffffffff,
  0x7ffff000,
  0x7fffffff,
  0x80000000,
]);

interface Format {
  readonly encoding: SampleEncoding;
  readonly channels: number;
  readonly sampleRate: number;
}

/** Whether a file with these first 12 bytes is a WAV file. */
export function isWav(head: Uint8Array): boolean {
  return ["RIFF", "RF64", "BW64"].includes(ascii(head)) && ascii(head, 8) === "WAVE";
}

/**
 * Reads the header of a WAV file: PCM of 8 to 32 bits, float of 32 and 64, µ-law, A-law, any number
 * of channels, chunks in any order before the data.
 *
 * @throws {CpcError} `invalid_audio`, `unsupported_audio`, also while its chunks are read
 */
export async function openWav(reader: ByteReader, { split }: Split): Promise<OpenedAudio> {
  await reader.read(12);
  let format: Format | undefined;
  let longDataBytes: number | undefined; // of an RF64 file
  for (;;) {
    const head = await reader.read(8);
    if (head.length < 8) {
      throw truncated("wav", format ? "before its data chunk" : "before its fmt chunk");
    }
    const id = ascii(head);
    const bytes = viewOf(head).getUint32(4, true);
    if (id === "data") {
      if (!format) throw corrupt("wav", "its data comes before any fmt chunk");
      const claimed = bytes === 0xffffffff ? longDataBytes ?? bytes : bytes;
      const dataBytes = UNKNOWN_SIZES.has(claimed) ? undefined : claimed;
      return wavAudio(reader, { format, dataBytes, split });
    }
    const padded = bytes + (bytes & 1);
    if (id === "fmt ") {
      if (bytes > MAX_FMT_BYTES) throw corrupt("wav", `its fmt chunk claims ${bytes} bytes`);
      const body = await reader.read(padded);
      if (body.length < bytes) throw truncated("wav", "in its fmt chunk");
      format = parseFormat(body.subarray(0, bytes));
    } else if (id === "ds64" && bytes >= 28 && bytes <= MAX_FMT_BYTES) {
      const body = await reader.read(padded);
      if (body.length < bytes) throw truncated("wav", "in its ds64 chunk");
      longDataBytes = Number(BigInt.asIntN(64, viewOf(body).getBigUint64(8, true)));
      if (longDataBytes <= 0) longDataBytes = undefined;
    } else if (!await reader.skip(padded)) {
      throw truncated("wav", `in its ${JSON.stringify(id)} chunk`);
    }
  }
}

/** The body of a fmt chunk. */
function parseFormat(body: Uint8Array): Format {
  if (body.length < 16) {
    throw corrupt("wav", `its fmt chunk has ${body.length} bytes; it needs at least 16`);
  }
  const view = viewOf(body);
  const channels = view.getUint16(2, true);
  const sampleRate = view.getUint32(4, true);
  const blockBytes = view.getUint16(12, true);
  const bits = view.getUint16(14, true);
  let tag = view.getUint16(0, true);
  if (tag === EXTENSIBLE) {
    if (body.length < 40) {
      throw corrupt("wav", `its extensible fmt chunk has ${body.length} bytes; it needs 40`);
    }
    tag = view.getUint16(24, true);
  }
  if (channels === 0) throw corrupt("wav", "it has zero channels");
  if (sampleRate === 0) throw corrupt("wav", "its sample rate is 0");
  const encoding = encodingOf(tag, bits);
  const expected = channels * BYTES_PER_SAMPLE[encoding];
  if (blockBytes !== expected) {
    throw corrupt(
      "wav",
      `its block align is ${blockBytes}, but ${channels} channels of ${bits} bits take ` +
        `${expected} bytes`,
    );
  }
  return { encoding, channels, sampleRate };
}

function encodingOf(tag: number, bits: number): SampleEncoding {
  const pcm = PCM_ENCODINGS[Math.ceil(bits / 8) - 1];
  if (tag === 1 && pcm) return pcm;
  if (tag === 3 && bits === 32) return "f32le";
  if (tag === 3 && bits === 64) return "f64le";
  if (tag === 6 && bits === 8) return "alaw";
  if (tag === 7 && bits === 8) return "mulaw";
  throw unsupported(
    "wav",
    `format tag ${tag} with ${bits} bits (supported: PCM of 8 to 32, float of 32 or 64, ` +
      "A-law and µ-law of 8)",
  );
}

function wavAudio(
  reader: ByteReader,
  { format, dataBytes, split }: Split & { format: Format; dataBytes: number | undefined },
): OpenedAudio {
  const { encoding, channels, sampleRate } = format;
  const floatsOf = split ? toInterleaved : toMono;
  const frameBytes = channels * BYTES_PER_SAMPLE[encoding];
  const sliceBytes = Math.max(1, Math.floor(SLICE_BYTES / frameBytes)) * frameBytes;
  async function* chunks() {
    let left = dataBytes ?? Infinity;
    for (let firstSample = 0; left > 0;) {
      const slice = await reader.read(Math.min(left, sliceBytes));
      if (slice.length < Math.min(left, sliceBytes)) {
        if (dataBytes !== undefined) {
          throw truncated(
            "wav",
            `${dataBytes - left + slice.length} bytes into the ${dataBytes} its data chunk claims`,
          );
        }
        left = slice.length;
      }
      left -= slice.length;
      // an incomplete sample at the very end is dropped
      const whole = slice.subarray(0, slice.length - slice.length % frameBytes);
      if (whole.length > 0) yield floatsOf(whole, { encoding, channels, firstSample });
      firstSample += whole.length / frameBytes;
    }
  }
  const totalSamples = dataBytes === undefined ? undefined : Math.floor(dataBytes / frameBytes);
  return { info: { kind: "wav", sampleRate, channels, totalSamples }, chunks: chunks() };
}
