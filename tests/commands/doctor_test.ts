import assert from "node:assert/strict";
import { FP32_TOLERANCE, goldenDifferences, largestDifference } from "../../conformance/check.ts";
import { allPass } from "../../commands/doctor.ts";
import { printReport } from "../../commands/doctor/print.ts";
import { caseWeights, featureCases } from "../support/golden.ts";
import { createEngine } from "../../model/engines/create.ts";
import { loadWeights } from "../../model/weights.ts";
import { doctor } from "../support/task.ts";

const SMALL = "tests/fixtures/golden/models/odd_strides";

Deno.test("doctor tells people which engines work, and how fast", async () => {
  const { code, stdout } = await doctor(["--engine", "tfjs", "--device", "wasm", "--model", SMALL]);
  assert.equal(code, 0);
  assert.match(stdout, /✓ tfjs on wasm +\d+\.\d+ +wasm \d/);
  assert.doesNotMatch(stdout, /onnx on cpu/);
});

Deno.test("doctor exits 1 when what was named does not work, 2 for wrong usage", async () => {
  const missing = await doctor(["--check", "--device", "abacus"]);
  assert.equal(missing.code, 1);
  assert.match(missing.stdout, /onnx on abacus: not checked: .*abacus/);
  assert.equal((await doctor(["--device", "abacus", "--model", SMALL])).code, 1);
  for (
    const [args, message] of [
      [["--engine", "abacus"], /--engine takes onnx or tfjs, got "abacus"/],
      [["--fast"], /--fast/],
      [
        ["--engine", "onnx", "--device", "cpu", "--model", "no/such/folder"],
        /no config\.json in the weights folder/,
      ],
    ] as const
  ) {
    const { code, stdout, stderr } = await doctor([...args]);
    assert.deepEqual([code, stdout], [2, ""]);
    assert.match(stderr, message);
    assert.equal(stderr.trim().split("\n").length, 1);
  }
  const byEnvironment = await doctor([], {
    CPC_DOCTOR_CHECK: "1",
    CPC_DOCTOR_DEVICE: "abacus",
    CPC_DOCTOR_JSON: "1",
  });
  assert.equal(byEnvironment.code, 1);
  assert.equal(JSON.parse(byEnvironment.stdout).passed, false);
  assert.match(
    (await doctor(["--check"], { CPC_DOCTOR_ENGINE: "abacus" })).stderr,
    /--engine takes onnx or tfjs, got "abacus"/,
  );
  const help = await doctor(["--help"]);
  assert.equal(help.code, 0);
  assert.match(help.stdout, /--check .*\n.*CPC_DOCTOR_CHECK.*\n.*--engine/);
});

Deno.test("doctor says what int8 costs on this processor, as a start does", async () => {
  const weights = await loadWeights(SMALL);
  const engine = await createEngine("onnx", weights, {
    device: "cpu",
    precision: "int8",
    threads: 1,
  });
  const { warning } = engine.backend;
  await engine.dispose();
  const { stdout } = await doctor(["--engine", "onnx", "--device", "cpu", "--model", SMALL]);
  const [, told] = /in int8 +[\d.]+\n(?: +! (.+))?/.exec(stdout) ?? assert.fail(stdout);
  assert.equal(told, warning);
});

Deno.test("printReport() prints the warnings of an engine and of its int8", () => {
  const [printed, log] = [[] as string[], console.log];
  console.log = (line: string) => printed.push(line);
  try {
    printReport({
      system: {
        os: "linux",
        arch: "x86_64",
        deno: "2.9.6",
        cpu: "a processor",
        cores: 1,
        cpu_features: ["avx2"],
      },
      libraries: [],
    }, [{
      engine: "onnx",
      device: "cpu",
      works: true,
      library: "onnxruntime-node 1.30.0",
      warning: "of fp32",
      audio_seconds_per_second: 20,
      int8: { works: true, warning: "of int8", audio_seconds_per_second: 60 },
    }]);
  } finally {
    console.log = log;
  }
  const text = printed.join("\n");
  assert.match(text, /a processor, 1 core: avx2/);
  assert.match(text, /20\.00 .*\n +! of fp32\n.* in int8 +60\.00\n +! of int8$/);
});

Deno.test("allPass() wants every engine that was named, and of all those that work", () => {
  const good = { works: true, passed: true };
  const bad = { works: true, passed: false };
  const absent = { works: false, passed: false };
  assert.equal(allPass([good, absent], { named: false }), true);
  assert.equal(allPass([good, bad], { named: false }), false);
  assert.equal(allPass([good, absent], { named: true }), false);
  assert.equal(allPass([absent], { named: false }), false);
});

Deno.test("FP32_TOLERANCE tells fp32 from TF32, whose weights have 10 bits", async () => {
  const golden = featureCases()[0]!;
  const { tensors, ...rest } = await caseWeights(golden.model);
  const rounded = new Map(
    [...tensors].map(([name, { shape, data }]) => [name, { shape, data: tf32(data) }]),
  );
  const engine = await createEngine("onnx", { ...rest, tensors: rounded }, {
    device: "cpu",
    precision: "fp32",
    threads: 1,
  });
  const largest = largestDifference([await goldenDifferences(engine, golden)]);
  await engine.dispose();
  assert.ok(largest > 2 * FP32_TOLERANCE, `|Δ| ${largest}`);
});

/** Rounds to the 10 bits of TF32's factors. */
function tf32(data: Float32Array): Float32Array {
  return new Float32Array(
    Uint32Array.from(new Uint32Array(data.slice().buffer), (bits) => (bits + 0x1000) & 0xffffe000)
      .buffer,
  );
}
