import assert from "node:assert/strict";
import { loadWeights } from "../../model/weights.ts";
import { fixture } from "../audio/files.ts";
import { readNpy } from "../support/golden.ts";
import { withServer } from "../support/server.ts";

const SMALL = new URL("../../weights/cpc-small", import.meta.url).pathname;

Deno.test("POST /v1/embeddings: 8 and 44.1 kHz are within 1 % of soxr's HQ", async () => {
  await withServer(async ({ app }) => {
    const features = async (name: string): Promise<Float32Array> => {
      const answer = await app.request("/v1/embeddings", {
        method: "POST",
        headers: { accept: "application/x-npy" },
        body: fixture(name),
      });
      assert.equal(answer.status, 200);
      return Float32Array.from(readNpy(await answer.bytes()).data as Float32Array);
    };
    for (const rate of [8_000, 44_100]) {
      const [ours, soxrs] = await Promise.all([
        features(`clip_${rate}.flac`),
        features(`clip_${rate}_by_soxr.flac`),
      ]);
      assert.equal(ours.length, soxrs.length);
      const power = (values: Float32Array) => values.reduce((sum, x) => sum + x * x, 0);
      const share = Math.sqrt(power(ours.map((x, i) => x - soxrs[i])) / power(soxrs));
      assert.ok(share <= 0.01, `${rate} Hz differs by ${(100 * share).toFixed(2)} % of RMS`);
    }
  }, { models: [await loadWeights(SMALL)] });
});
