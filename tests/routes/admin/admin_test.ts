import assert from "node:assert/strict";
import { setImmediate } from "node:timers";
import { sessionSchema } from "../../../routes/admin/commands.ts";
import { reloadAtSignal } from "../../../routes/admin/reload.ts";
import { CpcError } from "../../../errors.ts";
import { withHttpServer } from "../../support/http_server.ts";
import { entryOf, keyOf, withKeysFile } from "../../support/keys_file.ts";
import { readableLog } from "../../support/readable_log.ts";
import { withServer } from "../../support/server.ts";
import { StreamClient } from "../../support/stream_client.ts";

const ADMIN = entryOf("ops", { admin: true });
const SESSIONS = "/v1/admin/sessions";

const bearer = (name: string) => ({ headers: { authorization: `Bearer ${keyOf(name)}` } });

/** Runs a test with administrators, users and an open port. */
async function withAdmin(
  entries: readonly object[],
  use: (server: {
    ask: (method: string, path: string, name?: string) => Promise<Response>;
    withToken: (path: string, token: string) => Promise<Response>;
    connect: (name: string, query?: string) => StreamClient;
    hubIsEmpty: () => Promise<void>;
    file: { write(text: string): Promise<void> };
    lines: () => Record<string, unknown>[];
  }) => Promise<void>,
): Promise<void> {
  await withKeysFile(entries, async (file) => {
    const { log, lines } = readableLog();
    await withHttpServer(async (_, { app, hub, url }) => {
      await use({
        ask: async (method, path, name = "ops") =>
          await app.request(path, { method, ...bearer(name) }),
        withToken: async (path, token) =>
          await app.request(path, { headers: { authorization: `Bearer ${token}` } }),
        connect: (name, query = "") => new StreamClient(url, { query, ...bearer(name) }),
        async hubIsEmpty() {
          while (hub.size > 0) await new Promise((resolve) => setImmediate(resolve));
        },
        file,
        lines,
      });
    }, { flags: ["--api-keys-file", file.path], log });
  });
}

Deno.test("/v1/admin/ takes a key with the right alone, no token, nobody else", async () => {
  const paths = [
    ["GET", SESSIONS],
    ["DELETE", `${SESSIONS}/x`],
    ["POST", "/v1/admin/drain"],
    ["POST", "/v1/admin/reload"],
    ["GET", "/v1/admin/config"],
  ] as const;
  await withAdmin([ADMIN, entryOf("lab")], async ({ ask, withToken }) => {
    for (const [method, path] of paths) {
      const refused = await ask(method, path, "lab");
      assert.equal(refused.status, 403, path);
      const { code, message } = (await refused.json()).error;
      assert.equal(code, "not_admin");
      assert.match(message, /the key lab may not .*"admin": true in --api-keys-file/);
      assert.equal((await ask(method, path, "nobody")).status, 401, path);
    }
    assert.equal((await ask("GET", SESSIONS)).status, 200);
    assert.equal((await ask("GET", "/v1/admin/nothing")).status, 404);
    const { token } = await (await ask("POST", "/v1/tokens")).json();
    assert.equal((await withToken("/v1/models", token)).status, 200);
    assert.equal((await withToken(SESSIONS, token)).status, 401);
  });
  await withServer(async ({ app }) => {
    for (const [method, path] of paths) {
      const refused = await app.request(path, { method });
      assert.equal(refused.status, 403, path);
      assert.match((await refused.json()).error.message, /no key of this server/);
    }
    const { paths: known } = await (await app.request("/openapi.json")).json();
    let routes = 0;
    for (const [path, methods] of Object.entries(known)) {
      if (!path.startsWith("/v1/admin/")) continue;
      for (const method of Object.keys(methods as object)) {
        routes++;
        const refused = await app.request(path, { method: method.toUpperCase() });
        assert.equal(refused.status, 403, `${method} ${path}`);
      }
      assert.equal((await app.request(path, { method: "PUT" })).status, 405, path);
    }
    assert.equal(routes, 7);
  });
});

