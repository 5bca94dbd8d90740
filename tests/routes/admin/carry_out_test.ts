import assert from "node:assert/strict";
import { CpcError, UsageError } from "../../../errors.ts";
import { type Administered, carryOut } from "../../../routes/admin/carry_out.ts";
import type { SessionsPage } from "../../../routes/admin/commands.ts";
import { Keys } from "../../../routes/keys.ts";
import { type TestServer, withServer } from "../../support/server.ts";

const key = (name: string) => ({
  name,
  sha256: name.charCodeAt(0).toString(16).repeat(32),
  maxStreams: 1,
  requestsPerMinute: 1,
});
type Sessions = ReturnType<TestServer["hub"]["sessions"]["list"]>;

/** Runs a test with what commands act on; the clock stands at 100 s. */
async function withParts(
  use: (parts: Administered, server: TestServer) => Promise<void>,
  changes: Partial<Administered> = {},
): Promise<void> {
  await withServer(async (server) => {
    const { hub, ctx: { pool } } = server;
    await use({
      hub,
      pool,
      keys: new Keys([]),
      keysOf: () => [],
      modelsFolder: ".",
      fitMemory: () => {},
      ...changes,
    }, server);
  }, { nowMs: () => 100_000 });
}

const session = { owner: "", address: undefined, model: "tiny", encoding: "s16le" };
const live = { ...session, state: "live" as const, openedAtMs: 98_765.4321, audioS: 1.23456 };
const kept = { ...session, state: "kept" as const, openedAtMs: 0, audioS: 0 };
const SESSIONS = [
  { ...live, id: "d", lagS: 0.98765 },
  { ...live, id: "b", lagS: 0, owner: "lab", address: "10.0.0.1", model: "mute" },
  { ...kept, id: "c", expiresAtMs: 101_234.5678 },
  { ...kept, id: "a", expiresAtMs: 99_000, owner: "lab" },
];

Deno.test("carryOut() lists sessions by id, with times in seconds to the millisecond", async () => {
  await withParts(async (parts) => {
    parts.hub.sessions.list = () => SESSIONS as Sessions;
    const list = async (page: SessionsPage) => {
      const told = await carryOut({ do: "sessions", page }, parts);
      return "value" in told ? told.value as { id: string }[] : assert.fail(JSON.stringify(told));
    };
    const own = { model: "tiny", encoding: "s16le" };
    const old = { age_seconds: 100, audio_seconds: 0, lag_seconds: null };
    const young = { age_seconds: 1.235, audio_seconds: 1.235, expires_in_seconds: null };
    assert.deepEqual(await list({ limit: 4 }), [
      { id: "a", state: "kept", key: "lab", address: null, ...own, ...old, expires_in_seconds: 0 },
      {
        id: "b",
        state: "live",
        key: "lab",
        address: "10.0.0.1",
        ...own,
        model: "mute",
        ...young,
        lag_seconds: 0,
      },
      {
        id: "c",
        state: "kept",
        key: null,
        address: null,
        ...own,
        ...old,
        expires_in_seconds: 1.235,
      },
      { id: "d", state: "live", key: null, address: null, ...own, ...young, lag_seconds: 0.988 },
    ]);
    const ids = async (page: SessionsPage) => (await list(page)).map(({ id }) => id).join("");
    assert.equal(
      await ids({ limit: 1 }),
      "ab",
      "one more than the limit tells that there are more",
    );
    assert.equal(await ids({ limit: 9, after: "b" }), "cd");
    assert.equal(await ids({ limit: 9, key: "lab" }), "ab");
    assert.equal(await ids({ limit: 9, key: "" }), "cd");
    assert.equal(await ids({ limit: 9, key: "lab", model: "tiny" }), "a");
    assert.equal(await ids({ limit: 9, after: "a", model: "mute" }), "b");
  });
});

