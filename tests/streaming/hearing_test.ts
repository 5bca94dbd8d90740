import assert from "node:assert/strict";
import { Hearing, PART_BYTES } from "../../streaming/hearing.ts";
import { sessionOf } from "../support/sessions.ts";

/** Hears for a client that may go; `given`: numbers of samples. */
function hearingOf({ maxSeconds = 300 } = {}) {
  const client = { isThere: true, waits: 0, given: [] as number[] };
  const hearing = new Hearing(sessionOf(), {
    room: {
      wait() {
        client.waits++;
        return Promise.resolve();
      },
    },
    maxSeconds,
    isThere: () => client.isThere,
    give: ({ length }) => client.given.push(length),
  });
  return { hearing, client };
}

Deno.test("Hearing.hear() waits for room before each part; stops if nobody is there", async () => {
  const { hearing, client } = hearingOf();
  await hearing.hear(new Uint8Array(2 * PART_BYTES + 2));
  assert.deepEqual(client.given, [PART_BYTES / 2, PART_BYTES / 2, 1]);
  assert.equal(client.waits, 3);
  client.isThere = false;
  await hearing.hear(new Uint8Array(PART_BYTES));
  await hearing.finish();
  assert.equal(client.given.length, 3);
});

Deno.test("Hearing.hear() refuses a message that is too long, before hearing it", async () => {
  const { hearing, client } = hearingOf({ maxSeconds: 1 });
  await hearing.hear(new Uint8Array(32_000));
  await assert.rejects(hearing.hear(new Uint8Array(32_002)), {
    code: "message_too_big",
    message: /up to 1 s of audio, got 1\.0 s/,
  });
  assert.equal(client.given.reduce((sum, samples) => sum + samples, 0), 16_000);
});

Deno.test("Hearing.hear() rests after a part that took long, until the others were heard", async () => {
  const partMs = [2, 3, 2, 9]; // more than 2 are long
  let [nowMs, rests] = [0, 0];
  const log: string[] = [];
  const hearing = new Hearing(sessionOf(), {
    room: { wait: () => Promise.resolve() },
    maxSeconds: 300,
    isThere: () => true,
    give() {
      nowMs += partMs.shift() ?? 0;
      log.push("part");
    },
    rests: {
      rest(over) {
        rests++;
        log.push("rest");
        over();
      },
    },
    nowMs: () => nowMs,
  });
  await hearing.hear(new Uint8Array(4 * PART_BYTES));
  assert.deepEqual(log, ["part", "part", "rest", "part", "part"]);
  await hearing.hear(new Uint8Array(2));
  assert.deepEqual(log.slice(5), ["rest", "part"], "the next message too");
  await hearing.hear(new Uint8Array(2));
  assert.equal(rests, 2);
});