Deno.test("GET /v1/admin/sessions pages through sessions; DELETE ends one for good", async () => {
  await withAdmin([ADMIN, entryOf("lab"), entryOf("desk")], async (server) => {
    const { ask, connect, hubIsEmpty, lines } = server;
    const clients = [connect("lab"), connect("lab", "encoding=f32le"), connect("desk")];
    const ready = await Promise.all(clients.map((client) => client.next("ready")));
    clients[1]!.send(new Uint8Array(640));
    await clients[1]!.mark();
    const list = async (query = "") => await (await ask("GET", SESSIONS + query)).json();

    const { object, data, next } = await list();
    assert.deepEqual([object, next], ["list", undefined]);
    const rows = data.map((row: unknown) => sessionSchema.parse(row));
    const ids = ready.map(({ session }) => String(session));
    assert.deepEqual(rows.map(({ id }: { id: string }) => id), ids.toSorted());
    const row = rows.find(({ id }: { id: string }) => id === ids[1]);
    assert.deepEqual({ ...row, age_seconds: 0, address: "" }, {
      id: ids[1],
      state: "live",
      key: "lab",
      address: "",
      model: "tiny",
      encoding: "f32le",
      age_seconds: 0,
      audio_seconds: 0.01,
      lag_seconds: 0,
      expires_in_seconds: null,
    });
    assert.match(row.address, /127\.0\.0\.1/);
    assert.ok(row.age_seconds >= 0 && row.age_seconds < 60);
    assert.ok(!JSON.stringify(data).includes("secret"));

    const pages = [];
    for (let after = "";;) {
      const page = await list(`?limit=1${after && `&after=${after}`}`);
      pages.push(...page.data);
      if (page.next === undefined) break;
      after = page.next;
    }
    assert.deepEqual(pages.map(({ id }) => id), ids.toSorted());
    const ofKey = async (query: string) =>
      (await list(query)).data.map(({ id }: { id: string }) => id);
    assert.deepEqual(await ofKey("?key=desk"), [ids[2]]);
    assert.deepEqual(await ofKey("?model=mute"), []);
    for (const query of ["?limit=0", "?limit=1001", "?order=age"]) {
      assert.equal((await ask("GET", SESSIONS + query)).status, 422, query);
    }

    const ended = await ask("DELETE", `${SESSIONS}/${ids[1]}`);
    assert.deepEqual([ended.status, await ended.json()], [200, { id: ids[1], state: "live" }]);
    assert.equal(await clients[1]!.closed(), 4403);
    const [error] = clients[1]!.all("error");
    assert.deepEqual([error?.code, error?.retryable], ["ended_by_admin", false]);
    await clients[2]!.terminate();
    await clients[0]!.terminate();
    await hubIsEmpty();
    const kept = (await list()).data;
    assert.deepEqual(kept.map(({ state }: { state: string }) => state), ["kept", "kept"]);
    assert.ok(kept[0].expires_in_seconds > 0 && kept[0].expires_in_seconds <= 60);
    assert.deepEqual(await (await ask("DELETE", `${SESSIONS}/${ids[2]}`)).json(), {
      id: ids[2],
      state: "kept",
    });
    for (const n of [1, 2]) {
      const { resume } = ready[n]!;
      const again = connect(n === 2 ? "desk" : "lab", `resume=${resume}&received=0`);
      assert.equal(await again.closed(), 4404);
    }
    const missing = await ask("DELETE", `${SESSIONS}/${ids[2]}`);
    assert.equal(missing.status, 404);
    assert.deepEqual((await list()).data.map(({ id }: { id: string }) => id), [ids[0]]);

    const said = lines().filter(({ message }) => String(message).startsWith("admin"));
    assert.deepEqual(
      said.map(({ message, key, state }) => [message, key, state]),
      [[`admin ended session ${ids[1]}`, "ops", "live"], [
        `admin ended session ${ids[2]}`,
        "ops",
        "kept",
      ]],
    );
    assert.ok(said.every(({ request }) => typeof request === "string"));
  });
});

