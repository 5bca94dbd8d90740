import assert from "node:assert/strict";
import { ByteReader } from "../../audio/byte_reader.ts";

Deno.test("ByteReader.fill() keeps few of very many short parts", async () => {
  const count = 5000;
  const parts = Array.from({ length: count }, (_, i) => Uint8Array.of(i & 255));
  async function* source() {
    yield* parts;
    for (const part of parts) part[0] = 0; // whoever still keeps it sees this
  }
  const reader = new ByteReader(source());
  assert.equal(await reader.fill(count + 1), false);
  const bytes = reader.take(count);
  const kept = bytes.findIndex((byte, i) => byte !== (i & 255));
  assert.ok(count - kept <= 1024, `${count - kept} parts were kept`);
  assert.deepEqual([...bytes.subarray(0, kept)], Array.from({ length: kept }, (_, i) => i & 255));
});
