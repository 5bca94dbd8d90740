/** Matrix products for the probe and for ABX distances. */
import type * as Ort from "onnxruntime-node";

/** Two matrices whose rows are multiplied. */
export interface DotProductsInput {
  /** Length of a row. */
  readonly width: number;
  /** `[R, width]` */
  readonly left: Float32Array;
  /** `[M, width]` */
  readonly right: Float32Array;
}

/**
 * Multiplies every row of `left` with every row of `right`: `[R, M]`, valid until the next call.
 */
export type DotProducts = (input: DotProductsInput) => Promise<Float32Array>;

/** By ONNX Runtime. */
export async function onnxDotProducts(): Promise<DotProducts> {
  const [{ loadOnnxRuntime }, { OnnxBuilder }] = await Promise.all([
    import("../model/engines/onnx_runtime.ts"),
    import("../model/engines/onnx_builder.ts"),
  ]);
  const ort = await loadOnnxRuntime();
  const b = new OnnxBuilder();
  const inputs = [b.input("left", ["R", "W"]), b.input("right", ["M", "W"])];
  const [products] = b.nodes("FusedMatMul", inputs, {
    outputs: 1,
    attributes: { transB: 1 },
    domain: "com.microsoft",
  });
  b.output("products", products, ["R", "M"]);
  const session: Ort.InferenceSession = await ort.InferenceSession.create(b.encode(), {
    intraOpNumThreads: 1,
    interOpNumThreads: 1,
    logSeverityLevel: 3,
    extra: { session: { intra_op: { allow_spinning: "0" } } },
  });
  let buffer = new Float32Array(0);
  return async ({ width, left, right }) => {
    const [R, M] = [left.length / width, right.length / width];
    if (buffer.length < R * M) buffer = new Float32Array(R * M);
    const out = buffer.subarray(0, R * M);
    await session.run(
      {
        left: new ort.Tensor("float32", left, [R, width]),
        right: new ort.Tensor("float32", right, [M, width]),
      },
      { products: new ort.Tensor("float32", out, [R, M]) },
    );
    return out;
  };
}
