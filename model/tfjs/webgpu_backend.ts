/** What the WebGPU backend of TensorFlow.js needs besides: a kernel that works, and its errors. */
import type * as core from "@tensorflow/tfjs-core";
import type { Tf } from "./layers.ts";

/** What the package adds to a backend. */
interface WebgpuBackend extends core.KernelBackend {
  readonly device: GPUDevice;
}

/**
 * Repairs the backend in use, once.
 *
 * `AddN` becomes a chain of additions: the package's binds each input as a buffer of its own, of
 * which WebGPU promises a shader eight. And a reading throws what WebGPU refused before it: the
 * package does not ask, and what it reads then is what the memory held before.
 */
export function repairWebgpu(tf: Tf): void {
  const [addN, add] = ["AddN", "Add"].map((name) => tf.getKernel(name, "webgpu"));
  tf.unregisterKernel("AddN", "webgpu");
  tf.registerKernel({
    ...addN,
    kernelFunc: ({ inputs, backend }) => {
      const [first, ...rest] = Object.values(inputs) as core.TensorInfo[];
      if (rest.length === 0) return addN.kernelFunc({ inputs, backend });
      return rest.reduce((sum, b) => {
        const next = add.kernelFunc({ inputs: { a: sum, b }, backend }) as core.TensorInfo;
        if (sum !== first) (backend as core.KernelBackend).disposeData(sum.dataId);
        return next;
      }, first);
    },
  });
  const backend = tf.backend() as WebgpuBackend;
  const read = backend.read.bind(backend);
  let refused: string | undefined;
  backend.device.addEventListener("uncapturederror", (event) => {
    refused ??= (event as GPUUncapturedErrorEvent).error.message;
  });
  backend.read = async (id) => {
    const data = await read(id);
    if (refused === undefined) return data;
    const message = `WebGPU refused an operation: ${refused}`;
    refused = undefined;
    throw new Error(message);
  };
}
