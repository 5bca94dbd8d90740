import assert from "node:assert/strict";
import type { Command } from "../../../routes/admin/commands.ts";
import { entryOf, keyOf, withKeysFile } from "../../support/keys_file.ts";
import { readableLog } from "../../support/readable_log.ts";
import { withServer } from "../../support/server.ts";

const ADMIN = entryOf("ops", { admin: true });
const SESSIONS = "/v1/admin/sessions";

const bearer = (name: string) => ({ headers: { authorization: `Bearer ${keyOf(name)}` } });

Deno.test("GET /v1/admin/sessions of several servers has a moved session once", async () => {
  const row = (id: string, state: "live" | "kept") => ({ id, state, key: null });
  const servers = [[row("a", "kept"), row("c", "live")], [row("a", "live"), row("b", "kept")]];
  const asked: Command[] = [];
  await withKeysFile([ADMIN], async ({ path }) => {
    await withServer(async ({ app }) => {
      const list = async (query: string) =>
        await (await app.request(SESSIONS + query, bearer("ops"))).json();
      const { data, next } = await list("?limit=2&after=Z");
      assert.deepEqual(data, [row("a", "live"), row("b", "kept")]);
      assert.equal(next, "b");
      assert.deepEqual(asked, [{ do: "sessions", page: { limit: 2, after: "Z" } }]);
      assert.equal((await list("?limit=3")).next, undefined);
    }, {
      flags: ["--api-keys-file", path],
      admin: {
        askAll: (command) => {
          asked.push(command);
          return Promise.resolve(servers as never[]);
        },
      },
    });
  });
});

Deno.test("DELETE /v1/admin/sessions/{id} of several servers: live goes before kept", async () => {
  let told: (string | null)[] = [];
  await withKeysFile([ADMIN], async ({ path }) => {
    await withServer(async ({ app }) => {
      const end = async (...answers: typeof told) => {
        told = answers;
        const answer = await app.request(`${SESSIONS}/x`, { method: "DELETE", ...bearer("ops") });
        return [answer.status, (await answer.json()).state];
      };
      assert.deepEqual(await end("kept", "live", null), [200, "live"]);
      assert.deepEqual(await end(null, "kept"), [200, "kept"]);
      assert.deepEqual(await end(null, null), [404, undefined]);
    }, {
      flags: ["--api-keys-file", path],
      admin: { askAll: () => Promise.resolve(told as never[]) },
    });
  });
});

Deno.test("POST /v1/admin/drain stops all servers within the seconds it names", async () => {
  const drained: number[] = [];
  const { log, lines } = readableLog();
  await withKeysFile([ADMIN], async ({ path }) => {
    await withServer(async ({ app }) => {
      const ask = async (query: string) => {
        const path = `/v1/admin/drain${query}`;
        const answer = await app.request(path, { method: "POST", ...bearer("ops") });
        const closes = answer.headers.get("connection");
        assert.equal(closes, answer.status === 202 ? "close" : null, "it would wait for them");
        return [answer.status, (await answer.json()).within_seconds];
      };
      assert.deepEqual(await ask(""), [202, 7]);
      assert.deepEqual(await ask("?seconds=1"), [202, 1]);
      assert.deepEqual(await ask("?seconds=3600"), [202, 3600]);
      assert.deepEqual(await ask("?seconds=0"), [422, undefined]);
      assert.deepEqual(await ask("?seconds=3601"), [422, undefined]);
      assert.deepEqual(drained, [7, 1, 3600]);
      const said = lines().filter(({ message }) => message === "admin drains the server");
      assert.deepEqual(said.map(({ key, within_s }) => [key, within_s]), [
        ["ops", 7],
        ["ops", 1],
        ["ops", 3600],
      ]);
    }, {
      flags: ["--api-keys-file", path, "--drain-timeout", "7"],
      admin: { drain: (withinS) => void drained.push(withinS) },
      log,
    });
  });
});

Deno.test("POST /v1/admin/reload says so where the keys come from no file", async () => {
  await withKeysFile([ADMIN], async ({ path }) => {
    await withServer(async ({ app }) => {
      const answer = await app.request("/v1/admin/reload", { method: "POST", ...bearer("ops") });
      assert.equal(answer.status, 403);
      assert.match((await answer.json()).error.message, /^this server has no --api-keys-file/);
    }, { flags: ["--api-keys-file", path], admin: { keysFile: undefined } });
  });
});

Deno.test("GET /v1/admin/config tells the settings in force and who administers", async () => {
  const settings = { port: { value: 8000, from: "default" as const } };
  await withKeysFile([ADMIN, entryOf("lab")], async ({ path }) => {
    await withServer(async ({ app }) => {
      const answer = await app.request("/v1/admin/config", bearer("ops"));
      assert.equal(answer.headers.get("cache-control"), "no-store");
      const { version, ...rest } = await answer.json();
      assert.match(version, /^\d+\.\d+\.\d+$/);
      assert.deepEqual(rest, { settings, keys: { count: 2, admins: ["ops"] } });
    }, { flags: ["--api-keys-file", path], admin: { settings } });
  });
});
