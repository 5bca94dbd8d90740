import assert from "node:assert/strict";
import { setImmediate } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { open, storeKinds } from "../support/stores.ts";

for (const kind of storeKinds()) {
  Deno.test(`SessionStore.read() over ${kind.name} gives all records, or the newest`, async () => {
    await kind.with(async (place) => {
      const store = await open(place);
      try {
        while (!await store.probe().then(() => true, () => false)) await setImmediate();
        for (let seq = 3; seq < 12; seq++) {
          const record = { seq, sealed: Uint8Array.of(seq) };
          const first = seq === 3 && { replace: true, tokens: new Map([["t", Uint8Array.of(1)]]) };
          const from = Math.max(3, seq - 6);
          await store.put([{ id: "session", epoch: 1, ttlMs: 60_000, from, record, ...first }]);
        }
        for (
          const [newest, first] of [[undefined, 5], [100, 5], [7, 5], [6, 6], [1, 11]] as const
        ) {
          const stored = (await store.read("session", "t", newest))!;
          assert.deepEqual([stored.from, stored.first], [5, first]);
          const seqs = Array.from({ length: 12 - first }, (_, i) => first + i);
          assert.deepEqual(stored.records.map(([seq]) => seq), seqs);
        }
      } finally {
        await store.close();
      }
    });
  });

  Deno.test(`SessionStore.put() over ${kind.name} outlives a process that dies soon`, async () => {
    await kind.with(async (place) => {
      const program = fileURLToPath(import.meta.resolve("../support/put_and_die.ts"));
      const { signal, stderr } = await new Deno.Command(Deno.execPath(), {
        args: ["run", "--quiet", "-A", "--no-check", "--lock=tests/deno.lock", program, place.url],
      }).output();
      assert.equal(signal, "SIGKILL", new TextDecoder().decode(stderr));
      const store = await open(place);
      try {
        while (!await store.probe().then(() => true, () => false)) await setImmediate();
        assert.equal((await store.read("session", "token"))?.records.length, 1);
      } finally {
        await store.close();
      }
    });
  });
}
