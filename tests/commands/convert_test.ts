import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { join } from "node:path";
import { importCheckpoint } from "../../model/checkpoints/checkpoint.ts";
import { toPyTorch } from "../../model/checkpoints/to_pytorch.ts";
import { referenceForward } from "../../model/reference.ts";
import { readSafetensors, type Tensor } from "../../model/safetensors.ts";
import { loadWeights } from "../../model/weights.ts";
import { checkpointFixture } from "../support/checkpoints.ts";
import { fixtureSamples, maxDifference } from "../support/golden.ts";
import { randomWeights, tinyConfig } from "../support/models.ts";
import { wav, withServer } from "../support/server.ts";
import { Call, dict, stateDict, torchZip, type Value } from "../support/torch_writer.ts";
import { inFolder, runConvert as run } from "../support/convert.ts";

/** Writes a CDCK2 checkpoint; returns its path and the weights in it. */
function writeCdck2(folder: string): { path: string; tensors: ReadonlyMap<string, Tensor> } {
  const weights = randomWeights(tinyConfig, 4);
  const tensors = new Map(
    [...weights.tensors].filter(([name]) => !/^encoder.*conv\.bias$/.test(name)),
  );
  const path = join(folder, "cdc-model_best.pth");
  const file: Value = dict({
    state_dict: stateDict(toPyTorch({ ...weights, tensors }).model),
    optimizer: null,
  });
  Deno.writeFileSync(path, torchZip(file));
  return { path, tensors };
}

inFolder(
  "convert() writes a weights folder that loads, and prints what it read",
  async (folder) => {
    const { path, bytes, args } = checkpointFixture("cpc_audio_lstm1");
    const out = join(folder, "nested", "cpc-audio");
    const { status, out: text, err } = await run([path, "--out", out]);
    assert.deepEqual([status, err], [0, ""]);
    for (
      const part of [
        /kind +CPC_audio\b/,
        /LSTM 20, 1 layer/,
        /predictors +4, linear/,
        /parameters +17,720/,
        /skipped +optimizer, best/,
      ]
    ) {
      assert.match(text, part);
    }
    assert.match(text, /input scale +1:/);
    const weights = await loadWeights(out);
    assert.equal(weights.id, "cpc-audio");
    const imported = importCheckpoint(bytes, { args });
    assert.deepEqual(weights.config, imported.config);
    assert.deepEqual(weights.tensors, imported.tensors);
    const card = await Deno.readTextFile(join(out, "README.md"));
    assert.ok(
      card.includes(createHash("sha256").update(bytes).digest("hex")) &&
        card.includes("checkpoint_0.pt"),
    );
    assert.ok(weights.card?.license); // its head is YAML of the card's schema
  },
);

inFolder(
  "convert() scales the input of CDCK by 32768 and says why; --input-scale overrides it",
  async (folder) => {
    const { path } = writeCdck2(folder);
    const scaleOf = async (args: string[], environment = {}) => {
      const { status, out } = await run([path, "--out", join(folder, "w"), ...args], environment);
      assert.equal(status, 0);
      return [
        (await loadWeights(join(folder, "w"))).config.input_scale,
        /input scale +(.*)/.exec(out)?.[1],
      ];
    };
    assert.deepEqual(await scaleOf([]), [
      32768,
      "32768: CDCK models were trained on unscaled 16-bit sample values, not on ±1",
    ]);
    assert.deepEqual(await scaleOf(["--input-scale", "1"]), [1, "1: as given by --input-scale"]);
    assert.equal((await scaleOf([], { CPC_INPUT_SCALE: "0.5" }))[0], 0.5);
    assert.equal((await scaleOf(["--input-scale", "2"], { CPC_INPUT_SCALE: "0.5" }))[0], 2);
  },
);

inFolder(
  "convert() --layer chooses the context layer; beyond the last is wrong usage",
  async (folder) => {
    const { path } = checkpointFixture("hub_lstm2");
    const out = join(folder, "w");
    assert.equal((await run([path, "--out", out, "--layer", "1"])).status, 0);
    assert.deepEqual((await loadWeights(out)).config.context, {
      type: "lstm",
      hidden: 44,
      layers: 2,
      output_layer: 1,
    });
    assert.equal((await run([path], { CPC_OUT: out, CPC_LAYER: "2" })).status, 0);
    assert.equal((await loadWeights(out)).config.context.output_layer, 2);
    const { status, err } = await run([path, "--out", join(folder, "other"), "--layer", "3"]);
    assert.deepEqual([status, /--layer 3: .* has 2 layers/.test(err)], [2, true]);
    await assert.rejects(Deno.stat(join(folder, "other")), Deno.errors.NotFound);
  },
);

