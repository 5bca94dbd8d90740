/**
 * Kernels of our own on the WebGPU backend of TensorFlow.js. Unlike the package's, one writes
 * several tensors, and may change a tensor in place.
 *
 * They join the package's own pass (`runWebGPUProgram` of tfjs-backend-webgpu 4.22.0), so the order
 * of all kernels is the order of the calls.
 */
import type * as core from "@tensorflow/tfjs-core";
import type { AnyTensor, Tf } from "./layers.ts";

/** Threads of a workgroup: the most that WebGPU promises. */
export const WORKGROUP = 256;

/** What the package's backend has for its kernels. */
interface WebgpuBackend extends core.KernelBackend {
  readonly device: GPUDevice;
  readonly pipelineCache: Record<string, GPUComputePipeline>;
  readonly tensorMap: core.DataStorage<{ resource?: GPUBuffer; values: unknown }>;
  readonly commandQueueOwnedIds: WeakSet<core.DataId>;
  computePassEncoder: GPUComputePassEncoder | null;
  readonly commandEncoder: GPUCommandEncoder;
  dispatchCountInPass: number;
  makeTensorInfo(shape: readonly number[], dtype: core.DataType): core.TensorInfo;
  uploadToGPU(id: core.DataId): void;
  makeUniforms(numbers: { type: string; data: number[] }[]): GPUBindingResource;
  ensureCommandEncoderReady(): void;
  endComputePassEncoder(): void;
  submitQueue(): void;
}

/** A kernel and what it works on. */
export interface WebgpuKernel {
  /** With the constants, it stands for the code: the code is compiled once. */
  readonly name: string;
  /**
   * WGSL with `fn run(group: u32, thread: u32)`, called by {@linkcode WORKGROUP} threads of each
   * group. The tensors are `array<f32>` under their names.
   */
  readonly code: string;
  /** Whole numbers that become part of the code, as `u32`. */
  readonly constants?: Readonly<Record<string, number>>;
  /** Numbers that may change from call to call, in the code as `uniforms.…`: `u32` and `f32`. */
  readonly sizes: Readonly<Record<string, number>>;
  readonly factors?: Readonly<Record<string, number>>;
  /** Tensors that it only reads. */
  readonly reads: Readonly<Record<string, AnyTensor>>;
  /** Tensors that it changes in place, which share their numbers with no other. */
  readonly changes?: Readonly<Record<string, AnyTensor>>;
  /** Shapes of the tensors that it makes. */
  readonly makes?: Readonly<Record<string, readonly number[]>>;
  /** Workgroups. */
  readonly groups: number;
}

/** Whether our kernels can run: the backend in use is WebGPU. */
export function isWebgpu(tf: Tf): boolean {
  return tf.getBackend() === "webgpu";
}

/** The most bytes that a workgroup may share. */
export function workgroupBytes(tf: Tf): number {
  return (tf.backend() as WebgpuBackend).device.limits.maxComputeWorkgroupStorageSize;
}

/** The most bytes of a tensor that a kernel may see. */
export function tensorBytes(tf: Tf): number {
  return (tf.backend() as WebgpuBackend).device.limits.maxStorageBufferBindingSize;
}

/**
 * Lets a kernel run after all that ran before.
 *
 * @returns the tensors that it makes, in the order of `makes`
 */
export function runKernel(tf: Tf, kernel: WebgpuKernel): core.Tensor[] {
  const { reads, changes = {}, makes = {}, sizes, factors = {}, groups } = kernel;
  const backend = tf.backend() as WebgpuBackend;
  const made = Object.values(makes).map((shape) => backend.makeTensorInfo(shape, "float32"));
  const written = [...Object.values(changes), ...made];
  const tensors = [...Object.values(reads), ...written];
  for (const { dataId } of tensors) backend.uploadToGPU(dataId);
  for (const { dataId } of written) backend.tensorMap.get(dataId).values = null; // read before
  const pipeline = pipelineOf(backend, kernel);
  const most = backend.device.limits.maxComputeWorkgroupsPerDimension;
  const rows = Math.ceil(groups / most);
  const columns = Math.ceil(groups / rows);
  const uniforms = backend.makeUniforms([
    ...[columns, groups, ...Object.values(sizes)].map((x) => ({ type: "uint32", data: [x] })),
    ...Object.values(factors).map((x) => ({ type: "float32", data: [x] })),
  ]);
  const resources = tensors.map(({ dataId }): GPUBindingResource => {
    backend.commandQueueOwnedIds.add(dataId);
    const { resource } = backend.tensorMap.get(dataId);
    if (!resource) throw new TypeError(`${kernel.name}: a tensor is not on the device`);
    return { buffer: resource };
  });
  const bindGroup = backend.device.createBindGroup({
    layout: pipeline.getBindGroupLayout(0),
    entries: [...resources, uniforms].map((resource, binding) => ({ binding, resource })),
  });
  backend.ensureCommandEncoderReady();
  const pass = backend.computePassEncoder ??= backend.commandEncoder.beginComputePass();
  pass.setPipeline(pipeline);
  pass.setBindGroup(0, bindGroup);
  pass.dispatchWorkgroups(columns, rows);
  backend.dispatchCountInPass++;
  if (backend.dispatchCountInPass >= tf.env().getNumber("WEBGPU_DEFERRED_SUBMIT_BATCH_SIZE")) {
    backend.endComputePassEncoder();
    backend.submitQueue();
  }
  return made.map((info) => tf.engine().makeTensorFromTensorInfo(info, backend));
}

function pipelineOf(
  { device, pipelineCache }: WebgpuBackend,
  { name, code, constants = {}, sizes, factors = {}, reads, changes = {}, makes = {} }:
    WebgpuKernel,
): GPUComputePipeline {
  const key = ["cpc", name, ...Object.entries(constants).flat()].join("_");
  const known = pipelineCache[key];
  if (known) return known;
  const access = [
    ...Object.keys(reads).map((tensor) => [tensor, "read"]),
    ...Object.keys({ ...changes, ...makes }).map((tensor) => [tensor, "read_write"]),
  ];
  const buffers = access.map(([tensor, mode], binding) =>
    `@group(0) @binding(${binding}) var<storage, ${mode}> ${tensor}: array<f32>;`
  );
  const members = [
    ...["gridColumns", "gridGroups", ...Object.keys(sizes)].map((size) => `${size}: u32,`),
    ...Object.keys(factors).map((factor) => `${factor}: f32,`),
  ];
  const module = device.createShaderModule({
    label: name,
    code: [
      ...Object.entries(constants).map(([constant, value]) =>
        `const ${constant}: u32 = ${value}u;`
      ),
      ...buffers,
      `struct Uniforms { ${members.join(" ")} }`,
      `@group(0) @binding(${access.length}) var<uniform> uniforms: Uniforms;`,
      code,
      `@compute @workgroup_size(${WORKGROUP})
       fn main(
         @builtin(workgroup_id) at: vec3<u32>,
         @builtin(local_invocation_index) thread: u32,
       ) {
         let group = at.y * uniforms.gridColumns + at.x;
         if (group < uniforms.gridGroups) { run(group, thread); }
       }`,
    ].join("\n"),
  });
  const compute = { module, entryPoint: "main" };
  return pipelineCache[key] = device.createComputePipeline({
    label: name,
    layout: "auto",
    compute,
  });
}
