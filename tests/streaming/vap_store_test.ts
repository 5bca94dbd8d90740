/** Dialogues that go on at another server: their rings of keys and values come from the store. */
import { open, sharing, storeKinds } from "../support/stores.ts";
import { withServer } from "../support/stream_server.ts";
import { vapFixture } from "../support/vap.ts";
import { assertRows, audioOf, modelOf, optionsOf, rowsAt } from "../support/vap_streams.ts";

const SECOND = 16_000;

for (const kind of storeKinds()) {
  Deno.test(`head.vap over ${kind.name}: another server gives the original's rows`, async () => {
    const fixture = vapFixture("vap_mono_10hz"); // 6 s, with rings of 2 s
    const audio = audioOf(fixture);
    const models = [modelOf(fixture)];
    const bytesOf = (samples: number) => 4 * samples;
    await kind.with(async (place) => {
      const [one, two] = [await open(place), await open(place)];
      await withServer({ models, store: sharing(one) }, async (first) => {
        await withServer({ models, store: sharing(two) }, async (second) => {
          const client = first.connect(optionsOf(fixture));
          let { resume } = await client.next("ready");
          client.send(audio.subarray(0, bytesOf(3 * SECOND)));
          await client.mark();
          client.send({ type: "reset" });
          await client.next("reset");
          client.came.length = 0;
          let sent = 0;
          for (const upTo of [2.3, 4.6, 5.2]) {
            client.send(audio.subarray(bytesOf(sent), bytesOf(sent = upTo * SECOND)));
            await client.mark();
          }
          assertRows(client, fixture, { rows: rowsAt(fixture, sent) });
          await client.terminate();
          let had = rowsAt(fixture, sent) - 4; // the client lost rows
          for (const server of [second, first, second]) {
            const query = `${optionsOf(fixture)}&resume=${resume}&received=${had * fixture.every}`;
            const next = server.connect(query);
            const ready = await next.next("ready");
            resume = ready.resume;
            next.send(audio.subarray(bytesOf(ready.samples as number), bytesOf(sent += 4_000)));
            await next.mark();
            assertRows(next, fixture, { first: had, rows: rowsAt(fixture, sent) });
            had = rowsAt(fixture, sent) - 2;
            await next.terminate();
          }
        });
      });
    });
  });
}
