import assert from "node:assert/strict";
import { STATE_VERSION } from "../../../streaming/session/packing.ts";
import { SqliteStore } from "../../../stores/sqlite_store.ts";
import { maxDifference } from "../../support/golden.ts";
import {
  STORED_MODELS,
  STORED_SESSIONS,
  type StoredFixture,
} from "../../support/stored_sessions.ts";
import { sharing } from "../../support/stores.ts";
import type { StreamClient } from "../../support/stream_client.ts";
import { type StreamServer, withServer } from "../../support/stream_server.ts";
import { noise } from "../../support/stream_truth.ts";

const FOLDER = new URL("../../fixtures/sessions/", import.meta.url);
const VERSIONS = [...Deno.readDirSync(FOLDER)]
  .map(({ name }) => Number(/^v(\d+)\.db$/.exec(name)?.[1])).filter((version) => version > 0);

/** Runs a test with a server on a copy of what a version has stored, at that time. */
async function withStored(
  version: number,
  use: (server: StreamServer, fixture: StoredFixture) => Promise<void>,
): Promise<void> {
  const fixture: StoredFixture = JSON.parse(
    await Deno.readTextFile(new URL(`v${version}.json`, FOLDER)),
  );
  const folder = await Deno.makeTempDir();
  try {
    await Deno.copyFile(new URL(`v${version}.db`, FOLDER), `${folder}/sessions.db`);
    const store = new SqliteStore(`${folder}/sessions.db`, { nowMs: () => fixture.storedAtMs });
    const limits = { sessionLimitS: 1e9 }; // they began long ago
    const options = { models: STORED_MODELS, store: sharing(store), limits };
    await withServer(options, (server) => use(server, fixture));
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/**
 * Each frame's index, and its numbers one after the other, those of its score and of the head's row
 * too.
 */
function rowsOf(client: StreamClient): [number, number[]][] {
  const heard = new Map(
    client.all("head").flatMap(({ first, rows }) =>
      (rows as { sum: number[] }[]).map(({ sum }, i) => [Number(first) + i, sum] as const)
    ),
  );
  return client.all("frames").flatMap(({ first, context, score }) =>
    (context as number[][]).map((row, i): [number, number[]] => {
      const scored = (score as (Record<string, number[]> | null)[] | undefined)?.[i];
      const index = Number(first) + i;
      return [index, [...row, ...Object.values(scored ?? {}).flat(), ...heard.get(index) ?? []]];
    })
  );
}

/** All frames of some audio and half a second more, from an unbroken stream. */
async function unbroken(server: StreamServer, query: string, audio: Uint8Array) {
  const client = server.connect(query);
  await client.next("ready");
  client.send(audio);
  await client.mark();
  return rowsOf(client);
}

Deno.test("a stored session of this state version is there, for the versions after it", () => {
  assert.ok(
    VERSIONS.includes(STATE_VERSION),
    `state version ${STATE_VERSION} is new: run tests/support/make_stored_sessions.ts and commit ` +
      "what it writes; docs/upgrades.md says what else belongs to a new version",
  );
});

Deno.test("a server continues what an earlier one has stored, frame by frame", async () => {
  await withStored(STATE_VERSION, async (server, { sessions }) => {
    for (const { name, query, bytes } of STORED_SESSIONS.slice(0, -1)) {
      const { token, received } = sessions.find((one) => one.name === name)!;
      const audio = noise(bytes + 16_000, 3).bytes.subarray(0, bytes + 16_000);
      const truth = (await unbroken(server, query, audio)).slice(received);
      const client = server.connect(`resume=${token}&received=${received}`);
      const { samples, resumed } = await client.next("ready");
      assert.equal(resumed, true, name);
      client.send(audio.subarray(Number(samples) * 2));
      await client.mark();
      const rows = rowsOf(client);
      assert.ok(rows.length > 45, name);
      assert.deepEqual(rows.map(([index]) => index), truth.map(([index]) => index), name);
      for (const [i, [, row]] of rows.entries()) {
        assert.equal(row.length, truth[i]![1].length);
        assert.ok(maxDifference(row, truth[i]![1]) <= 1e-4, `${name}, frame ${i}`);
      }
    }
  });
});

for (const version of VERSIONS) {
  Deno.test(`a server refuses another state version's than v${version}, with why`, async () => {
    await withStored(version, async (server, { sessions }) => {
      const others = version === STATE_VERSION ? sessions.slice(-1) : sessions.slice(0, -1);
      for (const { token } of others) {
        const client = server.connect(`resume=${token}&received=0`);
        assert.equal(await client.closed(), 4404);
        const [error] = client.all("error");
        assert.equal(error?.code, "unknown_resume_token");
        const its = version === STATE_VERSION ? version + 1 : version;
        assert.match(
          String(error?.message),
          new RegExp(`of state version ${its}, and this server reads version ${STATE_VERSION};`),
        );
      }
    });
  });
}
