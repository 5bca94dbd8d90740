/** Puts a session into a store, and is killed as soon as the store's connection should have it. */
import process from "node:process";
import { setImmediate } from "node:timers/promises";
import { storePlaceOf } from "../../config/store.ts";
import { openStore } from "../../stores/open.ts";

const [url] = Deno.args;
const store = (await openStore(storePlaceOf(url!)!))!;
for (let isUp = false; !isUp;) {
  await setImmediate(); // a connection has to come about
  isUp = await store.probe().then(() => true, () => false);
}
void store.put([{
  id: "session",
  epoch: 1,
  ttlMs: 60_000,
  replace: true,
  from: 0,
  record: { seq: 0, sealed: Uint8Array.of(1) },
  tokens: new Map([["token", Uint8Array.of(7)]]),
}]);
for (let turns = store.writesAtOnce ? 0 : 2; turns > 0; turns--) await setImmediate();
process.kill(process.pid, "SIGKILL");
