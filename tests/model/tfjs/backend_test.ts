import assert from "node:assert/strict";
import { CpcError } from "../../../errors.ts";
import {
  describeTfjs,
  loadTfjs,
  TFJS_VERSION,
  type TfjsLoaders,
} from "../../../model/tfjs/backend.ts";
import { NATIVE_FOLDER, NATIVE_STAMP } from "../../../model/tfjs/native.ts";

async function isBuilt(folder: "cpu" | "gpu"): Promise<boolean> {
  try {
    await Deno.stat(new URL(`${folder}/${NATIVE_STAMP}`, NATIVE_FOLDER));
    return true;
  } catch {
    return false;
  }
}

Deno.test("loadTfjs() of auto takes the first that works, with reasons for others", async () => {
  const { tf, backend, tried, versions } = await loadTfjs();
  assert.equal(versions.tfjs, TFJS_VERSION);
  assert.equal(tf.tidy(() => tf.sum(tf.ones([3])).dataSync()[0]), 3);
  const reasons = new Map(tried.map(({ name, why }) => [name, why]));
  if (!await isBuilt("gpu")) {
    assert.match(reasons.get("tfjs-node-gpu") ?? "", /NVIDIA|not installed.*setup:tfjs --gpu/);
  }
  if (backend === "wasm") assert.match(reasons.get("tfjs-node") ?? "", /not installed.*setup:tfjs/);
});

Deno.test("loadTfjs() of gpu insists on a card, and says why there is none", async () => {
  if (await isBuilt("gpu")) return; // its own machine's business: see docs/gpu.md
  const refused = (error: unknown) =>
    error instanceof CpcError && error.code === "invalid_option" &&
    /tfjs-node-gpu/.test(error.message);
  await assert.rejects(loadTfjs({ device: "gpu" }), refused);
  await assert.rejects(loadTfjs({ device: "cuda" }), refused);
});

/**
 * Loaders of a machine that is not this one: what each native package does, whether there is a
 * card.
 */
function machine(
  { card, gpu, cpu, webgpu = "broken" }: {
    card: boolean;
    gpu: "gpu" | "cpu" | "broken";
    cpu: "works" | "broken";
    webgpu?: "gpu" | "software" | "broken";
  },
): TfjsLoaders & { loaded: string[] } {
  const loaded: string[] = [];
  return {
    loaded,
    card: () => assert.ok(card, "no card"),
    // deno-lint-ignore require-await -- one that throws rejects
    async adapter() {
      if (webgpu === "broken") throw new Error("no adapter");
      return { name: "Adapter 9", inSoftware: webgpu === "software" };
    },
    wasm: async () => ({
      tf: await import("@tensorflow/tfjs-core"),
      backend: "wasm",
      device: "cpu",
      versions: { tfjs: "1" },
    }),
    async webgpu() {
      loaded.push("webgpu");
      if (webgpu === "broken") throw new Error("no adapter");
      return {
        tf: await import("@tensorflow/tfjs-core"),
        backend: "webgpu",
        device: webgpu === "gpu" ? "gpu" : "cpu",
        adapter: { name: "Adapter 9", inSoftware: webgpu === "software" },
        versions: { tfjs: "4" },
      };
    },
    async native(backend) {
      loaded.push(backend);
      const works = backend === "tfjs-node-gpu" ? gpu : cpu;
      if (works === "broken") throw new Error(`${backend} does not load\nsecond line`);
      const versions = { tfjs: "4", tensorflow: "2" };
      return {
        tf: await import("@tensorflow/tfjs-core"),
        backend,
        device: works === "gpu" ? "gpu" : "cpu",
        versions,
      };
    },
  };
}

Deno.test("loadTfjs() of auto takes a card where there is one", async () => {
  const loaded = await loadTfjs({}, machine({ card: true, gpu: "gpu", cpu: "works" }));
  assert.deepEqual([loaded.backend, loaded.device, loaded.tried], ["tfjs-node-gpu", "gpu", []]);
  assert.deepEqual(describeTfjs(loaded), {
    library: "tfjs-node-gpu 4 (libtensorflow 2)",
    notTaken: [],
    warning: undefined,
  });
});

