import assert from "node:assert/strict";
import { join } from "node:path";
import { HEAD } from "../../commands/head/options.ts";
import { readSettings } from "../../config/read.ts";
import { withHeads } from "../../model/heads/load.ts";
import { writeSafetensors } from "../../model/safetensors.ts";
import { loadWeights } from "../../model/weights.ts";
import { withTempFolder, writeCorpus } from "../support/corpus.ts";
import { randomWeights, tinyConfig } from "../support/models.ts";

const ROOT = new URL("../../", import.meta.url).pathname;
const { tasks } = JSON.parse(await Deno.readTextFile(join(ROOT, "deno.json")));

/** A task as it is run, with its permissions. */
async function task(name: string, ...args: string[]) {
  const [, ...taskArgs] = String(tasks[name]).split(" ");
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [...taskArgs, ...args],
    cwd: ROOT,
    env: { NO_COLOR: "1" },
  }).output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { code, out: text(stdout), said: text(stderr) };
}

/** A model, and recordings of six speakers that begin loud (`x`) and go on as they like (`y`). */
async function inFolder(use: (folder: string, flags: string[]) => Promise<void>): Promise<void> {
  await withTempFolder(async (folder) => {
    await writeCorpus(folder);
    const model = join(folder, "weights/tiny");
    await Deno.mkdir(model, { recursive: true });
    const { tensors } = randomWeights(tinyConfig);
    await Deno.writeFile(join(model, "model.safetensors"), writeSafetensors(tensors));
    await Deno.writeTextFile(join(model, "config.json"), JSON.stringify(tinyConfig));
    const rows = ["path,start_s,end_s,label,speaker"];
    for (let s = 0; s < 6; s++) {
      for (const name of ["a", "b"]) {
        rows.push(`speaker${s}/${name}.wav,0,0.6,x,speaker${s}`);
        rows.push(`speaker${s}/${name}.wav,0.7,1.5,y,speaker${s}`);
      }
    }
    await Deno.writeTextFile(join(folder, "labels.csv"), rows.join("\n") + "\n");
    await use(folder, [
      ...["--labels", join(folder, "labels.csv"), "--features", model, "--workers", "1"],
      ...["--train-device", "wasm", "--steps", "8", "--cache", join(folder, "cache")],
    ]);
  });
}

Deno.test("deno task head refuses a --train-device that is none before it computes anything", () => {
  const args = ["--labels", "l.csv", "--out", "head", "--train-device"];
  const read = (device: string) =>
    readSettings(HEAD.settings, { args: [...args, device], environment: () => undefined });
  assert.equal(read("cuda")?.values.trainDevice, "cuda");
  assert.throws(() => read("tpu"), /--train-device takes auto, gpu, .* or wasm, got "tpu"/);
});

Deno.test("deno task head writes a head, and goes on where it stopped", async () => {
  await inFolder(async (folder, flags) => {
    const model = join(folder, "weights/tiny");
    const out = join(model, "heads/loud");
    const noise = ["--type", "gru", "--hidden", "16", "--every", "2", "--noise", "white,babble"];
    const args = [...flags, "--out", out, ...noise, "--positive", "x"];
    const { code, out: told, said } = await task("head", ...args);
    assert.equal(code, 0, said);
    assert.match(told, /held out: F1 of x at 0\.5 \d\.\d{3} \(\d\.\d{3}–\d\.\d{3}\)/);
    assert.match(told, /held out: ROC-AUC \d\.\d{3}/);
    assert.match(said, /held out by speaker/);
    const { heads } = await withHeads(await loadWeights(model), { folder: model });
    const [{ name, spec }] = heads!;
    assert.equal(name, "loud");
    assert.deepEqual(spec.outputs, [{ name: "x", shape: [1], labels: ["x"] }]);
    assert.deepEqual(spec.state, [{ name: "h", shape: [16] }]);
    assert.equal(spec.every, 2);
    assert.deepEqual(spec.events.map(({ event, on, off }) => [event, on, off]), [["x", 0.5, 0.35]]);
    assert.match(
      await Deno.readTextFile(join(out, "README.md")),
      /2 of each recording: white, babble/,
    );

    // each recording and its two copies
    const kept = await Array.fromAsync(Deno.readDir(join(folder, "cache")));
    assert.equal(kept.length, 36);
    const head = await Deno.readFile(join(out, "head.onnx"));
    const again = await task("head", ...args);
    assert.equal(again.code, 0, again.said);
    assert.match(again.said, /continuing after step 8/);
    assert.deepEqual(await Deno.readFile(join(out, "head.onnx")), head);
    assert.equal((await Array.fromAsync(Deno.readDir(join(folder, "cache")))).length, 36);

    const other = await task("head", ...args, "--seed", "2");
    assert.equal(other.code, 2);
    assert.match(other.said, /holds a run with other options \(.*seed.*differ\)/);
  });
});

Deno.test("deno task head gives each label a probability, and named ones events", async () => {
  await inFolder(async (folder, flags) => {
    const model = join(folder, "weights/tiny");
    const out = join(model, "heads/both");
    const { code, out: told, said } = await task("head", ...flags, "--out", out, "--event", "y");
    assert.equal(code, 0, said);
    assert.match(told, /held out: accuracy .*\n.*F1, mean of labels .*\n.*ROC-AUC of x/);
    const [{ spec }] = (await withHeads(await loadWeights(model), { folder: model })).heads!;
    assert.deepEqual(spec.outputs, [{ name: "label", shape: [2], labels: ["x", "y"] }]);
    assert.deepEqual(spec.events.map(({ event, index }) => [event, index]), [["y", 1]]);
    const labels = join(folder, "labels.csv");
    const text = await Deno.readTextFile(labels);
    const refuse = async (csv: string, message: RegExp, ...more: string[]) => {
      await Deno.writeTextFile(labels, csv);
      const { code, said } = await task("head", ...flags, "--out", join(folder, "no"), ...more);
      assert.equal(code, 2, said);
      assert.match(said, message);
      assert.doesNotMatch(said, /\n {4}at /);
    };
    await refuse(text, /no row has the label z: the labels are x, y/, "--positive", "z");
    await refuse(text.replace("0.7,1.5,y", "0.7,1.6,y"), /line 3 of the labels: .* lasts 1\.500 s/);
    await refuse(
      text.replace("speaker0/a.wav", "none.wav"),
      /line 2 of the labels: cannot read none\.wav: No such file/,
    );
  });
});
