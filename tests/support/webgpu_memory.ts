/** What TensorFlow.js, its WebGPU backend, V8 and the process hold; and the kernels that run. */
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import type * as core from "@tensorflow/tfjs-core";
import type { Tf } from "../../model/tfjs/layers.ts";

/** Fields of the package's backend (4.22.0), private ones too: it has no counters of its own. */
interface WebgpuBackend extends core.KernelBackend {
  readonly bufferManager: {
    readonly numUsedBuffers: number;
    readonly numFreeBuffers: number;
    readonly numBytesUsed: number;
    readonly numBytesAllocated: number;
  };
  readonly textureManager: { readonly numUsedTextures: number; readonly numFreeTextures: number };
  readonly pipelineCache: Readonly<Record<string, unknown>>;
  readonly tensorDataPendingDisposal: readonly unknown[];
  readonly uniformPendingDisposal: readonly unknown[];
  readonly stagingPendingDisposal: readonly unknown[];
}

/** A look at the memory. */
export interface WebgpuMemory {
  /** Numbers that must stay the very same between two looks at the same point of a step. */
  readonly counts: Readonly<Record<string, number>>;
  /** After a collection of all garbage. */
  readonly heapMB: number;
  readonly rssMB: number;
  /** Before it. */
  readonly grownRssMB: number;
}

/** Collects all garbage, then looks; nothing may be under way on the device. */
export async function webgpuMemory(tf: Tf): Promise<WebgpuMemory> {
  const { numTensors, numDataBuffers, numBytes } = tf.memory();
  const backend = tf.backend() as WebgpuBackend;
  const { bufferManager: buffers, textureManager: textures } = backend;
  const grownRssMB = mb(Deno.memoryUsage().rss);
  collectGarbage();
  await new Promise((resolve) => setTimeout(resolve)); // what the device still frees
  collectGarbage();
  const { rss, heapUsed } = Deno.memoryUsage();
  return {
    counts: {
      tensors: numTensors,
      dataBuffers: numDataBuffers,
      bytes: numBytes,
      dataIds: backend.numDataIds(),
      buffersUsed: buffers.numUsedBuffers,
      buffersFree: buffers.numFreeBuffers,
      deviceBytesUsed: buffers.numBytesUsed,
      deviceBytesAllocated: buffers.numBytesAllocated,
      textures: textures.numUsedTextures + textures.numFreeTextures,
      pipelines: Object.keys(backend.pipelineCache).length,
      awaitingDisposal: backend.tensorDataPendingDisposal.length +
        backend.uniformPendingDisposal.length + backend.stagingPendingDisposal.length,
    },
    heapMB: mb(heapUsed),
    rssMB: mb(rss),
    grownRssMB,
  };
}

/** How many kernels a function gives to devices. */
export async function countKernels(use: () => Promise<void>): Promise<number> {
  const pass = GPUComputePassEncoder.prototype;
  const { dispatchWorkgroups } = pass;
  let count = 0;
  pass.dispatchWorkgroups = function (...groups) {
    count++;
    dispatchWorkgroups.apply(this, groups);
  };
  try {
    await use();
  } finally {
    pass.dispatchWorkgroups = dispatchWorkgroups;
  }
  return count;
}

function mb(bytes: number): number {
  return bytes / 2 ** 20;
}

/** As with `--expose-gc`, which the tasks do not have. */
function collectGarbage(): void {
  setFlagsFromString("--expose-gc");
  runInNewContext("gc")();
}
