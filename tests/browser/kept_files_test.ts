import assert from "node:assert/strict";
import { fetchKept } from "../../browser/kept_files.ts";

/** Runs a test with another Cache API, or none, beside a server of one file. */
async function withCaches(caches: unknown, use: (url: string) => Promise<void>): Promise<void> {
  const before = Object.getOwnPropertyDescriptor(globalThis, "caches")!;
  const server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen() {} },
    () => new Response("weights", { headers: { etag: '"1"' } }),
  );
  Object.defineProperty(globalThis, "caches", { configurable: true, value: caches });
  try {
    await use(`http://127.0.0.1:${server.addr.port}/file`);
  } finally {
    Object.defineProperty(globalThis, "caches", before);
    await server.shutdown();
  }
}

Deno.test("fetchKept() fetches where a page has no cache, or may not open it", async () => {
  const refused = new DOMException("The operation is insecure.", "SecurityError");
  for (const caches of [undefined, { open: () => Promise.reject(refused) }]) {
    await withCaches(caches, async (url) => {
      const { bytes, tag } = (await fetchKept(url))!;
      assert.deepEqual([new TextDecoder().decode(bytes), tag], ["weights", '"1"']);
    });
  }
});
