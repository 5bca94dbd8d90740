/**
 * GRU and LSTM in TensorFlow.js ops, as PyTorch defines them (gate orders r, z, n and i, f, g, o;
 * b_hn inside r · (…)).
 *
 * Inside, time comes first: `[T, B, ·]`. The input's share of all gates is one product over all
 * frames; only the recurrence is unrolled.
 */
import type * as core from "@tensorflow/tfjs-core";
import type { AnyTensor, Tensor1D, Tensor2D, Tensor3D, Tf } from "./layers.ts";
import { fitsWorkgroup, gruBackward, gruForward, type GruParts } from "./webgpu_gru.ts";
import { isWebgpu } from "./webgpu_kernel.ts";

/** One layer's weights, PyTorch's matrices transposed. */
export interface RecurrentWeights {
  readonly weightIh: Tensor2D; // [I, gates · H]
  readonly weightHh: Tensor2D; // [H, gates · H]
  /** The sum of all biases that are only added. */
  readonly bias: Tensor1D; // [gates · H]
  /** b_hn of a GRU, which r multiplies. */
  readonly biasN?: Tensor1D; // [H]
}

/** Sorts a layer's biases by where they act. */
export function recurrentWeights(
  tf: Tf,
  type: "gru" | "lstm",
  { weightIh, weightHh, biasIh, biasHh }: {
    weightIh: Tensor2D;
    weightHh: Tensor2D;
    biasIh: Tensor1D;
    biasHh: Tensor1D;
  },
): RecurrentWeights {
  if (type === "lstm") return { weightIh, weightHh, bias: tf.add(biasIh, biasHh) };
  const width = weightHh.shape[0];
  const [biasRz, biasN] = tf.split(biasHh, [2 * width, width]) as Tensor1D[];
  return {
    weightIh,
    weightHh,
    bias: tf.add(biasIh, tf.concat([biasRz, tf.zeros([width])])),
    biasN,
  };
}

/** A layer's output and its final state. */
export interface RecurrentOutput {
  readonly output: Tensor3D; // [T, B, H]
  readonly hidden: Tensor2D; // [B, H]
  /** Of an LSTM. */
  readonly cell?: Tensor2D; // [B, H]
}

/**
 * One GRU layer: h' = (1 − z) n + z h.
 *
 * @param x `[T, B, I]`
 * @param hidden `[B, H]`
 */
export function gru(
  tf: Tf,
  x: Tensor3D,
  { weights, hidden }: { weights: RecurrentWeights; hidden: Tensor2D },
): RecurrentOutput {
  const [frames, streams, inputs] = x.shape;
  const width = hidden.shape[1];
  const { weightIh, weightHh, bias, biasN } = weights;
  if (!biasN) throw new TypeError("these are weights of an LSTM");
  const gates = tf.add(tf.matMul(tf.reshape(x, [frames * streams, inputs]), weightIh), bias);
  const recurrence = isWebgpu(tf) && fitsWorkgroup(tf, width) ? gruInOneKernel : gruRecurrence;
  const output = recurrence(tf, tf.reshape(gates, [frames, streams, 3 * width]), {
    weight: weightHh,
    biasN,
    hidden,
  });
  return {
    output,
    hidden: tf.reshape(tf.slice(output, [frames - 1, 0, 0], [1, streams, width]), [streams, width]),
  };
}

/**
 * The recurrence of a GRU with a hand-written gradient: backwards, one small product per frame, and
 * all weight gradients at once.
 *
 * @param gates `[T, B, 3H]`: the input's share, and every bias but b_hn
 * @returns `[T, B, H]`
 */
