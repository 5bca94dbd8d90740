/** The shared stores that tests run over: a file of SQLite, and a real Redis where there is one. */
import { Buffer } from "node:buffer";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { openStore } from "../../stores/open.ts";
import type { SessionStore } from "../../stores/store.ts";
import { storePlaceOf } from "../../config/store.ts";
import { fingerprintOf } from "../../inference/fingerprint.ts";
import type { EnginePool } from "../../inference/pool.ts";
import { SharedResumeStore } from "../../streaming/session/shared_resume_store.ts";
import { leftOut } from "./left_out.ts";

/** A kind of store, and how a test gets an empty one. */
export interface StoreKind {
  readonly name: string;
  /** Runs a test with an empty store; it and its servers are gone afterwards. */
  with(use: (place: TestStore) => Promise<void>): Promise<void>;
}

/** An empty store. */
export interface TestStore {
  readonly url: string;
  /** The sealed records. */
  records(): Promise<Uint8Array[]>;
  /** What is stored, as bytes on disk or in memory. */
  contents(): Promise<Uint8Array>;
  /** Stops answering. */
  stop(): void | Promise<void>;
  /** Answers again. */
  go(): void | Promise<void>;
}

/** Opens a test's store. */
export async function open({ url }: Pick<TestStore, "url">): Promise<SessionStore> {
  return (await openStore(storePlaceOf(url)!))!;
}

const SQLITE: StoreKind = {
  name: "sqlite",
  async with(use) {
    const { DatabaseSync } = await import("node:sqlite");
    const folder = await Deno.makeTempDir();
    const file = `${folder}/sessions.db`;
    let lock: InstanceType<typeof DatabaseSync> | undefined;
    const go = () => {
      lock?.close();
      lock = undefined;
    };
    try {
      await use({
        url: `sqlite:${file}`,
        async contents() {
          const parts = [];
          for await (const { name } of Deno.readDir(folder)) {
            if (!name.endsWith("-shm")) parts.push(await Deno.readFile(`${folder}/${name}`));
          }
          return new Uint8Array(await new Blob(parts).arrayBuffer());
        },
        // deno-lint-ignore require-await -- other stores wait
        async records() {
          const db = new DatabaseSync(file);
          const rows = db.prepare("SELECT sealed FROM record").all() as { sealed: Uint8Array }[];
          db.close();
          return rows.map(({ sealed }) => sealed);
        },
        stop() {
          lock = new DatabaseSync(file);
          lock.exec("PRAGMA busy_timeout = 2000; BEGIN IMMEDIATE");
        },
        go,
      });
    } finally {
      go();
      await Deno.remove(folder, { recursive: true });
    }
  },
};

const REDIS: StoreKind = {
  name: "redis",
  async with(use) {
    const folder = await Deno.makeTempDir();
    const port = await freePort();
    const server = new Deno.Command("redis-server", {
      args: ["--port", String(port), "--bind", "127.0.0.1", "--dir", folder, "--save", ""],
      stdout: "piped",
      stderr: "null",
    }).spawn();
    try {
      const reader = server.stdout.pipeThrough(new TextDecoderStream()).getReader();
      for (let log = ""; !log.includes("Ready to accept connections");) {
        const { value, done } = await reader.read();
        if (done) throw new Error(`redis-server ended: ${log}`);
        log += value;
      }
      const rest = (async () => {
        while (!(await reader.read()).done);
      })();
      try {
        await use({
          url: `redis://127.0.0.1:${port}`,
          records: async () => (await values(port)).records,
          contents: async () => new TextEncoder().encode((await values(port)).text),
          stop: () => server.kill("SIGSTOP"),
          go: () => server.kill("SIGCONT"),
        });
      } finally {
        server.kill("SIGCONT");
        server.kill("SIGKILL");
        await rest;
      }
    } finally {
      await server.status;
      await Deno.remove(folder, { recursive: true });
    }
  },
};

/** Everything in a Redis. */
async function values(port: number): Promise<{ text: string; records: Uint8Array[] }> {
  const { createClient, RESP_TYPES } = await import("@redis/client");
  const client = createClient({ url: `redis://127.0.0.1:${port}` });
  await client.connect();
  const bytes = client.withTypeMapping({ [RESP_TYPES.BLOB_STRING]: Buffer });
  const records: Uint8Array[] = [];
  const parts: string[] = [];
  for (const key of await client.keys("*")) {
    parts.push(key);
    if (await client.type(key) === "list") records.push(...await bytes.lRange(key, 0, -1));
    else parts.push(JSON.stringify(await client.hGetAll(key)));
  }
  client.destroy();
  const latin1 = new TextDecoder("latin1");
  return { text: [...parts, ...records.map((one) => latin1.decode(one))].join("\n"), records };
}

/** A port that nobody uses. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

function hasRedis(): boolean {
  try {
    return new Deno.Command("redis-server", { args: ["--version"] }).outputSync().success;
  } catch {
    return false;
  }
}

/** The kinds of shared stores that this machine has; what is missing is named among the tests. */
export function storeKinds(): StoreKind[] {
  if (hasRedis()) return [SQLITE, REDIS];
  leftOut("redis", "there is no redis-server here");
  return [SQLITE];
}

/** A resume store over a store, for the `store` of a test's server. */
export function sharing(store: SessionStore, resumeWindowS = 60) {
  return async (pool: EnginePool, nowMs: () => number): Promise<SharedResumeStore> => {
    const shared = new SharedResumeStore(store, {
      resumeWindowS,
      maxKept: 16,
      outlives: true,
      model: (id) => {
        const model = pool.models.get(id);
        return model &&
          {
            layout: model.layout,
            heads: model.weights.heads,
            fingerprint: fingerprintOf(model.weights, pool),
          };
      },
      nowMs,
    });
    await shared.start();
    return shared;
  };
}
