import assert from "node:assert/strict";
import { trimMemory } from "../memory_trim.ts";

const [BLOCKS, BLOCK_BYTES, KEPT_ONE_IN] = [4096, 16_384, 64];

Deno.test({
  name: "trimMemory() gives back what is free between blocks in use",
  ignore: Deno.build.os !== "linux",
  async fn() {
    const library = Deno.dlopen("libc.so.6", {
      malloc: { parameters: ["usize"], result: "pointer" },
      memset: { parameters: ["pointer", "i32", "usize"], result: "pointer" },
      free: { parameters: ["pointer"], result: "void" },
    });
    const { symbols: c } = library;
    const blocks = Array.from({ length: BLOCKS }, () => {
      return c.memset(c.malloc(BigInt(BLOCK_BYTES)), 1, BigInt(BLOCK_BYTES));
    });
    const filled = Deno.memoryUsage().rss;
    for (const [i, block] of blocks.entries()) if (i % KEPT_ONE_IN !== 0) c.free(block);
    const held = filled - Deno.memoryUsage().rss;
    const end = trimMemory(20);
    const most = BLOCKS * BLOCK_BYTES;
    for (let tries = 0; tries < 100; tries++) {
      await new Promise((resolve) => setTimeout(resolve, 50));
      if (filled - Deno.memoryUsage().rss > 0.8 * most) break;
    }
    const given = filled - Deno.memoryUsage().rss;
    await end();
    assert.ok(given > 0.8 * most, `${given} of ${most} bytes came back, ${held} without a trim`);
    for (const [i, block] of blocks.entries()) if (i % KEPT_ONE_IN === 0) c.free(block);
    library.close();
  },
});
