/**
 * What a step does with its gradients, on WebGPU, in few kernels: the norm of all, Adam in place,
 * and the running average in place. Sums have one order, so a run repeats to the bit.
 */
import type * as core from "@tensorflow/tfjs-core";
import type { AnyTensor, Tf } from "../model/tfjs/layers.ts";
import { runKernel, WORKGROUP } from "../model/tfjs/webgpu_kernel.ts";

/** Tensors that WebGPU promises a kernel. */
const MOST_TENSORS = 8;
/** Workgroups that share the numbers of a few gradients. */
const SUMMING_GROUPS = 64;

const ADAM = `
  fn run(group: u32, thread: u32) {
    let i = group * threads + thread;
    if (i >= uniforms.size) { return; }
    let g = gradient[i] * (uniforms.clip / max(norm[0], uniforms.clip));
    let m = mean[i] * uniforms.beta1 + g * uniforms.fresh1;
    let s = square[i] * uniforms.beta2 + g * g * uniforms.fresh2;
    mean[i] = m;
    square[i] = s;
    value[i] -= m * uniforms.rate / (sqrt(s) + uniforms.epsilon);
  }`;

/** The sum of the squares of all numbers. */
export function sumOfSquares(tf: Tf, tensors: readonly AnyTensor[]): core.Scalar {
  return tf.tidy(() => {
    const parts = inGroups(tensors, MOST_TENSORS - 1).map((some) => {
      const [sums] = runKernel(tf, {
        name: `squares${some.length}`,
        code: `
          var<workgroup> shares: array<f32, threads>;
          fn run(group: u32, thread: u32) {
            var sum = 0.0;
            ${
          some.map((_, n) =>
            `for (var i = group * threads + thread; i < uniforms.size${n}; i += groups * threads) {
              sum += x${n}[i] * x${n}[i];
            }`
          ).join("\n")
        }
            shares[thread] = sum;
            for (var half = threads / 2u; half > 0u; half /= 2u) {
              workgroupBarrier();
              if (thread < half) { shares[thread] += shares[thread + half]; }
            }
            if (thread == 0u) { sums[group] = shares[0]; }
          }`,
        constants: { threads: WORKGROUP, groups: SUMMING_GROUPS },
        sizes: named("size", some.map(({ size }) => size)),
        reads: named("x", some),
        makes: { sums: [SUMMING_GROUPS] },
        groups: SUMMING_GROUPS,
      });
      return sums as core.Tensor1D;
    });
    return tf.sum<core.Scalar>(tf.concat(parts));
  });
}

/**
 * Moves one variable and its moments by a gradient, which is first clipped by the norm of all.
 *
 * @param options `rate`: with the bias corrections; `norm`: a scalar
 */
export function adamInPlace(
  tf: Tf,
  { value, mean, square, gradient }: Readonly<
    Record<"value" | "mean" | "square" | "gradient", AnyTensor>
  >,
  { norm, rate, beta1, beta2, clip, epsilon }:
    & Readonly<Record<"rate" | "beta1" | "beta2" | "clip" | "epsilon", number>>
    & { readonly norm: core.Scalar },
): void {
  runKernel(tf, {
    name: "adam",
    code: ADAM,
    constants: { threads: WORKGROUP },
    sizes: { size: value.size },
    factors: { rate, beta1, fresh1: 1 - beta1, beta2, fresh2: 1 - beta2, clip, epsilon },
    reads: { gradient, norm },
    changes: { value, mean, square },
    groups: Math.ceil(value.size / WORKGROUP),
  });
}

/** average ← decay · average + (1 − decay) · value, for each pair. */
export function moveAverages(
  tf: Tf,
  pairs: readonly { readonly average: AnyTensor; readonly value: AnyTensor }[],
  decay: number,
): void {
  for (const some of inGroups(pairs, MOST_TENSORS / 2)) {
    const sizes = some.map(({ value }) => value.size);
    runKernel(tf, {
      name: `averages${some.length}`,
      code: `
        fn run(group: u32, thread: u32) {
          let i = group * threads + thread;
          ${
        some.map((_, n) =>
          `if (i < uniforms.size${n}) {
            average${n}[i] = average${n}[i] * uniforms.decay + value${n}[i] * uniforms.fresh;
          }`
        ).join("\n")
      }
        }`,
      constants: { threads: WORKGROUP },
      sizes: named("size", sizes),
      factors: { decay, fresh: 1 - decay },
      reads: named("value", some.map(({ value }) => value)),
      changes: named("average", some.map(({ average }) => average)),
      groups: Math.ceil(Math.max(...sizes) / WORKGROUP),
    });
  }
}

function inGroups<T>(all: readonly T[], most: number): T[][] {
  const count = Math.ceil(all.length / most);
  return Array.from({ length: count }, (_, i) => all.slice(i * most, (i + 1) * most));
}

/** `name0`, `name1` … */
function named<T>(name: string, values: readonly T[]): Record<string, T> {
  return Object.fromEntries(values.map((value, i) => [`${name}${i}`, value]));
}
