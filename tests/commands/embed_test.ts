import assert from "node:assert/strict";
import { join } from "node:path";
import { unzipSync } from "fflate";
import { embed } from "../../commands/embed.ts";
import { writeSafetensors } from "../../model/safetensors.ts";
import { referenceForward } from "../../model/reference.ts";
import { fixtureSamples, maxDifference } from "../support/golden.ts";
import { randomWeights, tinyConfig } from "../support/models.ts";

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

Deno.test("deno task embed --out writes NAME.npy, NAME.npz or NAME.json of every file", async () => {
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

Deno.test("deno task embed: status 2 for the command line and the weights, 1 for a file, with its name", async () => {
  await withFolder(async (folder) => {
    const model = ["--model", join(folder, "tiny")];
    const out = ["--out", join(folder, "out")];
    const bad = join(folder, "bad.wav");
    await Deno.writeFile(bad, (await Deno.readFile(speech(NAMES[0]))).subarray(0, 999));
    const cases: [string[], number, RegExp][] = [
      [[], 2, /name the audio files/],
      [["a.wav", "--colour"], 2, /--colour/],
      [["a.wav", "--format", "npz"], 2, /--format takes npy or json/],
      [["a.wav", "--pool", "median"], 2, /option pool/],
      [["a.wav", "--model", join(folder, "none")], 2, /no config\.json/],
      [["a.wav", "--steps", "9", ...model], 2, /option steps takes 1 to 3/],
      [["x/a.wav", "y/a.flac", ...out], 2, /x\/a\.wav and y\/a\.flac would both be written to/],
      [["no-such.wav", ...model, ...out], 1, /cannot read no-such\.wav/],
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
