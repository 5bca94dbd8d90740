/** Live streams of each client: ours in TypeScript, ours in Python, and a bare WebSocket. */
import { setTimeout as wait } from "node:timers/promises";
import { connect } from "../../client/mod.ts";
import { MODEL_SAMPLE_RATE } from "../../model/architecture.ts";
import { type Clip, differenceFrom } from "../clips.ts";
import { sayClip } from "../live_client.ts";

/** What came of a stream. */
export interface Said {
  /** The largest difference from an unbroken stream; Infinity where frames are missing. */
  readonly difference: number;
  /** Times that it was resumed. */
  readonly resumed: number;
}

/** Says a clip on so many streams at once. */
export type Clients = (
  clip: Clip,
  { url, streams }: { url: string; streams: number },
) => Promise<Said[]>;

const CHUNK_SAMPLES = MODEL_SAMPLE_RATE / 50;
/** How long a bare WebSocket tries to connect again. */
const PATIENCE_MS = 20_000;

/** The bare WebSocket of this package's proofs. */
export const bare: Clients = (clip, { url, streams }) =>
  Promise.all(Array.from({ length: streams }, async () => {
    const { difference, resumed } = await sayClip(clip, {
      url: () => url,
      patienceMs: PATIENCE_MS,
    });
    return { difference, resumed };
  }));

/** The client in `client/`. */
export const typescript: Clients = (clip, { url, streams }) =>
  Promise.all(Array.from({ length: streams }, () => sayWithClient(clip, url)));

async function sayWithClient(clip: Clip, url: string): Promise<Said> {
  const stream = await connect(url, { encoding: "s16le" });
  let resumed = 0;
  stream.on("state", ({ state }) => {
    if (state === "open") resumed++; // the first time was before
  });
  const heard: number[] = [];
  const hearing = (async () => {
    let frames = 0;
    for await (const { first, count, context = [] } of stream) {
      if (first !== frames) throw new Error(`frame ${first} came where ${frames} was due`);
      frames += count;
      for (const row of context) heard.push(...row);
    }
  })();
  const startedMs = performance.now();
  const samples = clip.bytes.length / 2;
  for (let at = 0; at < samples; at += CHUNK_SAMPLES) {
    await wait(Math.max(0, startedMs + at / MODEL_SAMPLE_RATE * 1000 - performance.now()));
    await stream.send(clip.bytes.subarray(2 * at, 2 * Math.min(samples, at + CHUNK_SAMPLES)));
  }
  await Promise.all([stream.finish(), hearing]);
  return { difference: differenceFrom(clip, heard), resumed };
}

/** The client in `python/`. @param program a Python that has it */
export function python(program: string): Clients {
  return async (clip, { url, streams }) => {
    const folder = await Deno.makeTempDir();
    try {
      await Deno.writeFile(`${folder}/clip`, clip.bytes);
      const script = new URL("./python_streams.py", import.meta.url).pathname;
      const { success, stdout } = await new Deno.Command(program, {
        args: [script, url, `${folder}/clip`, String(streams), folder],
        stderr: "inherit",
      }).output();
      if (!success) throw new Error("the Python client failed");
      const told = new TextDecoder().decode(stdout).trim().split("\n");
      return await Promise.all(told.map(async (line, i) => ({
        difference: differenceFrom(
          clip,
          new Float32Array((await Deno.readFile(`${folder}/${i}.f32`)).buffer),
        ),
        resumed: (JSON.parse(line) as { resumed: number }).resumed,
      })));
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  };
}
