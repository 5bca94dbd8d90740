import assert from "node:assert/strict";
import { workersOf } from "../../config/workers.ts";
import { UsageError } from "../../errors.ts";
import { serverConfigOf } from "../support/config.ts";

const ONNX = { engine: "onnx", precision: "fp32" } as const;

Deno.test("workersOf() is one a core, one a process for a card, and four for CUDA, auto's too", () => {
  const cores = navigator.hardwareConcurrency;
  const count = (device: string, processes?: number, takesCard = () => false) =>
    workersOf({ ...ONNX, device, workers: undefined }, { processes, takesCard });
  for (const device of ["auto", "cpu", "wasm"]) assert.equal(count(device, 3), cores);
  for (const device of ["webgpu", "gpu"]) {
    assert.deepEqual([count(device), count(device, 3)], [1, 3]);
  }
  const cuda = Math.min(4, cores);
  for (const device of ["cuda", "auto"]) {
    assert.deepEqual(
      [1, 3, 7].map((processes) => count(device, processes, () => true)),
      [cuda, Math.max(3, cuda), 7],
      device,
    );
  }
  const withCard = () => true;
  assert.equal(count("cpu", 1, withCard), cores);
  const tfjs = { engine: "tfjs", precision: "fp32", device: "auto", workers: undefined } as const;
  assert.equal(workersOf(tfjs, { processes: 2, takesCard: withCard }), 2);
});

Deno.test("workersOf() refuses more than WebGPU takes, and leaves CUDA's to the user", () => {
  const ask = (device: string, workers: number, processes = 1) =>
    workersOf({ ...ONNX, device, workers }, { processes, takesCard: () => true });
  assert.deepEqual(
    [ask("webgpu", 1), ask("webgpu", 2, 2), ask("cuda", 4), ask("cpu", 5), ask("auto", 6)],
    [1, 2, 4, 5, 6],
  );
  assert.throws(
    () => ask("webgpu", 3, 2),
    (error) =>
      error instanceof UsageError && /--workers 3.*one thread.*\(2 here\)/.test(error.message),
  );
});

Deno.test("serverConfig() applies the rule of the card to --workers", () => {
  assert.equal(serverConfigOf(["--device", "webgpu"]).workers, 1);
  assert.equal(serverConfigOf(["--device", "webgpu", "--processes", "2"]).workers, 2);
  assert.throws(() => serverConfigOf(["--device", "webgpu", "--workers", "2"]), /--workers 2/);
});
