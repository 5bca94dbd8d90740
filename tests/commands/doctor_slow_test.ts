import assert from "node:assert/strict";
import { z } from "zod";
import { featureCases } from "../support/golden.ts";
import { doctor } from "../support/task.ts";

const SMALL = "tests/fixtures/golden/models/odd_strides";

const reportSchema = z.strictObject({
  system: z.strictObject({
    os: z.string(),
    arch: z.string(),
    deno: z.literal(Deno.version.deno),
    cpu: z.string().min(1),
    cores: z.int().min(1),
    cpu_features: z.array(z.string()),
  }),
  libraries: z.array(
    z.strictObject({ name: z.string(), found: z.boolean(), detail: z.string().min(1) }),
  ),
  engines: z.array(z.discriminatedUnion("works", [
    z.strictObject({
      works: z.literal(true),
      engine: z.string(),
      device: z.string(),
      library: z.string().regex(/ \d+\.\d+/),
      warning: z.string().optional(),
      audio_seconds_per_second: z.number().positive(),
      int8: z.discriminatedUnion("works", [
        z.strictObject({
          works: z.literal(true),
          warning: z.string().optional(),
          audio_seconds_per_second: z.number().positive(),
        }),
        z.strictObject({ works: z.literal(false), why: z.string().min(1) }),
      ]).optional(),
    }),
    z.strictObject({
      works: z.literal(false),
      engine: z.string(),
      device: z.string(),
      why: z.string().min(1),
      todo: z.string().min(1),
    }),
  ])),
});

Deno.test("doctor --json reports each engine: its speed, or why not and what to do", async () => {
  const { code, stdout, stderr } = await doctor(["--json", "--model", SMALL]);
  assert.equal(code, 0, stderr);
  const { engines, libraries } = reportSchema.parse(JSON.parse(stdout));
  const pairs = engines.map(({ engine, device }) => `${engine} ${device}`);
  assert.deepEqual(engines.map((engine) => "int8" in engine), [
    true,
    false,
    false,
    false,
    false,
    false,
    false,
  ]);
  assert.deepEqual(pairs, [
    "onnx cpu",
    "onnx webgpu",
    "onnx cuda",
    "tfjs gpu",
    "tfjs webgpu",
    "tfjs cpu",
    "tfjs wasm",
  ]);
  for (const [i, name] of [[0, "onnx on cpu"], [6, "tfjs on wasm"]] as const) {
    assert.ok(engines[i]?.works, name);
  }
  for (const name of ["NVIDIA driver", "Vulkan", "Deno's WebGPU adapter", "tfjs-node"]) {
    assert.ok(libraries.some((library) => library.name === name), name);
  }
});

Deno.test("doctor --check holds an engine against every fixture", async () => {
  const { code, stdout } = await doctor([
    "--check",
    "--engine",
    "onnx",
    "--device",
    "cpu",
    "--json",
  ]);
  assert.equal(code, 0);
  const { passed, checks: [check] } = JSON.parse(stdout);
  assert.equal(passed, true);
  assert.deepEqual(
    check.fixtures.map(({ name }: { name: string }) => name),
    featureCases().map(({ name }) => name),
  );
  assert.ok(check.largest > 0 && check.largest <= check.tolerance);
});
