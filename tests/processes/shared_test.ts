import assert from "node:assert/strict";
import { setImmediate } from "node:timers/promises";
import { shared } from "../../processes/shared.ts";

Deno.test("shared() does work once for all who ask while it is under way", async () => {
  const begun: PromiseWithResolvers<number>[] = [];
  const ask = shared(() => {
    begun.push(Promise.withResolvers());
    return begun.at(-1)!.promise;
  });
  const first = ask();
  await setImmediate();
  const others = [ask(), ask(), ask()];
  await setImmediate();
  assert.equal(begun.length, 1, "it is under way");
  begun[0]!.resolve(1);
  assert.equal(await first, 1);
  await setImmediate();
  assert.equal(begun.length, 2, "anew for those who asked later");
  const failed = assert.rejects(ask(), /broken/);
  begun[1]!.resolve(2);
  assert.deepEqual(await Promise.all(others), [2, 2, 2]);
  await setImmediate();
  begun[2]!.reject(new Error("broken"));
  await failed;
  const last = ask();
  await setImmediate();
  begun[3]!.resolve(4);
  assert.equal(await last, 4, "a failure ends nothing");
});
