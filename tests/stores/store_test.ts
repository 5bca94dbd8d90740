import assert from "node:assert/strict";
import { setImmediate } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { open, storeKinds } from "../support/stores.ts";

for (const kind of storeKinds()) {
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
