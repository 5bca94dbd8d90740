import assert from "node:assert/strict";
import { CpcError } from "../../../errors.ts";
import {
  describeTfjs,
  loadTfjs,
  NATIVE_FOLDER,
  NATIVE_STAMP,
  TFJS_VERSION,
  type TfjsLoaders,
} from "../../../model/tfjs/backend.ts";

async function isBuilt(folder: "cpu" | "gpu"): Promise<boolean> {
  try {
    await Deno.stat(new URL(`${folder}/${NATIVE_STAMP}`, NATIVE_FOLDER));
    return true;
  } catch {
    return false;
  }
}

Deno.test("loadTfjs() of auto takes the first backend that works and gives a reason for each before it", async () => {
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
  { card, gpu, cpu }: { card: boolean; gpu: "gpu" | "cpu" | "broken"; cpu: "works" | "broken" },
): TfjsLoaders & { loaded: string[] } {
  const loaded: string[] = [];
  return {
    loaded,
    card: () => assert.ok(card, "no card"),
    wasm: async () => ({
      tf: await import("@tensorflow/tfjs-core"),
      backend: "wasm",
      device: "cpu",
      versions: { tfjs: "1" },
    }),
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

Deno.test("loadTfjs() of auto does not load a GPU build without a card, and falls to the next that works, each with its reason", async () => {
  const without = machine({ card: false, gpu: "gpu", cpu: "broken" });
  const loaded = await loadTfjs({}, without);
  assert.equal(loaded.backend, "wasm");
  assert.deepEqual(without.loaded, ["tfjs-node"]);
  assert.deepEqual(describeTfjs(loaded).notTaken, [
    { name: "tfjs-node-gpu", why: "no card" },
    { name: "tfjs-node", why: "tfjs-node does not load" },
  ]);
});

Deno.test("loadTfjs() reports a GPU build that fell back to the CPU: a warning with auto, a refusal with gpu", async () => {
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
