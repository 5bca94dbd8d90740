import assert from "node:assert/strict";
import { CpcError } from "../../errors.ts";
import type { ListedSession } from "../../streaming/sessions.ts";
import { open, sharing, storeKinds } from "../support/stores.ts";
import { withServer } from "../support/stream_server.ts";

const error = () => new CpcError("ended_by_admin", "ended");
const states = (sessions: readonly ListedSession[]) => sessions.map(({ id, state }) => [id, state]);

for (const kind of storeKinds()) {
  Deno.test(`Sessions.end() over ${kind.name} ends what waits, not what was claimed`, async () => {
    await kind.with(async (place) => {
      const stores = [await open(place), await open(place)] as const;
      await withServer({ store: sharing(stores[0]) }, async (one) => {
        await withServer({ store: sharing(stores[1]) }, async (two) => {
          const [ends, moves] = [one.connect("encoding=f32le"), one.connect()];
          const [first, second] = [await ends.next("ready"), await moves.next("ready")];
          ends.send(new Uint8Array(16_000));
          await ends.mark();
          await ends.terminate();
          await moves.terminate();
          await one.settled();
          assert.deepEqual(states(one.hub.sessions.list()), [[first.session, "kept"], [
            second.session,
            "kept",
          ]]);
          const [kept] = one.hub.sessions.list();
          assert.deepEqual([kept?.audioS, kept?.encoding, kept?.model], [0.25, "f32le", "tiny"]);
          assert.deepEqual(two.hub.sessions.list(), [], "what it never had it cannot know");

          const resumed = two.connect(`resume=${second.resume}&received=0`);
          await resumed.next("ready");
          assert.equal(await one.hub.sessions.end(String(first.session), error()), "kept");
          assert.equal(await one.hub.sessions.end(String(second.session), error()), undefined);
          await resumed.mark();
          const again = two.connect(`resume=${first.resume}&received=0`);
          assert.equal(await again.closed(), 4404);
          assert.deepEqual(one.hub.sessions.list(), []);

          assert.equal(await two.hub.sessions.end(String(second.session), error()), "live");
          assert.equal(await resumed.closed(), 4403);
          const { resume } = resumed.all("ready")[0]!;
          assert.equal(await one.connect(`resume=${resume}&received=0`).closed(), 4404);
          assert.equal(await two.hub.sessions.end("nobody", error()), undefined);
        });
      });
    });
  });
}

Deno.test("Sessions.list() forgets a session in a store when its time is over", async () => {
  const [kind] = storeKinds();
  await kind!.with(async (place) => {
    await withServer({ store: sharing(await open(place)) }, async (server) => {
      const client = server.connect();
      const { resume, session } = await client.next("ready");
      await client.terminate();
      await server.settled();
      const again = server.connect(`resume=${resume}&received=0`);
      await again.next("ready");
      assert.deepEqual(states(server.hub.sessions.list()), [[session, "live"]]);
      await again.terminate();
      await server.settled();
      assert.deepEqual(states(server.hub.sessions.list()), [[session, "kept"]]);
      await server.pass(61);
      assert.deepEqual(server.hub.sessions.list(), []);
    });
  });
});
