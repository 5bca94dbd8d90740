/**
 * Makes `tests/fixtures/sessions/vN.db` and `.json`: sessions as this version stores them, for the
 * versions after it. Run it once for each state version, and keep what it wrote (docs/upgrades.md):
 *
 *     deno run --frozen --lock tests/deno.lock -A tests/support/make_stored_sessions.ts
 */
import v8 from "node:v8";
import { HeldSession } from "../../streaming/session/held_session.ts";
import { STATE_VERSION } from "../../streaming/session/packing.ts";
import { partsOf, seal, unseal } from "../../streaming/session/seal.ts";
import { SqliteStore } from "../../stores/sqlite_store.ts";
import type { SessionStore } from "../../stores/store.ts";
import { sharing } from "./stores.ts";
import { heardFrames } from "./stream_client.ts";
import { STORED_MODELS, STORED_SESSIONS, type StoredFixture } from "./stored_sessions.ts";
import { WIDTHS, withServer } from "./stream_server.ts";
import { noise } from "./stream_truth.ts";

const folder = new URL("../fixtures/sessions/", import.meta.url);
await Deno.mkdir(folder, { recursive: true });
const file = new URL(`v${STATE_VERSION}.db`, folder).pathname;
await Deno.remove(file).catch(() => {});
const store = new SqliteStore(file);
const sessions: StoredFixture["sessions"][number][] = [];

await withServer({ models: STORED_MODELS, store: sharing(store) }, async (server) => {
  for (const { name, query, bytes } of STORED_SESSIONS) {
    const client = server.connect(query);
    const { resume } = await client.next("ready");
    const audio = noise(bytes, 3).bytes.subarray(0, bytes);
    for (let at = 0; at < bytes; at += 32_000) {
      client.send(audio.subarray(at, at + 32_000));
      await client.mark();
    }
    const received = heardFrames(client.came, WIDTHS).length;
    await client.terminate();
    await server.settled();
    sessions.push({ name, token: String(resume), received });
  }
});
const reopened = new SqliteStore(file);
await pretendNewer(reopened, sessions.at(-1)!.token);
await reopened.close();
const fixture: StoredFixture = { storedAtMs: Date.now(), sessions };
await Deno.writeTextFile(
  new URL(`v${STATE_VERSION}.json`, folder),
  `${JSON.stringify(fixture, undefined, 2)}\n`,
);

/** Stores a session's first record as a later version might pack it. */
async function pretendNewer(store: SessionStore, token: string): Promise<void> {
  const { id, hash, key } = partsOf(token)!;
  const { epoch, from, wrappedKey, records } = (await store.read(id, hash))!;
  const dataKey = unseal(key, id, wrappedKey);
  const name = HeldSession.nameOfRecord(id, from);
  const [version, ...rest] = v8.deserialize(unseal(dataKey, name, records[0]!));
  const sealed = seal(dataKey, name, v8.serialize([version + 1, ...rest]));
  const tokens = new Map([[hash, wrappedKey]]);
  await store.put([
    { id, epoch, ttlMs: 60_000, replace: true, from, record: { seq: from, sealed }, tokens },
  ]);
}
