import assert from "node:assert/strict";
import fc from "fast-check";
import { rechunk } from "../../audio/rechunk.ts";

Deno.test("rechunk() keeps every sample in order, in chunks of one length and a rest", async () => {
  const pieces = fc.array(fc.uint8Array({ maxLength: 9 }).map((bytes) => Float32Array.from(bytes)));
  await fc.assert(
    fc.asyncProperty(pieces, fc.integer({ min: 1, max: 7 }), async (given, length) => {
      const chunks = await Array.fromAsync(rechunk(given, length));
      assert.deepEqual(chunks.flatMap((chunk) => [...chunk]), given.flatMap((piece) => [...piece]));
      for (const chunk of chunks.slice(0, -1)) assert.equal(chunk.length, length);
      const last = chunks.at(-1)?.length ?? 1;
      assert.ok(last >= 1 && last <= length);
    }),
  );
});
