/** Many small tables of dot products at once: where a fast matrix product is at hand it is used, else plain loops. */
import type * as Ort from "onnxruntime-node";
import type { EngineKind } from "./engine.ts";

/** N pairs of matrices whose rows are to be multiplied. */
export interface DotProductsInput {
  /** N */
  readonly pairs: number;
  /** Length of a row. */
  readonly width: number;
  /** `[N, R, width]` */
  readonly left: Float32Array;
  /** `[N, M, width]` */
  readonly right: Float32Array;
}

/** Every row of `left` with every row of `right`, pair by pair: `[N, R, M]`. */
export type DotProducts = (input: DotProductsInput) => Promise<Float32Array>;

/** The dot products that go best beside an engine: ONNX Runtime's beside `onnx`, loops beside the others. */
export async function createDotProducts(kind: EngineKind): Promise<DotProducts> {
  return kind === "onnx" ? await onnxDotProducts() : loopDotProducts;
}

/** Plain loops. */
// deno-lint-ignore require-await -- a faster one waits
export async function loopDotProducts({ pairs, width, left, right }: DotProductsInput): Promise<Float32Array> {
  const [R, M] = [left.length / pairs / width, right.length / pairs / width];
  const out = new Float32Array(pairs * R * M); // [N, R, M]
  for (let n = 0, at = 0; n < pairs; n++) {
    for (let r = 0; r < R; r++) {
      const row = left.subarray((n * R + r) * width, (n * R + r + 1) * width);
      for (let m = 0; m < M; m++) out[at++] = dot(row, right.subarray((n * M + m) * width, (n * M + m + 1) * width));
    }
  }
  return out;
}

/** a · b in float64, by four sums that do not wait for each other. */
export function dot(a: Float32Array, b: Float32Array): number {
  let [s0, s1, s2, s3, i] = [0, 0, 0, 0, 0];
  for (; i + 3 < a.length; i += 4) {
    s0 += a[i] * b[i];
    s1 += a[i + 1] * b[i + 1];
    s2 += a[i + 2] * b[i + 2];
    s3 += a[i + 3] * b[i + 3];
  }
  for (; i < a.length; i++) s0 += a[i] * b[i];
  return s0 + s1 + s2 + s3;
}

async function onnxDotProducts(): Promise<DotProducts> {
  const [{ loadOnnxRuntime }, { OnnxBuilder }] = await Promise.all([
    import("./engines/onnx.ts"),
    import("./engines/onnx_builder.ts"),
  ]);
  const ort = await loadOnnxRuntime();
  const b = new OnnxBuilder();
  const inputs = [b.input("left", ["N", "R", "W"]), b.input("right", ["N", "M", "W"])];
  const [products] = b.nodes("FusedMatMul", inputs, { outputs: 1, attributes: { transB: 1 }, domain: "com.microsoft" });
  b.output("products", products, ["N", "R", "M"]);
  const session: Ort.InferenceSession = await ort.InferenceSession.create(b.encode(), {
    intraOpNumThreads: 1,
    interOpNumThreads: 1,
    logSeverityLevel: 3,
    extra: { session: { intra_op: { allow_spinning: "0" } } },
  });
  return async ({ pairs, width, left, right }) => {
    const [R, M] = [left.length / pairs / width, right.length / pairs / width];
    const out = new Float32Array(pairs * R * M);
    await session.run(
      { left: new ort.Tensor("float32", left, [pairs, R, width]), right: new ort.Tensor("float32", right, [pairs, M, width]) },
      { products: new ort.Tensor("float32", out, [pairs, R, M]) },
    );
    return out;
  };
}
