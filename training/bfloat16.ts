/**
 * Large matrix products of tfjs-node in bfloat16 with sums in fp32, for training on CPUs that have
 * such instructions (AVX512-BF16, AMX): up to twice as fast. Other CPUs round parts of the sums.
 * TensorFlow.js has no such type; libtensorflow has, and the binding passes it through.
 */
import type * as core from "@tensorflow/tfjs-core";
import type { Tf } from "../model/tfjs/layers.ts";

/** Values of TensorFlow's `DataType`. */
const [FLOAT, BFLOAT16] = [1, 14];
/**
 * Multiply-adds from which it pays off: the encoder's products. Scores and recurrences stay in
 * fp32.
 */
const LARGE = 5e8;
/** `auto` uses bfloat16 when it is this many times as fast. */
const WORTH = 1.2;
/**
 * Products of each kind in the trial. Three, the first of which is slow, chose fp32 on a machine
 * where a bfloat16 step is 1.35 times as fast.
 */
const TRIALS = 10;

/** A tensor as the binding hands it out. */
interface Handle {
  readonly id: number;
  readonly shape: number[];
  readonly dtype: number;
}
interface OpAttribute {
  readonly name: string;
  readonly type: number;
  readonly value: number | boolean;
}
interface NativeBackend extends core.KernelBackend {
  readonly binding: {
    readonly TF_ATTR_TYPE: number;
    readonly TF_ATTR_BOOL: number;
    executeOp(name: string, attributes: OpAttribute[], inputs: number[], outputs: number): Handle[];
    deleteTensor(id: number): void;
  };
  getInputTensorIds(tensors: core.TensorInfo[]): number[];
  createOutputTensor(handle: Handle): core.Tensor;
}

/** Turns bfloat16 on and off. */
export interface Bfloat16Products {
  enabled: boolean;
}

/**
 * Installs a switch in front of tfjs-node's matrix product.
 *
 * @param precision `auto`: bfloat16 if a trial shows that it is faster
 * @returns the switch, off; undefined when products stay in fp32
 */
export function bfloat16Products(
  tf: Tf,
  precision: "auto" | "fp32" | "bf16",
): Bfloat16Products | undefined {
  if (precision === "fp32" || tf.getBackend() !== "tensorflow") return undefined;
  const plain = tf.getKernel("BatchMatMul", "tensorflow");
  const products: Bfloat16Products = { enabled: false };
  tf.unregisterKernel("BatchMatMul", "tensorflow");
  tf.registerKernel({
    ...plain,
    kernelFunc: (call) => {
      const { a, b } = call.inputs;
      const isLarge = a && b && a.shape.length === 2 && b.shape.length === 2 &&
        a.dtype === "float32" &&
        a.shape[0] * a.shape[1] * (call.attrs?.transposeB ? b.shape[0] : b.shape[1]) >= LARGE;
      if (!products.enabled || !isLarge) return plain.kernelFunc(call);
      return product(tf.backend() as NativeBackend, { a, b, attrs: call.attrs });
    },
  });
  if (precision === "auto" && speedUp(tf, products) < WORTH) return undefined;
  return products;
}

function product(
  backend: NativeBackend,
  { a, b, attrs }: { a: core.TensorInfo; b: core.TensorInfo; attrs?: core.NamedAttrMap },
): core.TensorInfo {
  const { binding } = backend;
  const type = (name: string, value: number) => ({ name, type: binding.TF_ATTR_TYPE, value });
  const flag = (name: string, value: unknown) => ({
    name,
    type: binding.TF_ATTR_BOOL,
    value: value === true,
  });
  const cast = (id: number, from: number, to: number): Handle => {
    return binding.executeOp(
      "Cast",
      [type("SrcT", from), type("DstT", to), flag("Truncate", false)],
      [id],
      1,
    )[0];
  };
  const halves = backend.getInputTensorIds([a, b]).map((id) => cast(id, FLOAT, BFLOAT16).id);
  const attributes = [
    type("T", BFLOAT16),
    flag("adj_x", attrs?.transposeA),
    flag("adj_y", attrs?.transposeB),
  ];
  const [half] = binding.executeOp("BatchMatMulV2", attributes, halves, 1);
  const whole = cast(half.id, BFLOAT16, FLOAT);
  for (const id of [...halves, half.id]) binding.deleteTensor(id);
  return backend.createOutputTensor(whole);
}

/** How many times as fast a large product is in bfloat16. */
function speedUp(tf: Tf, products: Bfloat16Products): number {
  return tf.tidy(() => {
    const [a, b] = [tf.ones([2048, 1024]), tf.ones([1024, 1024])];
    const times = { fp32: Infinity, bf16: Infinity };
    for (let i = 0; i < 2 * TRIALS; i++) {
      const kind = i % 2 ? "bf16" : "fp32";
      products.enabled = kind === "bf16";
      const started = performance.now();
      tf.matMul(a, b).dispose();
      times[kind] = Math.min(times[kind], performance.now() - started);
    }
    products.enabled = false;
    return times.fp32 / times.bf16;
  });
}
