/**
 * The golden tensors that tests/reference/make_golden.py wrote, and the weights folders and
 * recordings they belong to.
 */
import { unzipSync } from "fflate";
import { z } from "zod";
import { loadWeights, type Weights } from "../model/weights.ts";

const ROOT = new URL("../", import.meta.url);
const GOLDEN = new URL("tests/fixtures/golden/", ROOT);

const featureCase = z.object({
  name: z.string(),
  model: z.string(),
  wav: z.string(),
  start: z.int(),
  samples: z.int(),
  frames: z.int(),
  file: z.string(),
});
/** A case of golden features. */
export type FeatureCase = z.infer<typeof featureCase>;

/** An array of an npz file. */
export interface NpyArray {
  readonly shape: number[];
  readonly data: Float32Array | Float64Array | Int32Array | BigInt64Array;
}

/** Every case of golden features. */
export function featureCases(): FeatureCase[] {
  const index = JSON.parse(Deno.readTextFileSync(new URL("index.json", GOLDEN)));
  return z.object({ features: z.array(featureCase).min(1) }).parse(index).features;
}

/** The arrays of a golden file. */
export function readGolden(file: string): Map<string, NpyArray> {
  const members = Object.entries(unzipSync(Deno.readFileSync(new URL(file, GOLDEN))));
  return new Map(members.map(([name, bytes]) => [name.replace(/\.npy$/, ""), readNpy(bytes)]));
}

/** The weights folder of a case, by its path from the root. */
export function caseWeights(model: string): Promise<Weights> {
  return loadWeights(new URL(model, ROOT).pathname);
}

/** Samples of a recorded fixture: 16 kHz mono 16-bit WAV with a 44-byte header. */
export function fixtureSamples(
  wav: string,
  { start = 0, samples }: { start?: number; samples?: number } = {},
): Float32Array<ArrayBuffer> {
  const pcm = new Int16Array(fixturePcm(wav).buffer);
  return Float32Array.from(
    pcm.subarray(start, samples === undefined ? undefined : start + samples),
    (x) => x / 32768,
  );
}

/** The same as bytes, s16le. */
export function fixturePcm(wav: string): Uint8Array<ArrayBuffer> {
  return Deno.readFileSync(new URL(`tests/fixtures/speech/${wav}`, ROOT)).slice(44);
}

/** Reads a NumPy file: `<f4`, `<f8`, `<i4` or `<i8`. */
export function readNpy(bytes: Uint8Array): NpyArray {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const headerBytes = view.getUint16(8, true);
  const header = new TextDecoder("latin1").decode(bytes.subarray(10, 10 + headerBytes));
  const type = /'descr': '([^']+)'/.exec(header)?.[1];
  const shape = (/'shape': \(([^)]*)\)/.exec(header)?.[1] ?? "").split(",").filter((s) => s.trim())
    .map(Number);
  const data = bytes.slice(10 + headerBytes).buffer;
  if (type === "<f4") return { shape, data: new Float32Array(data) };
  if (type === "<f8") return { shape, data: new Float64Array(data) };
  if (type === "<i4") return { shape, data: new Int32Array(data) };
  if (type === "<i8") return { shape, data: new BigInt64Array(data) };
  throw new TypeError(`unexpected npy type ${type}`);
}

/** Indices as plain numbers. */
export function indices(array: NpyArray | undefined): number[] {
  return Array.from(array?.data ?? [], Number);
}

/** √(Σ(a − b)² / Σb²) */
export function relativeDifference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  if (a.length !== b.length) throw new RangeError(`lengths ${a.length} and ${b.length} differ`);
  let [difference, size] = [0, 0];
  for (let i = 0; i < b.length; i++) {
    difference += (a[i] - b[i]) ** 2;
    size += b[i] ** 2;
  }
  return Math.sqrt(difference / size);
}

/** The largest absolute difference; a NaN anywhere counts as infinite. */
export function maxDifference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  if (a.length !== b.length) throw new RangeError(`lengths ${a.length} and ${b.length} differ`);
  let max = 0;
  for (let i = 0; i < a.length; i++) {
    const difference = Math.abs(a[i] - b[i]);
    if (!(difference <= max)) max = Number.isNaN(difference) ? Infinity : difference;
  }
  return max;
}

/** Elements of `[rows, width]`: the given columns of the given rows, by default all of them. */
export function pick(
  data: ArrayLike<number>,
  { width, rows, columns }: { width: number; rows?: number[]; columns?: number[] },
): number[] {
  const picked: number[] = [];
  const total = data.length / width;
  for (const r of rows ?? Array.from({ length: total }, (_, i) => i)) {
    for (const c of columns ?? Array.from({ length: width }, (_, i) => i)) {
      picked.push(data[r * width + c]);
    }
  }
  return picked;
}