Deno.test("POST /v1/admin/reload takes the file's keys; gone ones end their streams", async () => {
  const few = { requests_per_minute: 2 };
  const entries = [ADMIN, entryOf("lab", few), entryOf("gone"), entryOf("lost")];
  await withAdmin(entries, async ({ ask, withToken, connect, file, lines, hubIsEmpty }) => {
    const [stays, goes, lost] = [connect("lab"), connect("gone"), connect("lost")];
    for (const client of [stays, goes, lost]) await client.next("ready");
    await lost.terminate();
    assert.equal((await ask("GET", "/v1/models", "lab")).status, 200);
    const { token } = await (await ask("POST", "/v1/tokens", "gone")).json();
    await file.write(JSON.stringify([
      ADMIN,
      entryOf("lab", { ...few, max_streams: 1 }),
      entryOf("new", { admin: true }),
    ]));
    const answer = await ask("POST", "/v1/admin/reload");
    const { ended, ...reloaded } = await answer.json();
    assert.deepEqual(reloaded, {
      keys: 3,
      added: ["new"],
      removed: ["gone", "lost"],
      changed: ["lab"],
    });
    assert.equal(ended, 2);
    assert.equal(await goes.closed(), 4401);
    assert.match(String(goes.all("error")[0]?.message), /key of this stream has been taken away/);
    await stays.mark();
    assert.equal((await ask("GET", "/v1/models", "lab")).status, 200);
    assert.equal((await ask("GET", "/v1/models", "lab")).status, 429, "the quota goes on");
    assert.equal((await ask("GET", "/v1/models", "gone")).status, 401);
    assert.equal((await ask("GET", SESSIONS, "new")).status, 200);
    assert.equal(await connect("lab").closed(), 4429, "its new bound holds");
    assert.equal(await connect("gone").closed(), 4401);
    assert.equal((await withToken("/v1/models", token)).status, 401, "its tokens end too");
    const [said] = lines().filter(({ message }) => message === "admin read the keys again");
    assert.deepEqual([said?.key, said?.removed], ["ops", ["gone", "lost"]]);
    await stays.terminate();
    await hubIsEmpty();
  });
});

Deno.test("POST /v1/admin/reload changes nothing for a faulty file, and says why", async () => {
  await withAdmin([ADMIN, entryOf("lab")], async ({ ask, file, lines }) => {
    const cases: [string, RegExp][] = [
      ["{", /cannot read .*nothing is changed$/],
      ['[{"name":"a"}]', /entry 1 of 1 \(a\): sha256.*nothing is changed/],
      [JSON.stringify([entryOf("a"), entryOf("a")]), /names "a" twice; nothing is changed/],
      ["[]", /would open the server to everyone: nothing is changed/],
    ];
    for (const [text, why] of cases) {
      await file.write(text);
      const refused = await ask("POST", "/v1/admin/reload");
      assert.deepEqual([refused.status], [422]);
      assert.match((await refused.json()).error.message, why);
      assert.equal((await ask("GET", "/v1/models", "lab")).status, 200);
    }
    const said = lines().filter(({ message }) => message === "admin could not read the keys again");
    assert.equal(said.length, cases.length);
  });
});

Deno.test("reloadAtSignal() says in the log what came of it, whatever that is", async () => {
  const { log, lines } = readableLog();
  const file = { path: "keys.json", text: () => "[]" };
  const reloaded = { keys: 2, added: [], removed: ["lab"], changed: [] };
  const both = () => Promise.resolve([{ ...reloaded, ended: 1 }, { ...reloaded, ended: 3 }]);
  await reloadAtSignal(file, { log, askAll: both as never });
  const refused = () => Promise.reject(new CpcError("invalid_option", "no list"));
  await reloadAtSignal(file, { log, askAll: refused });
  const [good, bad] = lines();
  assert.deepEqual([good?.level, good?.removed, good?.ended], ["info", ["lab"], 4]);
  assert.deepEqual([bad?.level, bad?.error, bad?.signal], ["error", "no list", "SIGHUP"]);
});
