import assert from "node:assert/strict";
import { join } from "node:path";
import { CpcError } from "../../errors.ts";
import { writeSafetensors } from "../../model/safetensors.ts";
import { RunFolder } from "../../training/run_folder.ts";
import { sitting, withCorpora } from "../support/sittings.ts";
import { tinyRun } from "../support/training.ts";

const refused = (code: string, message: RegExp) => (error: unknown) =>
  error instanceof CpcError && error.code === code && message.test(error.message);

Deno.test("RunFolder.open() refuses another configuration's run", async () => {
  await withCorpora(async (folder, corpora) => {
    await sitting(folder, tinyRun(), { ...corpora, until: 1 });
    const run = new RunFolder(folder);
    await assert.rejects(
      run.open(tinyRun({ seed: 2 })),
      refused("invalid_option", /another configuration \(seed differ\)/),
    );
    const file = join(folder, "config.json");
    const older = JSON.parse(await Deno.readTextFile(file));
    delete older.dev.seed;
    await Deno.writeTextFile(file, JSON.stringify(older));
    await run.open(tinyRun());
    await assert.rejects(
      run.open(tinyRun({ dev: { windows: 3, negatives: 16, every_steps: 10, seed: 2 } })),
      /dev differ/,
    );
    await Deno.writeTextFile(file, "{}");
    await assert.rejects(
      run.open(tinyRun()),
      refused("invalid_option", /config\.json is not a training configuration/),
    );
  });
});

Deno.test("RunFolder.open() names the place of a run that is no folder", async () => {
  const file = await Deno.makeTempFile();
  try {
    await assert.rejects(
      new RunFolder(file).open(tinyRun()),
      ({ message }: Error) => message.startsWith(`cannot read ${join(file, "config.json")}: `),
    );
  } finally {
    await Deno.remove(file);
  }
});

Deno.test("RunFolder names a checkpoint that is cut short or is none", async () => {
  await withCorpora(async (folder, corpora) => {
    await sitting(folder, tinyRun(), { ...corpora, until: 1 });
    const file = join(folder, "checkpoint.safetensors");
    const whole = await Deno.readFile(file);
    const run = new RunFolder(folder);
    for (const bytes of [whole.subarray(0, 4), whole.subarray(0, 100), new Uint8Array(99)]) {
      await Deno.writeFile(file, bytes);
      await assert.rejects(run.progress(), refused("weights_invalid", /checkpoint\.safetensors/));
    }
    await Deno.writeFile(file, writeSafetensors(new Map(), { metadata: { step: "some" } }));
    await assert.rejects(
      run.progress(),
      refused("weights_invalid", /checkpoint\.safetensors is not a checkpoint of a run/),
    );
    await Deno.writeFile(file, whole.subarray(0, whole.length - 4));
    await assert.rejects(
      sitting(folder, tinyRun(), corpora),
      refused("weights_invalid", /cut short/),
    );
  });
});
