/** One question of `deno task doctor`, asked in a process of its own: prints one line of JSON. */
import { FP32_TOLERANCE, goldenDifferences, largestDifference } from "../../conformance/check.ts";
import { caseWeights, featureCases } from "../../conformance/golden.ts";
import { rateOf, stepInput } from "../../bench/step.ts";
import { CpcError } from "../../errors.ts";
import { type Engine, ENGINE_KINDS, type EngineKind, type Precision } from "../../model/engine.ts";
import { nvidiaDriver } from "../../model/nvidia.ts";
import { webgpuAdapter } from "../../model/tfjs/webgpu_adapter.ts";
import { vulkanDevices } from "../../model/vulkan.ts";
import { loadWeights, type Weights } from "../../model/weights.ts";
import { createEngine } from "../../model/engines/create.ts";

/** Streams in the speed measurement, one hop each. */
const STREAMS = 8;
const READING_MS = 1000;

const [question, ...args] = Deno.args;
const [engineKind, device = "", folder = ""] = args;
try {
  console.log(JSON.stringify({ answer: await answer() }));
} catch (error) {
  const kind = error instanceof CpcError && error.code === "weights_invalid"
    ? "badWeights"
    : "failed";
  console.log(JSON.stringify({ [kind]: error instanceof Error ? error.message : String(error) }));
}
Deno.exit(0); // native libraries may keep the process alive

async function answer(): Promise<unknown> {
  switch (question) {
    case "nvidia":
      return nvidiaDriver();
    case "vulkan":
      return vulkanDevices();
    case "webgpu":
      return await webgpuAdapter();
    case "speed":
      return await speed(await loadWeights(folder));
    case "check":
      return await check();
    default:
      throw new TypeError(`no such question: ${question}`);
  }
}

/** The requested engine, without a substitute. */
async function engineOf(weights: Weights, precision: Precision = "fp32"): Promise<Engine> {
  const kind = ENGINE_KINDS.find((kind) => kind === engineKind) as EngineKind;
  const engine = await createEngine(kind, weights, { device, precision, threads: 1 });
  if (engine.device === "wasm" && device === "cpu") {
    throw new Error(engine.backend.notTaken[0]?.why ?? "libtensorflow was not taken");
  }
  return engine;
}

async function speed(weights: Weights): Promise<unknown> {
  const engine = await engineOf(weights);
  const { library, warning } = engine.backend;
  const answer = { library, warning, audio_seconds_per_second: await reading(engine) };
  await engine.dispose();
  if (engineKind !== "onnx" || device !== "cpu") return answer;
  try {
    const narrow = await engineOf(weights, "int8");
    const int8 = {
      works: true,
      warning: narrow.backend.warning,
      audio_seconds_per_second: await reading(narrow),
    };
    await narrow.dispose();
    return { ...answer, int8 };
  } catch (error) {
    return { ...answer, int8: { works: false, why: (error as Error).message } };
  }
}

async function reading(engine: Engine): Promise<number> {
  const input = stepInput(engine.layout, { streams: STREAMS, hops: 1 });
  for (let i = 0; i < 3; i++) await engine.step(input);
  return await rateOf(engine, input, READING_MS);
}

async function check(): Promise<unknown> {
  const fixtures = [];
  let library = "";
  let warning: string | undefined;
  for (const golden of featureCases()) {
    const engine = await engineOf(await caseWeights(golden.model));
    ({ library, warning } = engine.backend);
    fixtures.push(await goldenDifferences(engine, golden));
    await engine.dispose();
  }
  const largest = largestDifference(fixtures);
  return {
    library,
    warning,
    tolerance: FP32_TOLERANCE,
    largest,
    passed: largest <= FP32_TOLERANCE,
    fixtures,
  };
}
