import assert from "node:assert/strict";
import { join } from "node:path";
import { loadWeights } from "../../model/weights.ts";
import { maxDifference } from "../support/golden.ts";
import { tinyConfig } from "../support/models.ts";
import { withTempFolder, writeCorpus } from "../support/corpus.ts";

const ROOT = new URL("../../", import.meta.url).pathname;
const { tasks } = JSON.parse(await Deno.readTextFile(join(ROOT, "deno.json")));
const [, ...taskArgs] = String(tasks.train).split(" ");

/** The command as the task runs it, with its permissions. */
function train(...args: string[]): Deno.ChildProcess {
  return new Deno.Command(Deno.execPath(), {
    args: [...taskArgs, ...args],
    cwd: ROOT,
    stdout: "piped",
    stderr: "piped",
    env: { NO_COLOR: "1" },
  }).spawn();
}

async function ended(child: Deno.ChildProcess) {
  const { code, stdout, stderr } = await child.output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { code, out: text(stdout), said: text(stderr) };
}

Deno.test("deno task train trains, stops on Ctrl-C with everything kept, and goes on", async () => {
  await withTempFolder(async (folder) => {
    const data = await writeCorpus(folder);
    const config = join(folder, "config.json");
    const run = join(folder, "run");
    await Deno.writeTextFile(
      config,
      JSON.stringify({
        model: tinyConfig,
        batch: { voices: 2, window_samples: 3200 },
        negatives: { batch: 16 },
        optimizer: { steps: 100_000 },
        dev: { windows: 2, negatives: 8, every_steps: 100_000 },
      }),
    );
    const flags = [
      "--data",
      data,
      "--config",
      config,
      "--out",
      run,
      "--device",
      "wasm",
      "--cache",
      join(folder, "cache"),
    ];
    const first = train(...flags);
    const reader = first.stderr.pipeThrough(new TextDecoderStream()).getReader();
    let said = "";
    while (!/step 20 nce/.test(said)) {
      const { value, done } = await reader.read();
      assert.ok(!done, said);
      said += value;
    }
    first.kill("SIGINT");
    for (let part = await reader.read(); !part.done; part = await reader.read()) said += part.value;
    await first.stdout.cancel();
    assert.equal((await first.status).code, 0, said);
    const steps = Number(/(\d+) steps done, kept in/.exec(said)?.[1]);
    assert.ok(steps >= 20, said);
    assert.match(said, /training on wasm \(cpu\), products in fp32/);

    const second = train(...flags);
    const later = second.stderr.pipeThrough(new TextDecoderStream()).getReader();
    let more = "";
    while (!more.includes("continuing after step")) {
      const { value, done } = await later.read();
      assert.ok(!done, more);
      more += value;
    }
    second.kill("SIGTERM");
    while (!(await later.read()).done);
    await second.stdout.cancel();
    assert.equal((await second.status).code, 0);
    assert.match(more, new RegExp(`continuing after step ${steps}`));

    const from = (await loadWeights(join(run, "weights"))).tensors;
    const short = join(folder, "short.json");
    const text = await Deno.readTextFile(config);
    await Deno.writeTextFile(
      short,
      text.replace('{"steps":100000}', '{"steps":1,"warmup_steps":0,"rate":1e-9}'),
    );
    const init = ["--config", short, "--out", join(folder, "more"), "--init", join(run, "weights")];
    const { code: began, said: told } = await ended(train(...flags, ...init));
    assert.equal(began, 0, told);
    for (const [name, { data }] of (await loadWeights(join(folder, "more/weights"))).tensors) {
      if (name.includes(".running_")) continue; // they move with the batch
      assert.ok(
        maxDifference(data, from.get(name)!.data) < 1e-6,
        `${name} is not the one that it began with`,
      );
    }
    await Deno.writeTextFile(short, text.replace('"hidden":', '"hidden":1'));
    const { code: other, said: shape } = await ended(
      train(...flags, ...init, "--out", join(folder, "other")),
    );
    assert.equal(other, 2, shape);
    assert.match(shape, /--init .*its config\.json is not the model of .*short\.json/);

    const { code: status, said: why } = await ended(train(...flags, "--precision", "bf16"));
    assert.equal(status, 2);
    assert.match(why, /began with --precision fp32: leave the flag out/);

    await Deno.writeTextFile(config, (await Deno.readTextFile(config)).replace("100000", "5"));
    const { code, said: refused } = await ended(train(...flags));
    assert.equal(code, 2);
    assert.match(refused, /another configuration \(optimizer/);
  });
});

for (
  const [what, args, message] of [
    ["no data", ["--out", "x"], /--data PATH is required/],
    ["an unknown flag", ["--dta", "x"], /Unknown option '--dta'/],
    [
      "a bad number",
      ["--data", "x", "--out", "x", "--minutes", "0"],
      /--minutes takes a whole number from 1/,
    ],
    [
      "a bad precision",
      ["--data", "x", "--out", "x", "--precision", "fp8"],
      /--precision takes auto, fp32 or bf16, got "fp8"/,
    ],
    [
      "a missing configuration",
      ["--data", "x", "--out", "x", "--config", "none.json"],
      /cannot read none.json/,
    ],
    [
      "missing data",
      ["--data", "no/such", "--out", "no/such/run"],
      /cannot read the data at no\/such/,
    ],
  ] as const
) {
  Deno.test(`deno task train exits with 2 for ${what}`, async () => {
    const { code, said } = await ended(train(...args));
    assert.equal(code, 2, said);
    assert.match(said, message);
    assert.equal(said.trim().split("\n").length, 1, said);
  });
}
