/**
 * A data set decoded: mono at 16 kHz, 16 bits a sample, in memory, and in a cache for the next run.
 */
import { join, resolve } from "node:path";
import { z } from "zod";
import { decodeStream } from "../audio/decode_stream.ts";
import { CpcError } from "../errors.ts";
import { hashOf } from "../model/seeded.ts";
import { bytesOf, jsonOf, textOf } from "./files.ts";
import type { DataSet, Segment, Split } from "./manifest.ts";

/** Sample values per unit of amplitude. */
const FULL_SCALE = 32_768;

/**
 * A part of a recording that windows may be cut from: segments of one speaker in a row, and what
 * lies between them.
 */
export interface Span extends Pick<Segment, "path" | "speaker" | "source" | "split"> {
  /** Samples at 16 kHz, exclusive of `to`. */
  readonly from: number;
  readonly to: number;
}

/** Decoded recordings and what is cut out of them. */
export class Corpus {
  /** In the order of the data set. */
  readonly segments: readonly Segment[];
  /** In the order of their recordings. */
  readonly spans: readonly Span[];
  /** Changes when a recording does; known of a corpus with a cache. */
  readonly key?: string;
  readonly #samples: Int16Array;
  readonly #places: ReadonlyMap<string, { readonly offset: number; readonly length: number }>;

  /**
   * @param decoded the recordings behind each other, in the order of the segments' paths; `lengths`
   *   of each
   * @param options `all`: segments of these recordings that are left out, too: no span reaches into
   *   them
   */
  constructor(
    segments: readonly Segment[],
    decoded: { samples: Int16Array; lengths: readonly number[] },
    { all = segments, key }: { all?: readonly Segment[]; key?: string } = {},
  ) {
    const byPath = Map.groupBy(segments, ({ path }) => path);
    let offset = 0;
    const places = new Map<string, { offset: number; length: number }>();
    const splits = new Set(segments.map(({ split }) => split));
    const rows = Map.groupBy(all, ({ path }) => path);
    this.spans = [...byPath].flatMap(([path, segments], i) => {
      const length = decoded.lengths[i];
      const last = segments.find(({ startSample, samples }) => startSample + samples > length);
      if (last) {
        const { startSample, samples } = last;
        throw new CpcError(
          "invalid_audio",
          `a segment of ${path} ends at sample ${
            startSample + samples
          }, the recording has ${length}`,
        );
      }
      places.set(path, { offset, length });
      offset += length;
      return spansOf(rows.get(path) ?? [], length).filter(({ split }) => splits.has(split));
    });
    this.key = key;
    this.segments = segments;
    this.#samples = decoded.samples;
    this.#places = places;
  }

  /** The samples of a segment, 1 = full scale. */
  samples({ path, startSample, samples }: Segment): Float32Array<ArrayBuffer> {
    return this.read(path, {
      from: startSample,
      to: samples > 0 ? startSample + samples : this.#place(path).length,
    });
  }

  /**
   * Samples `from … to` (exclusive) of a recording, 1 = full scale. @throws {RangeError} for a path
   * that is not in the corpus
   */
  read(path: string, { from, to }: { from: number; to: number }): Float32Array<ArrayBuffer> {
    const { offset } = this.#place(path);
    // many times as fast as a function called for each sample, and training waits for it
    const samples = new Float32Array(this.#samples.subarray(offset + from, offset + to));
    for (let i = 0; i < samples.length; i++) samples[i] /= FULL_SCALE;
    return samples;
  }

  /**
   * Root mean square of a span, 1 = full scale. @throws {RangeError} for a path that is not in the
   * corpus
   */
  rms({ path, from, to }: Span): number {
    const { offset } = this.#place(path);
    let sum = 0;
    for (let i = offset + from; i < offset + to; i++) sum += this.#samples[i] * this.#samples[i];
    return Math.sqrt(sum / Math.max(1, to - from)) / FULL_SCALE;
  }

  #place(path: string) {
    const place = this.#places.get(path);
    if (!place) throw new RangeError(`${path} is not in this corpus`);
    return place;
  }
}

/**
 * The spans of one recording: each reaches from its first segment to the end of its last, at most
 * to where another begins.
 */
function spansOf(segments: readonly Segment[], length: number): Span[] {
  const spans: Span[] = [];
  const inOrder = segments.toSorted((a, b) => a.startSample - b.startSample);
  for (const { path, speaker, source, split, startSample, samples } of inOrder) {
    const to = samples > 0 ? startSample + samples : length;
    const last = spans.at(-1);
    if (last && last.speaker === speaker && last.source === source && last.split === split) {
      spans[spans.length - 1] = { ...last, to: Math.max(last.to, to) };
      continue;
    }
    if (last && last.to > startSample) spans[spans.length - 1] = { ...last, to: startSample };
    spans.push({ path, speaker, source, split, from: startSample, to });
  }
  return spans.filter(({ from, to }) => to > from);
}