function gruRecurrence(
  tf: Tf,
  gates: Tensor3D,
  { weight, biasN, hidden }: GruParts,
): Tensor3D {
  const [frames, streams] = gates.shape;
  const width = hidden.shape[1];
  const op = tf.customGrad((...args) => {
    const [gates, weight, biasN, hidden] = args as [Tensor3D, Tensor2D, Tensor1D, Tensor2D];
    const save = args[4] as core.GradSaveFunc;
    const [gatesRz, gatesN] = tf.split(gates, [2 * width, width], 2).map((part) =>
      tf.unstack(part) as Tensor2D[]
    );
    let h = hidden;
    const kept: { r: Tensor2D[]; z: Tensor2D[]; n: Tensor2D[]; a: Tensor2D[]; h: Tensor2D[] } = {
      r: [],
      z: [],
      n: [],
      a: [],
      h: [],
    };
    const outputs: Tensor2D[] = [];
    for (let t = 0; t < frames; t++) {
      const [recurrentRz, recurrentN] = tf.split(
        tf.matMul(h, weight),
        [2 * width, width],
        1,
      ) as Tensor2D[];
      // [B, H]
      const [r, z] = tf.split(tf.sigmoid(tf.add(gatesRz[t], recurrentRz)), 2, 1) as Tensor2D[];
      const a: Tensor2D = tf.add(recurrentN, biasN); // what r gates
      const n = tf.tanh(tf.add(gatesN[t], tf.mul(r, a))) as Tensor2D;
      kept.r.push(r);
      kept.z.push(z);
      kept.n.push(n);
      kept.a.push(a);
      kept.h.push(h);
      h = tf.add(n, tf.mul(z, tf.sub(h, n)));
      outputs.push(h);
    }
    save([...kept.r, ...kept.z, ...kept.n, ...kept.a, ...kept.h, weight]);
    return {
      value: tf.stack(outputs),
      gradFunc: (dy, saved) => backward(dy, saved as AnyTensor[]),
    };
  });

  function backward(dy: AnyTensor, saved: AnyTensor[]): AnyTensor[] {
    const [r, z, n, a, before] = Array.from(
      { length: 5 },
      (_, i) => tf.stack(saved.slice(i * frames, (i + 1) * frames)),
    ); // [T, B, H]
    const weight = saved[5 * frames] as Tensor2D;
    // what a change of h' does to each gate before its nonlinearity, for all frames at once; [T, B,
    // H] each
    const toZ = tf.mul(tf.sub(before, n), tf.mul(z, tf.sub(1, z)));
    const toN = tf.mul(tf.sub(1, z), tf.sub(1, tf.square(n)));
    const toR = tf.mul(toN, tf.mul(a, tf.mul(r, tf.sub(1, r))));
    const toA = tf.mul(toN, r);
    const slopes = tf.unstack(tf.stack([toR, toZ, toA], 2)) as Tensor3D[]; // T × [B, 3, H]
    const keep = tf.unstack(z) as Tensor2D[];
    const dyAt = tf.unstack(dy) as Tensor2D[];
    const dHs: Tensor2D[] = [];
    const dGatesA: Tensor2D[] = [];
    let dh = dyAt[frames - 1];
    for (let t = frames - 1; t >= 0; t--) {
      const d = tf.reshape(tf.mul(slopes[t], tf.expandDims(dh, 1)), [
        streams,
        3 * width,
      ]) as Tensor2D; // of r, z, a
      dHs.unshift(dh);
      dGatesA.unshift(d);
      const before = tf.add(tf.mul(dh, keep[t]), tf.matMul(d, weight, false, true)) as Tensor2D;
      dh = t > 0 ? tf.add(before, dyAt[t - 1]) : before;
    }
    const dRecurrent = tf.stack(dGatesA) as Tensor3D; // [T, B, 3H]: r, z, a
    const dN = tf.mul(tf.stack(dHs), toN); // [T, B, H]
    const [dRz, dA] = tf.split(dRecurrent, [2 * width, width], 2);
    const flat = (x: AnyTensor, columns: number) =>
      tf.reshape(x, [frames * streams, columns]) as Tensor2D;
    return [
      tf.concat([dRz, dN], 2),
      tf.matMul(flat(before, width), flat(dRecurrent, 3 * width), true),
      tf.sum(dA, [0, 1]),
      dh,
    ];
  }
  return op(gates, weight, biasN, hidden) as Tensor3D;
}

/** {@linkcode gruRecurrence} on WebGPU: as many kernels for any number of frames. */
function gruInOneKernel(
  tf: Tf,
  gates: Tensor3D,
  { weight, biasN, hidden }: GruParts,
): Tensor3D {
  const [frames, streams] = gates.shape;
  const width = hidden.shape[1];
  const op = tf.customGrad((...args) => {
    const [inputs, weight, biasN, hidden] = args as [Tensor3D, Tensor2D, Tensor1D, Tensor2D];
    const save = args[4] as core.GradSaveFunc;
    const { output, before, gates } = gruForward(tf, inputs, { weight, biasN, hidden });
    save([before, gates, weight]);
    return {
      value: output,
      gradFunc: (dy, saved) => {
        const [before, gates, weight] = saved as [Tensor3D, AnyTensor, Tensor2D];
        const { dInputs, dRecurrent, dHidden } = gruBackward(tf, dy, { before, gates, weight });
        const flat = tf.reshape(dRecurrent, [frames * streams, 3 * width]); // r, z, a
        return [
          dInputs,
          tf.matMul(tf.reshape(before, [frames * streams, width]), flat, true),
          tf.slice(tf.sum(flat, 0), [2 * width], [width]),
          dHidden,
        ];
      },
    };
  });
  return op(gates, weight, biasN, hidden) as Tensor3D;
}

/**
 * One LSTM layer: c' = f c + i g, h' = o tanh(c').
 *
 * @param x `[T, B, I]`
 * @param hidden `[B, H]`
 * @param cell `[B, H]`
 */
export function lstm(
  tf: Tf,
  x: Tensor3D,
  { weights, hidden, cell }: { weights: RecurrentWeights; hidden: Tensor2D; cell: Tensor2D },
): RecurrentOutput {
  const [frames, streams, inputs] = x.shape;
  const width = hidden.shape[1];
  const gates = tf.add(
    tf.matMul(tf.reshape(x, [frames * streams, inputs]), weights.weightIh),
    weights.bias,
  );
  const gatesAt = tf.unstack(tf.reshape(gates, [frames, streams, 4 * width])) as Tensor2D[];
  const outputs: Tensor2D[] = [];
  let [h, c] = [hidden, cell];
  for (let t = 0; t < frames; t++) {
    const [i, f, g, o] = tf.split(
      tf.add(gatesAt[t], tf.matMul(h, weights.weightHh)),
      4,
      1,
    ) as Tensor2D[]; // [B, H]
    c = tf.add(tf.mul(tf.sigmoid(f), c), tf.mul(tf.sigmoid(i), tf.tanh(g)));
    h = tf.mul(tf.sigmoid(o), tf.tanh(c));
    outputs.push(h);
  }
  return { output: tf.stack(outputs) as Tensor3D, hidden: h, cell: c };
}
