import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { join } from "node:path";
import { importCheckpoint } from "../../model/checkpoints/checkpoint.ts";
import { toPyTorch } from "../../model/checkpoints/to_pytorch.ts";
import { vapGraph } from "../../model/vap/graph.ts";
import { statesOf } from "../../model/vap/state.ts";
import { loadWeights } from "../../model/weights.ts";
import { vapFixture } from "../support/vap.ts";
import { dict, stateDict, torchZip } from "../support/torch_writer.ts";
import { inFolder, runConvert as run } from "../support/convert.ts";

inFolder("convert() --cpc writes the CPC network with the head vap in it", async (folder) => {
  const { vap, cpc, weights, network } = vapFixture("vap_20hz");
  const out = join(folder, "turns");
  const { status, out: text, err } = await run([vap, "--cpc", cpc, "--out", out]);
  assert.deepEqual([status, err], [0, ""]);
  for (
    const part of [
      /2 for each channel, 1 with cross attention; 40 wide \(features 56\), 5 heads/,
      /rate +20 rows a second \(kernel 5\)/,
      /window +400 rows \(20 s\), 1\.0 MB a dialogue/,
      /note +its LSTM has 2 layers/,
      /skipped +objective\.\*/,
      /heads\/vap: head\.json, head\.onnx/,
    ]
  ) assert.match(text, part);
  const written = await loadWeights(out);
  assert.deepEqual(written.tensors, weights.tensors);
  assert.equal(written.config.delay_samples, undefined);
  const head = JSON.parse(await Deno.readTextFile(join(out, "heads/vap/head.json")));
  const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");
  assert.equal(head.features, sha256(await Deno.readFile(join(out, "model.safetensors"))));
  assert.deepEqual([head.input, head.channels, head.every], ["context", 2, 5]);
  assert.deepEqual(head.state, statesOf(network.sizes, 400));
  assert.deepEqual(
    head.outputs,
    ["p_now", "p_future", "vad"].map((name) => ({
      name,
      shape: [2],
      labels: ["speaker 1", "speaker 2"],
    })),
  );
  assert.deepEqual(
    await Deno.readFile(join(out, "heads/vap/head.onnx")),
    vapGraph(network, { windowRows: 400 }),
  );
  const card = await Deno.readTextFile(join(out, "heads/vap/README.md"));
  assert.ok(card.includes(sha256(await Deno.readFile(vap))) && card.includes("20 rows a second"));
});

inFolder(
  "convert() --cpc takes the window in seconds, and delays the audio where asked",
  async (folder) => {
    const { vap, cpc } = vapFixture("vap_mono_10hz");
    const out = join(folder, "w");
    const flags = ["--cpc", cpc, "--out", out, "--context-seconds", "1.5", "--live-alignment"];
    const { status, out: text } = await run([vap, ...flags]);
    assert.deepEqual([status, /15 rows \(1\.5 s\)/.test(text)], [0, true]);
    assert.equal((await loadWeights(out)).config.delay_samples, 160);
    const head = JSON.parse(await Deno.readTextFile(join(out, "heads/vap/head.json")));
    assert.deepEqual(head.state[1].shape, [4, 15, 16]);
    assert.deepEqual(head.outputs[2], { name: "vad", shape: [1], labels: ["speaker 1"] });
    const card = await Deno.readTextFile(join(out, "heads/vap/README.md"));
    assert.match(card, /the audio comes one hop late/);
    assert.match(card, /--context-seconds 1\.5 --live-alignment/);
  },
);

inFolder("convert() --cpc refuses with status 1 what it cannot read, by name", async (folder) => {
  const { vap, cpc } = vapFixture("vap_20hz");
  const slow = join(folder, "vap_10hz.pt");
  await Deno.copyFile(vap, slow);
  const out = join(folder, "w");
  const cases: [string[], RegExp][] = [
    [[cpc, "--cpc", cpc], /cannot convert .*cpc\.pt: it is no model of voice activity/],
    [[vap, "--cpc", vap], /cannot convert .*vap\.pt: it is a voice activity projection: name/],
    [[vap, "--cpc", vapFixture("vap_50hz").cpc], /cannot convert .*cpc\.pt: .* must be 56/],
    [[vap], /cannot convert .*vap\.pt: .*with --cpc/],
    [[slow, "--cpc", cpc], /vap_10hz\.pt: its name says 10 Hz/],
  ];
  for (const [args, why] of cases) {
    const { status, err } = await run([...args, "--out", out]);
    assert.deepEqual([status, why.test(err)], [1, true], err);
    await assert.rejects(Deno.stat(out), Deno.errors.NotFound);
  }
  assert.equal((await run([slow, "--cpc", cpc, "--out", out, "--frame-rate", "20"])).status, 0);
});

inFolder("convert() --cpc warns of a copy of the CPC network that differs", async (folder) => {
  const { vap, cpc } = vapFixture("vap_50hz");
  const own = importCheckpoint(await Deno.readFile(cpc));
  const bias = own.tensors.get("context.bias_hh_l0")!;
  own.tensors.set("context.bias_hh_l0", { ...bias, data: bias.data.with(0, 3) });
  const changed = join(folder, "changed.pt");
  const weights = stateDict(toPyTorch({ id: "changed", ...own }).model);
  await Deno.writeFile(changed, torchZip(dict({ config: dict({}), weights })));
  for (const [file, warned] of [[cpc, false], [changed, true]] as const) {
    const { out } = await run([vap, "--cpc", file, "--out", join(folder, "w")]);
    assert.match(out, /skipped +encoder\.encoder\.\*/);
    assert.equal(/note +vap\.pt has a CPC network of its own with other numbers/.test(out), warned);
  }
});