/** How a corpus is opened. */
export interface CorpusOptions {
  /** Default all. */
  readonly splits?: readonly Split[];
  /** A folder to keep the decoded recordings in; without it each run decodes them. */
  readonly cache?: string;
  /** Told after each recording that was decoded. */
  readonly onProgress?: (done: number, total: number) => void;
}

/**
 * Decodes the recordings of a data set, or takes them from the cache.
 *
 * @throws {CpcError} `invalid_audio` and so on, naming the recording at fault
 */
export async function openCorpus(
  { root, segments }: DataSet,
  { splits, cache, onProgress }: CorpusOptions = {},
): Promise<Corpus> {
  const chosen = splits ? segments.filter(({ split }) => splits.includes(split)) : segments;
  const paths = [...new Set(chosen.map(({ path }) => path))];
  const key = cache ? await keyOf(root, paths) : undefined;
  const cached = cache && join(cache, `corpus-${key}`);
  const decoded = cached ? await readCache(cached) : undefined;
  if (decoded) return new Corpus(chosen, decoded, { all: segments, key });
  const fresh = await decodeAll(root, paths, onProgress);
  if (cache && cached) await writeCache(cache, cached, fresh);
  return new Corpus(chosen, fresh, { all: segments, key });
}

const lengthsSchema = z.array(z.int().min(0));

interface Decoded {
  readonly samples: Int16Array<ArrayBuffer>;
  readonly lengths: readonly number[];
}

async function decodeAll(
  root: string,
  paths: readonly string[],
  onProgress: CorpusOptions["onProgress"],
): Promise<Decoded> {
  const lengths: number[] = [];
  const parts: Int16Array[] = [];
  for (const path of paths) {
    let length = 0;
    try {
      for await (const chunk of decodeStream(fileBytes(resolve(root, path)), {})) {
        parts.push(
          Int16Array.from(
            chunk,
            (x) => Math.max(-FULL_SCALE, Math.min(FULL_SCALE - 1, Math.round(x * FULL_SCALE))),
          ),
        );
        length += chunk.length;
      }
    } catch (error) {
      if (!(error instanceof CpcError || error instanceof Deno.errors.NotFound)) throw error;
      throw new CpcError("invalid_audio", `${path}: ${error.message}`, { cause: error });
    }
    lengths.push(length);
    onProgress?.(lengths.length, paths.length);
  }
  const samples = new Int16Array(lengths.reduce((sum, length) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    samples.set(part, at);
    at += part.length;
  }
  return { samples, lengths };
}

async function* fileBytes(path: string): AsyncGenerator<Uint8Array> {
  yield await Deno.readFile(path);
}

/** Changes when a recording is added, removed, or written again. */
async function keyOf(root: string, paths: readonly string[]): Promise<string> {
  const facts: (string | number)[] = [];
  for (const path of paths) {
    const { size, mtime } = await Deno.stat(resolve(root, path)).catch((error) => {
      throw new CpcError("invalid_audio", `cannot read ${path}: ${(error as Error).message}`);
    });
    facts.push(path, size, mtime?.getTime() ?? 0);
  }
  return [hashOf(...facts), hashOf("again", ...facts)].map((x) => x.toString(16).padStart(8, "0"))
    .join("");
}

/** A cache, if there is one and it is whole. */
async function readCache(file: string): Promise<Decoded | undefined> {
  const lengths = lengthsSchema.safeParse(jsonOf(await textOf(`${file}.json`) ?? ""));
  if (!lengths.success) return undefined;
  const bytes = await bytesOf(`${file}.s16`);
  const samples = lengths.data.reduce((sum, length) => sum + length, 0);
  if (bytes?.length !== samples * Int16Array.BYTES_PER_ELEMENT) return undefined;
  return { samples: new Int16Array(bytes.buffer), lengths: lengths.data };
}

/** The lengths come last: a cache that was cut short has none. */
async function writeCache(
  folder: string,
  file: string,
  { samples, lengths }: Decoded,
): Promise<void> {
  await Deno.mkdir(folder, { recursive: true });
  await Deno.writeFile(`${file}.s16`, new Uint8Array(samples.buffer));
  await Deno.writeTextFile(`${file}.json`, JSON.stringify(lengths));
}