inFolder("convert() --dtype f16 halves the matrices and keeps biases and norms", async (folder) => {
  const { path, tensors } = writeCdck2(folder);
  assert.equal((await run([path, "--out", join(folder, "w"), "--dtype", "f16"])).status, 0);
  const weights = await loadWeights(join(folder, "w"));
  for (const [name, { shape, data }] of tensors) {
    const wanted = shape.length > 1 ? new Float32Array(new Float16Array(data)) : data;
    assert.deepEqual(weights.tensors.get(name)?.data, wanted, name);
  }
});

inFolder(
  "convert() --to pytorch gives back the state_dict of the original module",
  async (folder) => {
    const { path } = writeCdck2(folder);
    const original = importCheckpoint(Deno.readFileSync(path));
    await run([path, "--out", join(folder, "w")]);
    const { status, out } = await run([
      join(folder, "w"),
      "--out",
      join(folder, "back"),
      "--to",
      "pytorch",
    ]);
    assert.equal(status, 0);
    assert.match(out, /loads as CDCK2/);
    assert.match(out, /multiply samples in ±1 by 32768/);
    const state = readSafetensors(
      await Deno.readFile(join(folder, "back", "state_dict.safetensors")),
    );
    assert.deepEqual(state.get("encoder.12.weight"), original.tensors.get("encoder.4.conv.weight"));
    assert.deepEqual(state.get("Wk.2.bias")?.shape, [8]);
    await Deno.writeFile(join(folder, "again.pth"), torchZip(stateDict(state)));
    assert.deepEqual(
      importCheckpoint(await Deno.readFile(join(folder, "again.pth"))).tensors,
      original.tensors,
    );
  },
);

inFolder(
  "convert() --to pytorch writes CPC_audio's predictors as its criterion's state_dict",
  async (folder) => {
    await run([checkpointFixture("cpc_audio_lstm1").path, "--out", join(folder, "w")]);
    assert.equal(
      (await run([join(folder, "w"), "--out", join(folder, "back"), "--to", "pytorch"])).status,
      0,
    );
    const criterion = readSafetensors(
      await Deno.readFile(join(folder, "back", "state_dict_criterion.safetensors")),
    );
    assert.deepEqual(
      [...criterion.keys()],
      [0, 1, 2, 3].map((k) => `wPrediction.predictors.${k}.weight`),
    );
    const model = readSafetensors(
      await Deno.readFile(join(folder, "back", "state_dict.safetensors")),
    );
    assert.deepEqual(model.get("gEncoder.batchNorm4.weight")?.shape, [1, 24, 1]);
  },
);

inFolder(
  "convert() refuses a checkpoint with status 1, one line, and nothing written",
  async (folder) => {
    const path = join(folder, "evil.pth");
    await Deno.writeFile(
      path,
      torchZip(dict({ state_dict: new Call("posix.system", ["touch ran"]) })),
    );
    const { status, out, err } = await run([path, "--out", join(folder, "w")]);
    assert.deepEqual([status, out], [1, ""]);
    assert.match(err, /^deno task convert: cannot convert .*evil\.pth: .*posix\.system.*$/);
    await assert.rejects(Deno.stat(join(folder, "w")), Deno.errors.NotFound);
  },
);

inFolder(
  "convert() reads checkpoint_args.json beside the file and refuses a malformed one",
  async (folder) => {
    const { bytes } = checkpointFixture("cpc_audio_lstm1");
    const path = join(folder, "checkpoint_0.pt");
    await Deno.writeFile(path, bytes);
    assert.match(
      (await run([path, "--out", join(folder, "w")])).err,
      /no checkpoint_args\.json beside it/,
    );
    await Deno.writeTextFile(join(folder, "checkpoint_args.json"), `{"cpc_mode": "reverse"}`);
    assert.match((await run([path, "--out", join(folder, "w")])).err, /cpc_mode reverse/);
    await Deno.writeTextFile(join(folder, "checkpoint_args.json"), "{");
    const { status, err } = await run([path, "--out", join(folder, "w")]);
    assert.deepEqual([status, /cannot read .*checkpoint_args\.json/.test(err)], [1, true]);
  },
);

