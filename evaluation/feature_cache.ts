/**
 * Keeps features between runs, so that unchanged ones are not computed again: one file per
 * extractor and set of recordings.
 */
import { dirname, join } from "node:path";
import { z } from "zod";
import { hashOf } from "../model/seeded.ts";
import { bytesOf, jsonOf, textOf } from "../training/files.ts";
import { type Clip, type Extractor, type Features, type Heard, keyOf } from "./listen.ts";

const size = z.int().min(0);
/** Sizes for one recording and one system: D, floats of `parts`, frames. */
const sizesSchema = z.tuple([size, size, size]);

/**
 * Where the features of an extractor are kept. @param corpus its key; other recordings have another
 */
export function cacheFile(
  folder: string,
  { key }: Pick<Extractor, "key">,
  { clips, corpus }: { clips: readonly Clip[]; corpus: string },
): string {
  const facts = clips.flatMap((
    { segment, parts, frames },
  ) => [keyOf(segment), Number(parts), Number(frames)]);
  const name = [hashOf(key, corpus, ...facts), hashOf("again", key, corpus, ...facts)].map((x) =>
    x.toString(16).padStart(8, "0")
  )
    .join("");
  return join(folder, `features-${name}`);
}

/** Features from a file; undefined when there is none, or none that is whole. */
export async function readFeatures(
  file: string,
  { systems, clips }: { systems: readonly string[]; clips: readonly Clip[] },
): Promise<Features | undefined> {
  const read = z.array(sizesSchema).length(systems.length * clips.length)
    .safeParse(jsonOf(await textOf(`${file}.json`) ?? ""));
  if (!read.success) return undefined;
  const floats = read.data.reduce((sum, [width, parts, frames]) => {
    return sum + width + parts + frames * width;
  }, 0);
  const bytes = await bytesOf(`${file}.f32`);
  if (bytes?.length !== floats * Float32Array.BYTES_PER_ELEMENT) return undefined;
  const data = new Float32Array(bytes.buffer);
  let at = 0;
  const take = (length: number) => data.subarray(at, at += length);
  const sizes = read.data.values();
  return new Map(systems.map((system) => [
    system,
    new Map(clips.map(({ segment }) => {
      const [width, parts, frames] = sizes.next().value!; // there are as many
      const heard: Heard = {
        mean: take(width),
        parts: parts > 0 ? take(parts) : undefined,
        frames: frames > 0 ? { frames, width, data: take(frames * width) } : undefined,
      };
      return [keyOf(segment), heard];
    })),
  ]));
}

/** Keeps features. The sizes are written last, so a file that was cut short has none. */
export async function writeFeatures(
  file: string,
  features: Features,
  clips: readonly Clip[],
): Promise<void> {
  await Deno.mkdir(dirname(file), { recursive: true });
  const sizes: z.infer<typeof sizesSchema>[] = [];
  using out = await Deno.open(`${file}.f32`, { write: true, create: true, truncate: true });
  for (const hearing of features.values()) {
    for (const { segment } of clips) {
      const { mean, parts, frames } = hearing.get(keyOf(segment)) as Heard;
      sizes.push([mean.length, parts?.length ?? 0, frames?.frames ?? 0]);
      for (const floats of [mean, parts, frames?.data]) if (floats) await writeAll(out, floats);
    }
  }
  await Deno.writeTextFile(`${file}.json`, JSON.stringify(sizes));
}

async function writeAll(file: Deno.FsFile, floats: Float32Array): Promise<void> {
  let bytes = new Uint8Array(floats.buffer, floats.byteOffset, floats.byteLength);
  while (bytes.length > 0) bytes = bytes.subarray(await file.write(bytes));
}