Deno.test("carryOut() reloads keys where some were, and counts what ended", async () => {
  const reload = (before: string, after: string) => async (parts: Administered) =>
    await carryOut({ do: "reload", text: "" }, {
      ...parts,
      keys: new Keys([...before].map(key)),
      keysOf: () => [...after].map(key),
    });
  await withParts(async (parts) => {
    const ends: string[] = [];
    parts.hub.sessions.list = () =>
      ["a", "b", "c", "d"].map((owner) => ({ owner, id: `of ${owner}` })) as Sessions;
    parts.hub.sessions.end = (id) => {
      ends.push(id);
      if (id === "of b") return Promise.reject(new Error("the store is silent"));
      return Promise.resolve(id === "of c" ? undefined : "live");
    };
    const changed: string[] = [];
    assert.deepEqual(await reload("abcde", "e")(parts), {
      value: { keys: 1, added: [], removed: ["a", "b", "c", "d"], changed, ended: 2 },
    });
    assert.deepEqual(ends, ["of a", "of b", "of c", "of d"]);
    const value = { added: ["f"], removed: [], changed, ended: 0 };
    assert.deepEqual(await reload("e", "ef")(parts), { value: { keys: 2, ...value } });
    assert.deepEqual(await reload("", "")(parts), {
      value: { keys: 0, ...value, added: [] },
    });
    for (
      const [before, after, why] of [["a", "", /open the server/], ["", "a", /stays one/]] as const
    ) {
      const told = await reload(before, after)(parts);
      assert.ok("error" in told && told.error.code === "invalid_option");
      assert.match(told.error.message, why);
    }
  });
});

Deno.test("carryOut() tells a faulty keys file from a fault of its own", async () => {
  const told = async (error: Error) => {
    let came: unknown;
    const keysOf = () => {
      throw error;
    };
    await withParts(async (parts) => {
      came = await carryOut({ do: "reload", text: "" }, parts);
    }, { keysOf });
    return came;
  };
  assert.deepEqual(await told(new UsageError("no list")), {
    error: { code: "invalid_option", message: "no list; nothing is changed" },
  });
  const fault = await told(new RangeError("a bug")) as { error: { code: string } };
  assert.equal(fault.error.code, "internal");
});

Deno.test("carryOut() says where there was nothing to do", async () => {
  const fitted: string[][] = [];
  const fitMemory = (models: readonly { id: string }[]) => {
    fitted.push(models.map(({ id }) => id));
  };
  await withParts(async (parts) => {
    const tell = (command: Parameters<typeof carryOut>[0]) => carryOut(command, parts);
    const none = { endStreams: true };
    assert.deepEqual(await tell({ do: "load", model: "tiny" }), { value: false });
    assert.deepEqual(await tell({ do: "unload", model: "none", ...none }), { value: null });
    assert.deepEqual(await tell({ do: "uses", model: "none" }), { value: null });
    assert.deepEqual(await tell({ do: "uses", model: "mute" }), { value: 0 });
    assert.deepEqual(await tell({ do: "end", session: "none" }), { value: null });
    assert.deepEqual(fitted, []);
    for (const model of ["../weights", "", ".."]) {
      const refused = await tell({ do: "load", model });
      assert.ok("error" in refused && refused.error.code === "invalid_option", model);
      assert.match(refused.error.message, /^name takes a folder's name/);
    }
    assert.deepEqual(await tell({ do: "unload", model: "mute", ...none }), { value: 0 });
    assert.deepEqual(fitted, [["tiny"]]);
  }, { fitMemory });
});

Deno.test("carryOut() gives back the memory of a model that cannot be loaded", async () => {
  const fitted: number[] = [];
  const fitMemory = (models: readonly unknown[]) => void fitted.push(models.length);
  await withParts(async (parts) => {
    parts.pool.add = () => Promise.reject(new CpcError("model_failed", "no device"));
    assert.deepEqual(await carryOut({ do: "load", model: "cpc-small" }, parts), {
      error: { code: "model_failed", message: "no device" },
    });
    assert.deepEqual(fitted, [3, 2]);
  }, { modelsFolder: "weights", fitMemory });
});

Deno.test("carryOut() ends no stream of a model while another one is loaded", async () => {
  await withParts(async (parts) => {
    let ended = 0;
    parts.hub.sessions.endStreamsOf = () => ended++;
    Object.defineProperty(parts.pool, "isAdding", { value: true });
    const told = await carryOut({ do: "unload", model: "mute", endStreams: true }, parts);
    assert.ok("error" in told && told.error.code === "loading");
    assert.equal(ended, 0);
  });
});
