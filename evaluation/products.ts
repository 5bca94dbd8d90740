/** Matrix products for the probe and for ABX distances, by ONNX Runtime or in plain loops. */
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

/** Plain loops. */
// deno-lint-ignore require-await -- a faster one waits
export async function loopDotProducts(
  { width, left, right }: DotProductsInput,
): Promise<Float32Array> {
  const [R, M] = [left.length / width, right.length / width];
  const out = new Float32Array(R * M); // [R, M]
  for (let r = 0, at = 0; r < R; r++) {
    for (let m = 0; m < M; m++) out[at++] = dotRows(left, right, { i: r, j: m, width });
  }
  return out;
}

/** Row `i` of a · row `j` of b, in float64, in four independent sums. */
function dotRows(
  a: Float32Array,
  b: Float32Array,
  { i, j, width }: { i: number; j: number; width: number },
): number {
  let s0 = 0;
  let s1 = 0;
  let s2 = 0;
  let s3 = 0;
  let p = i * width;
  let q = j * width;
  const end = p + width;
  for (; p + 3 < end; p += 4, q += 4) {
    s0 += a[p] * b[q];
    s1 += a[p + 1] * b[q + 1];
    s2 += a[p + 2] * b[q + 2];
    s3 += a[p + 3] * b[q + 3];
  }
  for (; p < end; p++, q++) s0 += a[p] * b[q];
  return s0 + s1 + s2 + s3;
}

/** By ONNX Runtime. */
export async function onnxDotProducts(): Promise<DotProducts> {
  const [{ loadOnnxRuntime }, { OnnxBuilder }] = await Promise.all([
    import("../model/engines/onnx.ts"),
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