inFolder(
  "convert() of CDCK6: the folder serves the forward network and is scored by both",
  async (folder) => {
    const config = {
      ...tinyConfig,
      reverse: { context: tinyConfig.context, predictors: tinyConfig.predictors },
    };
    const weights = randomWeights(config, 5);
    const tensors = new Map(
      [...weights.tensors].filter(([name]) => !/^encoder.*conv\.bias$/.test(name)),
    );
    const { kind, model } = toPyTorch({ ...weights, tensors });
    const path = join(folder, "cdck6.pth");
    const prefixed = [...model].map(([name, tensor]) => [`module.${name}`, tensor] as const);
    await Deno.writeFile(
      path,
      torchZip(dict({ epoch: 3, state_dict: stateDict(prefixed), optimizer: null })),
    );
    const { status, out } = await run([
      path,
      "--out",
      join(folder, "two-ways"),
      "--input-scale",
      "1",
    ]);
    assert.deepEqual([status, kind], [0, "CDCK6"]);
    assert.match(out, /gru1 .* streams; gru2/);
    const converted = await loadWeights(join(folder, "two-ways"));
    const samples = fixtureSamples("italian_short.wav", { start: 3000, samples: 6400 });
    await withServer(async ({ app }) => {
      const post = (path: string) =>
        app.request(path, { method: "POST", body: new Blob([wav(samples)]) });
      const [own] = (await (await app.request("/v1/models")).json()).data;
      assert.deepEqual(own.reverse, { context: 6, steps: 3, scored: true, streamed: false });
      const { data } = await (await post("/v1/embeddings")).json();
      assert.ok(
        maxDifference(
          data[0].context.flat(),
          referenceForward({ ...weights, tensors }, samples).context.data,
        ) <= 1e-4,
      );
      const { nce, forward, reverse, steps } = await (await post("/v1/score?window=1600&t=3"))
        .json();
      assert.ok(forward.nce !== reverse.nce && steps.length === 3);
      assert.ok(Math.abs(nce - (forward.nce + reverse.nce) / 2) < 1e-9);
    }, { models: [converted] });
  },
);

Deno.test("convert() answers wrong usage with status 2 and one line that names it", async () => {
  const cases: [string[], RegExp][] = [
    [["--out", "w"], /convert takes one CHECKPOINT, got 0/],
    [["a", "b", "--out", "w"], /convert takes one CHECKPOINT, got 2/],
    [["a"], /--out DIR is required/],
    [["missing.pth", "--out", "w"], /cannot read missing\.pth/],
    [[".", "--out", "w"], /is a folder/],
    [["missing", "--out", "w", "--to", "pytorch"], /cannot read missing/],
    [["a", "--out", "w", "--bogus"], /'--bogus'/],
    [["a", "--out", "w", "--layer", "0"], /--layer takes a whole number from 1 to 99, got "0"/],
    [["a", "--out", "w", "--layer", "1.5"], /--layer takes/],
    [["a", "--out", "w", "--layer", "-1"], /--layer/],
    [["a", "--out", "w", "--input-scale", "0"], /--input-scale takes a number above 0/],
    [["a", "--out", "w", "--input-scale", "loud"], /--input-scale takes.*"loud"/],
    [["a", "--out", "w", "--input-scale", "Infinity"], /--input-scale/],
    [["a", "--out", "w", "--dtype", "int8"], /--dtype takes f32 or f16, got "int8"/],
    [["a", "--out", "w", "--to", "onnx"], /--to takes pytorch/],
    [["a", "--out", "w", "--to", "pytorch", "--layer", "1"], /cannot go with --to pytorch/],
    [["a", "--out", "w", "--cpc", "b", "--to", "pytorch"], /--cpc cannot go with --to pytorch/],
    [["a", "--out", "w", "--cpc", "b", "--layer", "1"], /cannot go with --cpc/],
    [["a", "--out", "w", "--live-alignment"], /--live-alignment go with --cpc/],
    [["a", "--out", "w", "--context-seconds", "5"], /go with --cpc/],
    [
      ["a", "--out", "w", "--cpc", "b", "--context-seconds", "0"],
      /takes a number above 0, up to 600/,
    ],
    [["a", "--out", "w", "--cpc", "b", "--frame-rate", "fast"], /--frame-rate takes a number/],
    [["a", "--out", "w", "--cpc", "b"], /cannot read a:/],
  ];
  for (const [args, why] of cases) {
    const { status, out, err } = await run(args);
    assert.deepEqual([status, out], [2, ""], args.join(" "));
    assert.match(err, why);
    assert.ok(err.startsWith("deno task convert: ") && !err.includes("\n"), err);
  }
});
