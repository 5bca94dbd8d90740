import assert from "node:assert/strict";
import { parquetMetadata, parquetReadObjects } from "hyparquet";
import { parquetTable } from "../../../commands/embed/parquet.ts";
import type { Embedded, Feature } from "../../../recordings/features.ts";

const WIDTH = 3;
const COMMON = { model: "tiny", frameRate: 100, pooled: false, dtype: "f32" } as const;

/** Numbers of a shape, each its own; read in pieces of some frames. */
function feature(
  output: Feature["output"],
  { shape, frames = 7 }: { shape: number[]; frames?: number },
): Feature & { values: Float32Array } {
  const length = shape.reduce((a, b) => a * b, 1);
  const values = Float32Array.from({ length }, (_, i) => Math.fround(Math.sin(i) * 3));
  const piece = frames * length / shape[0]!;
  return {
    output,
    shape,
    values,
    async *read() {
      for (let at = 0; at < length; at += piece) {
        yield await Promise.resolve(values.subarray(at, at + piece));
      }
    },
  };
}

function recording(frames: number, features: Feature[]): Embedded {
  return { seconds: frames / 100, frames, features, heads: [] };
}

async function fileOf(
  items: readonly Embedded[],
  options: Parameters<typeof parquetTable>[1],
): Promise<ArrayBuffer> {
  const pieces = await Array.fromAsync(parquetTable(items, options));
  return await new Blob(pieces.map((piece) => new Uint8Array(piece))).arrayBuffer();
}

Deno.test("parquetTable() has a row for each frame of every file, in any pieces", async () => {
  const first = [
    feature("context", { shape: [9001, WIDTH] }), // more than a row group
    feature("latent", { shape: [9001, 2], frames: 1000 }),
  ];
  const second = [feature("context", { shape: [2, WIDTH] }), feature("latent", { shape: [2, 2] })];
  const files = ["a/one.wav", "two.flac"];
  const items = [recording(9001, first), recording(2, second)];
  const file = await fileOf(items, { ...COMMON, files });
  const rows = await parquetReadObjects({ file });
  assert.equal(rows.length, 9003);
  for (const [i, row] of [0, 3999, 4000, 9000, 9001, 9002].entries()) {
    const [context, latent] = i < 4 ? first : second;
    const frame = i < 4 ? row : row - 9001;
    assert.deepEqual(rows[row], {
      file: files[i < 4 ? 0 : 1],
      frame,
      time_s: frame / 100,
      context: [...context!.values.subarray(frame * WIDTH, (frame + 1) * WIDTH)],
      latent: [...latent!.values.subarray(frame * 2, (frame + 1) * 2)],
    });
  }
  const { key_value_metadata: about, row_groups: groups } = parquetMetadata(file);
  assert.deepEqual(about, [{ key: "model", value: "tiny" }, { key: "frame_rate", value: "100" }]);
  assert.deepEqual(groups.map(({ num_rows }) => Number(num_rows)), [4000, 4000, 1001, 2]);
});

Deno.test("parquetTable() has a row for each pooled file, and lists for channels", async () => {
  const context = feature("context", { shape: [2, WIDTH], frames: 1 });
  const file = await fileOf([recording(50, [context])], {
    ...COMMON,
    files: ["stereo.wav"],
    pooled: true,
  });
  const [one, two] = [context.values.subarray(0, WIDTH), context.values.subarray(WIDTH)];
  assert.deepEqual(await parquetReadObjects({ file }), [
    { file: "stereo.wav", seconds: 0.5, context: [[...one], [...two]] },
  ]);
});

Deno.test("parquetTable() has a head's rows at their rate, with their time", async () => {
  const head = {
    name: "vap",
    rate: 10,
    rows: 3,
    spec: { outputs: [{ name: "now", shape: [2] }, { name: "vad", shape: [1] }] },
    async *read() {
      yield await Promise.resolve(Float32Array.of(1, 2, 3, 4, 5, 6, 7, 8, 9));
    },
  };
  const item = { seconds: 0.35, frames: 35, features: [], heads: [head] };
  const file = await fileOf([item], { ...COMMON, files: ["call.wav"] });
  assert.deepEqual(await parquetReadObjects({ file }), [
    { file: "call.wav", row: 0, time_s: 0.1, "head.vap.now": [1, 2], "head.vap.vad": [3] },
    { file: "call.wav", row: 1, time_s: 0.2, "head.vap.now": [4, 5], "head.vap.vad": [6] },
    { file: "call.wav", row: 2, time_s: 0.3, "head.vap.now": [7, 8], "head.vap.vad": [9] },
  ]);
});

Deno.test("parquetTable() rounds to 16 bits as npy does", async () => {
  const context = feature("context", { shape: [40, WIDTH] });
  const file = await fileOf([recording(40, [context])], {
    ...COMMON,
    files: ["a.wav"],
    dtype: "f16",
  });
  const rows = await parquetReadObjects({ file });
  const read = rows.flatMap(({ context }) => context);
  assert.deepEqual(read, [...new Float16Array(context.values)]);
});

Deno.test("parquetTable() refuses a feature that ends early", async () => {
  const short = { ...feature("context", { shape: [4, WIDTH] }), shape: [5, WIDTH] };
  await assert.rejects(
    fileOf([recording(5, [short])], { ...COMMON, files: ["a.wav"] }),
    /context ended 3 numbers early/,
  );
});
