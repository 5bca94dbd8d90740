/** Matrix products in plain loops, in float64. */
import type { DotProductsInput } from "../../evaluation/products.ts";
import { dot } from "../../model/floats.ts";

/** The truth of `onnxDotProducts()`: `[R, M]`. */
export function loopDotProducts(
  { width, left, right }: DotProductsInput,
): Promise<Float32Array> {
  const [R, M] = [left.length / width, right.length / width];
  const out = new Float32Array(R * M); // [R, M]
  for (let r = 0, at = 0; r < R; r++) {
    for (let m = 0; m < M; m++) out[at++] = dot(left, right, { a: r * width, b: m * width, width });
  }
  return Promise.resolve(out);
}