Deno.test("loadTfjs() of auto loads no GPU build without a card, and says why", async () => {
  const without = machine({ card: false, gpu: "gpu", cpu: "broken" });
  const loaded = await loadTfjs({}, without);
  assert.equal(loaded.backend, "wasm");
  assert.deepEqual(without.loaded, ["tfjs-node"]);
  assert.deepEqual(describeTfjs(loaded).notTaken, [
    { name: "tfjs-node-gpu", why: "no card" },
    { name: "tfjs-node", why: "tfjs-node does not load" },
  ]);
});

Deno.test("loadTfjs() reports a GPU build on the CPU: auto warns, gpu refuses", async () => {
  const fellBack = machine({ card: true, gpu: "cpu", cpu: "works" });
  const backend = describeTfjs(await loadTfjs({}, fellBack));
  assert.match(
    backend.warning ?? "",
    /tfjs-node-gpu computes on the CPU: it found no usable NVIDIA card/,
  );
  assert.deepEqual(backend.notTaken, []);
  await assert.rejects(
    loadTfjs({ device: "gpu" }, fellBack),
    /tfjs-node-gpu: it found no usable NVIDIA card.*docs\/gpu\.md/,
  );
});

Deno.test("loadTfjs() takes WebGPU only by its name, and warns of software", async () => {
  const software = { card: false, gpu: "gpu", cpu: "works", webgpu: "software" } as const;
  const auto = machine({ ...software, webgpu: "gpu" });
  assert.equal((await loadTfjs({}, auto)).backend, "tfjs-node");
  assert.deepEqual(auto.loaded, ["tfjs-node"]);
  const card = await loadTfjs({ device: "webgpu" }, machine({ ...software, webgpu: "gpu" }));
  assert.deepEqual([card.device, describeTfjs(card).warning], ["gpu", undefined]);
  const named = describeTfjs(await loadTfjs({ device: "webgpu" }, machine(software)));
  assert.equal(named.library, "tfjs-backend-webgpu 4 (Adapter 9)");
  assert.match(named.warning ?? "", /WebGPU computes on the CPU.*Adapter 9.*in software/);
  await assert.rejects(
    loadTfjs({ device: "webgpu" }, machine({ ...software, webgpu: "broken" })),
    /--device webgpu: webgpu: no adapter/,
  );
});

Deno.test("loadTfjs() to train takes WebGPU behind CUDA, software only by name", async () => {
  const training = { gradients: true, awaits: true };
  const cuda = machine({ card: true, gpu: "gpu", cpu: "works", webgpu: "gpu" });
  assert.equal((await loadTfjs(training, cuda)).backend, "tfjs-node-gpu");
  const card = machine({ card: true, gpu: "broken", cpu: "works", webgpu: "gpu" });
  assert.equal((await loadTfjs(training, card)).backend, "webgpu");
  assert.deepEqual(card.loaded, ["tfjs-node-gpu", "webgpu"]);
  const soft = machine({ card: false, gpu: "gpu", cpu: "works", webgpu: "software" });
  const { backend, tried } = await loadTfjs(training, soft);
  assert.equal(backend, "tfjs-node");
  assert.deepEqual(soft.loaded, ["tfjs-node"]);
  assert.match(tried[1]?.why ?? "", /Adapter 9, a driver in software; --device webgpu takes it/);
  const named = await loadTfjs({ device: "webgpu", ...training }, soft);
  assert.deepEqual([named.backend, named.device], ["webgpu", "cpu"]);
});

Deno.test("loadTfjs() refuses to train on WebGPU what does not await figures", async () => {
  await assert.rejects(
    loadTfjs(
      { device: "webgpu", gradients: true },
      machine({ card: false, gpu: "gpu", cpu: "works", webgpu: "gpu" }),
    ),
    (error) =>
      error instanceof CpcError && /webgpu.*use auto, gpu, cpu or wasm/.test(error.message),
  );
});
