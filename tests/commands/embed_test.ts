import assert from "node:assert/strict";
import { dirname, join } from "node:path";
import { unzipSync } from "fflate";
import { parquetReadObjects } from "hyparquet";
import { embed } from "../../commands/embed.ts";
import { writeWhole } from "../../commands/embed/folder.ts";
import { readSafetensors, writeSafetensors } from "../../model/safetensors.ts";
import { referenceForward } from "../../model/reference.ts";
import { fixtureSamples, maxDifference } from "../support/golden.ts";
import { randomWeights, tinyConfig } from "../support/models.ts";
import { wav } from "../support/server.ts";

const weights = randomWeights(tinyConfig, 21, "tiny");
const speech = (name: string) =>
  new URL(`../fixtures/speech/${name}.wav`, import.meta.url).pathname;
const NAMES = ["italian_short", "russian"] as const;

/** Runs a test with a folder that holds the model `tiny`. */
async function withFolder(use: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await Deno.mkdir(join(folder, "tiny"));
    await Deno.writeTextFile(join(folder, "tiny/config.json"), JSON.stringify(tinyConfig));
    await Deno.writeFile(join(folder, "tiny/model.safetensors"), writeSafetensors(weights.tensors));
    await use(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** Exit status and what was said on standard error. */
async function run(...args: string[]): Promise<{ status: number; said: string }> {
  const { error } = console;
  let said = "";
  console.error = (line: string) => said += line;
  try {
    return { status: await embed([...args, "--workers", "1"]), said };
  } finally {
    console.error = error;
  }
}

Deno.test("deno task embed --out writes NAME.npy, .npz or .json of every file", async () => {
  await withFolder(async (folder) => {
    const out = join(folder, "out/deep");
    const common = [...NAMES.map(speech), "--model", join(folder, "tiny"), "--out", out];
    assert.deepEqual(await run(...common), { status: 0, said: "" });
    assert.deepEqual(await run(...common, "--output", "context,latent"), { status: 0, said: "" });
    assert.deepEqual(await run(...common, "--format", "json", "--pool", "last"), {
      status: 0,
      said: "",
    });
    for (const name of NAMES) {
      const { context, latent } = referenceForward(weights, fixtureSamples(`${name}.wav`));
      const npy = await Deno.readFile(join(out, `${name}.npy`));
      const floats = (bytes: Uint8Array, count: number) =>
        new Float32Array(bytes.slice(-count * 4).buffer);
      assert.ok(maxDifference(floats(npy, context.data.length), context.data) <= 1e-4);
      const npz = unzipSync(await Deno.readFile(join(out, `${name}.npz`)));
      const member = npz["0.context.npy"]!;
      assert.equal(member.length, npy.length);
      assert.ok(maxDifference(floats(member, context.data.length), context.data) <= 1e-4);
      assert.ok(
        maxDifference(floats(npz["0.latent.npy"]!, latent.data.length), latent.data) <= 1e-4,
      );
      const { data } = JSON.parse(await Deno.readTextFile(join(out, `${name}.json`)));
      assert.ok(maxDifference(data[0].context, context.data.slice(-context.width)) <= 1e-4);
    }
  });
});

Deno.test("deno task embed --format and --dtype: npz, safetensors, 16 bits", async () => {
  await withFolder(async (folder) => {
    const out = join(folder, "out");
    const common = [speech(NAMES[0]), "--model", join(folder, "tiny"), "--out", out];
    const { context } = referenceForward(weights, fixtureSamples(`${NAMES[0]}.wav`));
    for (const format of ["npz", "safetensors"]) {
      const how = ["--format", format, "--dtype", "f16"];
      assert.deepEqual(await run(...common, ...how), { status: 0, said: "" });
    }
    const npz = unzipSync(await Deno.readFile(join(out, `${NAMES[0]}.npz`)));
    const half = new Float16Array(npz["0.context.npy"]!.slice(128).buffer);
    assert.ok(maxDifference(half, context.data) <= 1e-3);
    const file = await Deno.readFile(join(out, `${NAMES[0]}.safetensors`));
    const { shape, data } = readSafetensors(file).get("0.context")!;
    assert.deepEqual(shape, [context.frames, context.width]);
    assert.deepEqual([...data], [...half]);
  });
});

Deno.test("deno task embed --format parquet writes npy's numbers as a table", async () => {
  await withFolder(async (folder) => {
    const out = join(folder, "out");
    const input = speech(NAMES[0]);
    const common = [input, "--model", join(folder, "tiny"), "--out", out];
    assert.deepEqual(await run(...common), { status: 0, said: "" });
    assert.deepEqual(await run(...common, "--format", "parquet"), { status: 0, said: "" });
    const npy = await Deno.readFile(join(out, `${NAMES[0]}.npy`));
    const numbers = new Float32Array(npy.slice(128).buffer);
    const { buffer } = await Deno.readFile(join(out, `${NAMES[0]}.parquet`));
    const rows = await parquetReadObjects({ file: buffer });
    assert.deepEqual(rows.flatMap(({ context }) => context), [...numbers]);
    assert.ok(rows.every(({ file, frame }, i) => file === input && frame === i));
    assert.deepEqual(
      await run(...common, "--format", "parquet", "--pool", "mean", "--output", "context,latent"),
      { status: 0, said: "" },
    );
    const pooled = await Deno.readFile(join(out, `${NAMES[0]}.parquet`));
    const [row, ...others] = await parquetReadObjects({ file: pooled.buffer });
    assert.deepEqual(others, []);
    assert.deepEqual(Object.keys(row!), ["file", "seconds", "context", "latent"]);
  });
});

Deno.test("deno task embed --split has a row of each channel, and names mono files", async () => {
  await withFolder(async (folder) => {
    const out = join(folder, "out");
    const signals = NAMES.map((name) => fixtureSamples(`${name}.wav`).subarray(0, 20_000));
    const samples = Float32Array.from({ length: 40_000 }, (_, i) => signals[i % 2]![i >> 1]!);
    const stereo = join(folder, "stereo.wav");
    await Deno.writeFile(stereo, wav(samples, { channels: 2 }));
    const common = ["--split", "--model", join(folder, "tiny"), "--format", "json", "--out", out];
    assert.deepEqual(await run(stereo, ...common), { status: 0, said: "" });
    const { data } = JSON.parse(await Deno.readTextFile(join(out, "stereo.json")));
    for (const [c, signal] of signals.entries()) {
      const rows = data[0].context.map((row: number[][]) => row[c]).flat();
      assert.ok(maxDifference(rows, referenceForward(weights, signal).context.data) <= 1e-4);
    }
    const { status, said } = await run(speech("russian"), ...common);
    assert.equal(status, 1);
    assert.match(
      said,
      /russian\.wav: option split=1 takes recordings of 2 to 8 channels; this one/,
    );
  });
});

Deno.test("deno task embed: status 2 for command line and weights, 1 for a file", async () => {
  await withFolder(async (folder) => {
    const model = ["--model", join(folder, "tiny")];
    const out = ["--out", join(folder, "out")];
    const bad = join(folder, "bad.wav");
    await Deno.writeFile(bad, (await Deno.readFile(speech(NAMES[0]))).subarray(0, 999));
    const cases: [string[], number, RegExp][] = [
      [[], 2, /name the audio files/],
      [["a.wav", "--colour"], 2, /--colour/],
      [["a.wav", "--format", "xml"], 2, /--format takes npy, npz, json, safetensors or parquet/],
      [
        ["a.wav", "--format", "parquet", "--output", "context,head.speech"],
        2,
        /--format parquet writes one table, .* not of context,head\.speech/,
      ],
      [["a.wav", "--format", "json", "--dtype", "f16"], 2, /dtype=f16 takes the formats npy/],
      [["a.wav", "--pool", "median"], 2, /--pool takes none, mean, max or last, got "median"/],
      [["a.wav", "--model", join(folder, "none")], 2, /no config\.json/],
      [["a.wav", "--steps", "9", ...model], 2, /option steps takes 1 to 3/],
      [["x/a.wav", "y/a.flac", ...out], 2, /x\/a\.wav and y\/a\.flac would both be written to/],
      [["no-such.wav", ...model, ...out], 1, /cannot read no-such\.wav/],
      [[join(folder, "tiny"), ...out], 2, /tiny holds no audio files \(\.wav, /],
      [[join(folder, "*.flac"), ...out], 2, /no file matches .*\*\.flac/],
      [["a.wav", ...model, "--out", bad], 1, /cannot read .*bad\.wav\/\.embed-npy\.json: /],
      [["a.wav", "--shard", "3/2"], 2, /--shard takes I\/N with 1 ≤ I ≤ N, got "3\/2"/],
      [[speech(NAMES[0]), bad, ...model, ...out], 1, /bad\.wav: .*truncated/],
      [[speech(NAMES[0]), bad, ...model], 1, /bad\.wav: .*truncated/],
    ];
    for (const [args, status, message] of cases) {
      const result = await run(...args);
      assert.equal(result.status, status, result.said);
      assert.match(result.said, message);
    }
  });
});

/** A folder of recordings below the test's own: their names, without extension. */
async function collection(folder: string): Promise<string[]> {
  const names = ["a/one", "a/two", "b/deep/one", "three"];
  for (const [i, name] of names.entries()) {
    await Deno.mkdir(join(folder, "audio", dirname(name)), { recursive: true });
    await Deno.copyFile(speech(NAMES[i % 2]!), join(folder, "audio", `${name}.wav`));
  }
  await Deno.writeTextFile(join(folder, "audio/notes.txt"), "no audio");
  return names;
}

/** Files below a folder with their times of change; hidden ones left out. */
function filesIn(folder: string): Map<string, number> {
  const found = new Map<string, number>();
  const walk = (at: string) => {
    for (const { name, isDirectory } of Deno.readDirSync(join(folder, at))) {
      const path = join(at, name);
      if (isDirectory) walk(path);
      else if (!name.startsWith(".")) {
        found.set(path, Deno.statSync(join(folder, path)).mtime!.getTime());
      }
    }
  };
  walk("");
  return found;
}

Deno.test("deno task embed takes folders and patterns, and keeps their structure", async () => {
  await withFolder(async (folder) => {
    const names = await collection(folder);
    const common = ["--model", join(folder, "tiny"), "--out"];
    const [whole, some] = [join(folder, "whole"), join(folder, "some")];
    assert.deepEqual(await run(join(folder, "audio"), ...common, whole), { status: 0, said: "" });
    assert.deepEqual([...filesIn(whole).keys()].sort(), names.map((name) => `${name}.npy`).sort());
    const pattern = join(folder, "audio/**/one.wav");
    assert.deepEqual(await run(pattern, ...common, some), { status: 0, said: "" });
    assert.deepEqual([...filesIn(some).keys()].sort(), ["a/one.npy", "b/deep/one.npy"]);
    for (const path of filesIn(some).keys()) {
      assert.deepEqual(
        await Deno.readFile(join(some, path)).then((bytes) => bytes.length),
        await Deno.readFile(join(whole, path)).then((bytes) => bytes.length),
      );
    }
  });
});

Deno.test("deno task embed --shard: N shards have every file once, in any order", async () => {
  await withFolder(async (folder) => {
    const names = await collection(folder);
    const common = ["--model", join(folder, "tiny"), "--out"];
    const paths = names.map((name) => join(folder, "audio", `${name}.wav`));
    const shards: string[][] = [];
    for (const shard of ["1/3", "2/3", "3/3"]) {
      const out = join(folder, shard);
      const given = shard === "2/3" ? [join(folder, "audio")] : [join(folder, "audio/**/*.wav")];
      assert.deepEqual(await run(...given, ...common, out, "--shard", shard), {
        status: 0,
        said: "",
      });
      shards.push([...filesIn(out).keys()].sort());
    }
    assert.deepEqual(shards, [["a/one.npy", "three.npy"], ["a/two.npy"], ["b/deep/one.npy"]]);
    const none = join(folder, "none");
    assert.equal((await run(paths[0]!, ...common, none, "--shard", "2/2")).status, 0);
    assert.deepEqual([...filesIn(none).keys()], []);
  });
});

Deno.test("deno task embed skips what is done with the same model and options", async () => {
  await withFolder(async (folder) => {
    await collection(folder);
    const out = join(folder, "out");
    const common = [join(folder, "audio"), "--model", join(folder, "tiny"), "--out", out];
    const done = (count: number) => ({
      status: 0,
      said: count ? `${count} of 4 files are done already; --overwrite does them again` : "",
    });
    assert.deepEqual(await run(...common), done(0));
    const first = filesIn(out);
    assert.deepEqual(await run(...common), done(4));
    assert.deepEqual(filesIn(out), first);
    // one is gone, and one's audio has changed
    await Deno.remove(join(out, "three.npy"));
    const later = new Date(Date.now() + 1000);
    await Deno.utime(join(folder, "audio/a/one.wav"), later, later);
    await Deno.writeTextFile(join(out, "three.npy.part"), "of a run that was killed");
    assert.deepEqual(await run(...common), done(2));
    assert.deepEqual([...filesIn(out).keys()].sort(), [...first.keys()].sort());
    assert.notEqual(filesIn(out).get("a/one.npy"), first.get("a/one.npy"));
    assert.equal(filesIn(out).get("a/two.npy"), first.get("a/two.npy"));
    const bytes = (path: string) => Deno.statSync(join(out, path)).size;
    const frames = bytes("a/two.npy");
    assert.deepEqual(await run(...common, "--pool", "mean"), done(0));
    assert.ok(bytes("a/two.npy") < frames);
    const pooled = filesIn(out).get("a/two.npy");
    assert.deepEqual(await run(...common, "--pool", "mean", "--overwrite"), done(0));
    assert.ok(filesIn(out).get("a/two.npy")! > pooled!);
  });
});

Deno.test("deno task embed: a bad file stops no other, and leaves nothing behind", async () => {
  await withFolder(async (folder) => {
    const names = await collection(folder);
    const out = join(folder, "out");
    await Deno.truncate(join(folder, "audio/a/two.wav"), 999);
    const { status, said } = await run(
      join(folder, "audio"),
      ...["--model", join(folder, "tiny"), "--out", out],
    );
    assert.equal(status, 1);
    assert.match(said, /a\/two\.wav: .*truncated.*1 of 4 files failed/);
    const good = names.filter((name) => name !== "a/two").map((name) => `${name}.npy`);
    assert.deepEqual([...filesIn(out).keys()].sort(), good.sort());
  });
});

Deno.test("writeWhole() leaves the file as it was when its bytes break off", async () => {
  await withFolder(async (folder) => {
    const path = join(folder, "deep/features.npy");
    await writeWhole(path, Uint8Array.of(1, 2));
    async function* broken() {
      yield await Promise.resolve(Uint8Array.of(3));
      throw new RangeError("it breaks off");
    }
    await assert.rejects(writeWhole(path, ReadableStream.from(broken())), RangeError);
    assert.deepEqual([...filesIn(join(folder, "deep")).keys()], ["features.npy"]);
    assert.deepEqual(await Deno.readFile(path), Uint8Array.of(1, 2));
  });
});
