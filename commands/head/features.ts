/** Features of labelled recordings and their noisy copies, each computed once and kept. */
import { createHash } from "node:crypto";
import { join } from "node:path";
import { CpcError } from "../../errors.ts";
import { hashOf, seeded } from "../../model/seeded.ts";
import { type Augmentation, variationOf, varied } from "../../training/heads/augment.ts";
import type { LabelledRecording } from "../../training/heads/labels.ts";
import { type HeardRecording, rowLabels } from "../../training/heads/rows.ts";
import { writeWhole } from "../embed/folder.ts";
import type { ModelExtractor } from "../eval/extractor.ts";

/** What features are computed with. */
export interface HeadExtractor {
  readonly model: ModelExtractor;
  readonly input: "context" | "latent";
  /** Frames of a row. */
  readonly every: number;
  /** Seconds of a row. */
  readonly rowS: number;
  /** Width of a frame. */
  readonly dims: number;
}

/** What they are computed of. */
export interface HeadAudio {
  readonly recordings: readonly LabelledRecording[];
  /** Mono at 16 kHz. */
  readonly samplesOf: (path: string) => Float32Array<ArrayBuffer>;
  readonly augmentation: Augmentation;
  /** Recordings that babble may be made of. */
  readonly voices: readonly string[];
  readonly seed: number;
}

/**
 * Computes features, or takes them from the cache: a file for each recording and copy, named by the
 * model and the samples themselves.
 *
 * @param options `classes`: index of a label; `onRecording`: called after each
 * @returns the recordings and copies in order, without those too short for a row
 */
export async function hearAll(
  { model, input, every, rowS, dims }: HeadExtractor,
  { recordings, samplesOf, augmentation, voices, seed }: HeadAudio,
  { cache, classes, onRecording }: {
    cache: string;
    classes: ReadonlyMap<string, number>;
    onRecording: (done: number, total: number) => void;
  },
): Promise<HeardRecording[]> {
  await Deno.mkdir(cache, { recursive: true });
  const jobs = recordings.flatMap((recording) =>
    Array.from({ length: augmentation.copies + 1 }, (_, copy) => ({ recording, copy }))
  );
  const heard: (HeardRecording | undefined)[] = Array(jobs.length);
  const queue = jobs.entries();
  let done = 0;
  const work = async () => {
    for (const [i, { recording, copy }] of queue) {
      const samples = copyOf(recording.path, copy);
      const frames = await kept(samples);
      const rows = Math.floor(frames.length / dims / every);
      if (rows > 0) {
        heard[i] = {
          path: recording.path,
          group: recording.speaker || recording.path,
          data: frames.subarray(0, rows * every * dims),
          labels: rowLabels(recording.spans, { rows, rowS, classes }),
          rows,
        };
      }
      onRecording(++done, jobs.length);
    }
  };
  await Promise.all(Array.from({ length: Math.min(model.concurrency, jobs.length) }, work));
  return heard.filter((one) => one !== undefined);

  function copyOf(path: string, copy: number): Float32Array<ArrayBuffer> {
    const samples = samplesOf(path);
    if (copy === 0) return samples;
    const random = seeded(hashOf(seed, "noise", path, copy));
    let next = hashOf(seed, "voice", path, copy) % voices.length;
    return varied(samples, variationOf(augmentation, { seed, path, copy }), {
      random,
      voice: () => {
        if (voices[next % voices.length] === path) next++; // nobody disturbs himself
        return samplesOf(voices[next++ % voices.length]);
      },
    });
  }

  async function kept(samples: Float32Array<ArrayBuffer>): Promise<Float32Array> {
    const name = createHash("sha256").update(model.key).update(input)
      .update(new Uint8Array(samples.buffer, samples.byteOffset, samples.byteLength))
      .digest("hex").slice(0, 32);
    const file = join(cache, `${name}.f32`);
    try {
      return new Float32Array((await Deno.readFile(file)).buffer);
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
    const [context, latent] = await model.embed(samples);
    const { data } = input === "context" ? context : latent;
    await writeWhole(file, new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
    return data;
  }
}

/**
 * Checks that there is something to learn in both parts.
 *
 * @throws {CpcError} `invalid_option` when the rows to learn from lack a label, or no row is held
 *   out
 */
export function checkRows(
  { train, dev }: { train: readonly HeardRecording[]; dev: readonly HeardRecording[] },
  labels: readonly string[],
): void {
  const count = (heard: readonly HeardRecording[], label: number) =>
    heard.reduce((sum, { labels }) => sum + labels.filter((own) => own === label).length, 0);
  const lacking = labels.filter((_, i) => count(train, i) === 0);
  if (lacking.length > 0) {
    throw new CpcError(
      "invalid_option",
      `no row to learn from has the label ${
        lacking.map((label) => JSON.stringify(label)).join(", ")
      }: give longer spans, or recordings of it that are not held out`,
    );
  }
  if (labels.some((_, i) => count(dev, i) > 0)) return;
  throw new CpcError("invalid_option", "no held-out row has a label: hold other recordings out");
}
