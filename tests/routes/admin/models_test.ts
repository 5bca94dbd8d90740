import assert from "node:assert/strict";
import { CpcError } from "../../../errors.ts";
import type { ToWorker } from "../../../inference/messages.ts";
import type { EnginePool } from "../../../inference/pool.ts";
import { Log } from "../../../log.ts";
import { catchUp } from "../../../routes/admin/carry_out.ts";
import { asker } from "../../../routes/admin/commands.ts";
import { loadModel } from "../../../routes/admin/models.ts";
import { Keys } from "../../../routes/keys.ts";
import { withTempFolder } from "../../support/corpus.ts";
import { FaultyWorkers } from "../../support/faulty_workers.ts";
import { withHttpServer } from "../../support/http_server.ts";
import { entryOf, keyOf, withKeysFile } from "../../support/keys_file.ts";
import { writeTinyModel } from "../../support/models.ts";
import { readableLog } from "../../support/readable_log.ts";
import { wav, withServer } from "../../support/server.ts";
import { StreamClient } from "../../support/stream_client.ts";

const MODELS = "/v1/admin/models";
const headers = { authorization: `Bearer ${keyOf("ops")}` };

/** Runs a test with an administrator and a folder that holds the model `extra`. */
async function withModels(
  use: (server: {
    folder: string;
    ask: (method: string, path: string, body?: BodyInit) => Promise<Response>;
    connect: (query: string) => StreamClient;
  }) => Promise<void>,
  options: Parameters<typeof withServer>[1] = {},
): Promise<void> {
  const outside = await Deno.makeTempDir();
  const folder = `${outside}/models`;
  await Deno.mkdir(folder);
  await writeTinyModel(folder);
  await Deno.rename(`${folder}/tiny`, `${folder}/extra`);
  await withKeysFile([entryOf("ops", { admin: true })], async ({ path }) => {
    await withHttpServer(async (_, { app, url }) => {
      await use({
        folder,
        ask: async (method, path, body) => await app.request(path, { method, headers, body }),
        connect: (query) => new StreamClient(url, { query, headers }),
      });
    }, { flags: ["--api-keys-file", path], modelsFolder: folder, ...options });
  });
  await Deno.remove(outside, { recursive: true });
}

Deno.test("POST /v1/admin/models loads a folder for everybody; DELETE takes it away", async () => {
  await withModels(async ({ ask, connect }) => {
    const embed = async (model: string) => {
      const body = wav(new Float32Array(1600));
      const answer = await ask("POST", `/v1/embeddings?model=${model}`, body);
      return [answer.status, (await answer.json()).model];
    };
    assert.equal((await embed("extra"))[0], 404);
    const other = connect("model=mute");
    await other.next("ready");
    const load = async () => await (await ask("POST", `${MODELS}?name=extra`)).json();
    assert.deepEqual(await load(), { id: "extra", loaded: true });
    assert.deepEqual(await load(), { id: "extra", loaded: false });
    assert.deepEqual(await embed("extra"), [200, "extra"]);
    const stream = connect("model=extra");
    assert.equal((await stream.next("ready")).model, "extra");
    stream.send({ type: "finish" });
    assert.equal(await stream.closed(), 1000);
    const gone = await ask("DELETE", `${MODELS}/extra`);
    assert.deepEqual([gone.status, await gone.json()], [200, { id: "extra", ended: 0 }]);
    assert.equal((await embed("extra"))[0], 404);
    assert.equal((await ask("DELETE", `${MODELS}/extra`)).status, 404);
    other.send(new Uint8Array(960));
    assert.equal((await other.mark()).samples, 480);
    await other.terminate();
  });
});

Deno.test("POST /v1/admin/models loads only models, only from inside the folder", async () => {
  await withModels(async ({ folder, ask }) => {
    await writeTinyModel(`${folder}/..`);
    await Deno.symlink(`${folder}/../tiny`, `${folder}/link`);
    await Deno.mkdir(`${folder}/empty`);
    const cases: [string, number, RegExp][] = [
      ["../tiny", 422, /a folder's name/],
      ["..", 422, /a folder's name/],
      [".", 422, /a folder's name/],
      ["extra/../../tiny", 422, /a folder's name/],
      ["/etc", 422, /a folder's name/],
      ["..\\tiny", 422, /a folder's name/],
      ["", 422, /a folder's name/],
      ["link", 404, /no folder "link" beside the default model's/],
      ["nothing", 404, /no folder "nothing"/],
      ["empty", 422, /config\.json/],
    ];
    for (const [name, status, why] of cases) {
      const refused = await ask("POST", `${MODELS}?name=${encodeURIComponent(name)}`);
      const { error } = await refused.json();
      assert.deepEqual([refused.status, error.param ?? "name"], [status, "name"], name);
      assert.match(error.message, why, name);
    }
    assert.equal((await ask("POST", MODELS)).status, 422);
    const { data } = await (await ask("GET", "/v1/models")).json();
    assert.deepEqual(data.map(({ id }: { id: string }) => id), ["tiny", "mute"]);
  });
});

Deno.test("POST /v1/admin/models refuses a model without memory planned for it", async () => {
  const asked: string[][] = [];
  const fitMemory = (models: readonly { id: string }[]) => {
    asked.push(models.map(({ id }) => id));
    if (models.length > 2) throw new CpcError("overloaded", "no room");
  };
  await withModels(async ({ ask }) => {
    assert.equal((await ask("POST", `${MODELS}?name=extra`)).status, 503);
    assert.equal((await ask("DELETE", `${MODELS}/mute`)).status, 200);
    assert.equal((await ask("POST", `${MODELS}?name=extra`)).status, 200);
    const fitted = [["tiny", "mute", "extra"], ["tiny"], ["tiny", "extra"]];
    assert.deepEqual(asked, fitted);
  }, { fitMemory });
});

Deno.test("POST /v1/admin/models loads one model at a time, for their memory", async () => {
  const [asked, go] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const startWorker = () => {
    const thread = new FaultyWorkers().startWorker();
    const post = thread.postMessage.bind(thread);
    thread.postMessage = (messages: readonly ToWorker[]) => {
      if (messages.every(({ type }) => type !== "add")) return post(messages);
      asked.resolve();
      void go.promise.then(() => post(messages));
    };
    return thread;
  };
  const fitted: string[][] = [];
  const fitMemory = (models: readonly { id: string }[]) => {
    fitted.push(models.map(({ id }) => id));
  };
  await withModels(async ({ folder, ask }) => {
    await writeTinyModel(folder);
    await Deno.rename(`${folder}/tiny`, `${folder}/other`);
    const loading = ask("POST", `${MODELS}?name=extra`);
    await asked.promise;
    const meanwhile = [["POST", `${MODELS}?name=other`], ["DELETE", `${MODELS}/mute`]] as const;
    for (const [method, path] of meanwhile) {
      const refused = await ask(method, path);
      assert.deepEqual([refused.status, refused.headers.get("retry-after")], [503, "1"], path);
      assert.equal((await refused.json()).error.code, "loading");
    }
    go.resolve();
    assert.equal((await loading).status, 200);
    assert.deepEqual(fitted, [["tiny", "mute", "extra"]]);
    assert.equal((await ask("POST", `${MODELS}?name=other`)).status, 200);
    assert.deepEqual(fitted[1], ["tiny", "mute", "extra", "other"]);
  }, { startWorker, fitMemory });
});

Deno.test("loadModel() finds what another request has loaded meanwhile", async () => {
  await withTempFolder(async (folder) => {
    await writeTinyModel(folder);
    const models = new Map<string, unknown>();
    const add = () => Promise.reject(new Error("it is there"));
    const pool = { models, isAdding: false, add } as unknown as EnginePool;
    const fitMemory = () => assert.fail("nothing is added");
    const loading = loadModel("tiny", { pool, modelsFolder: folder, fitMemory });
    models.set("tiny", {});
    assert.equal(await loading, false);
  });
});

Deno.test("DELETE /v1/admin/models/{name} unloads what some lack; 404 if all do", async () => {
  let told: { value: unknown }[] = [{ value: null }, { value: 2 }];
  const { log, lines } = readableLog();
  const here = () => Promise.reject(new Error("all are asked"));
  await withModels(async ({ ask }) => {
    const gone = await ask("DELETE", `${MODELS}/extra?end_streams=1`);
    assert.deepEqual([gone.status, await gone.json()], [200, { id: "extra", ended: 2 }]);
    const refused = await ask("DELETE", `${MODELS}/extra`);
    assert.match(
      (await refused.json()).error.message,
      /the model extra has 2 streams; end_streams=1/,
    );
    told = [{ value: null }, { value: null }];
    assert.equal((await ask("DELETE", `${MODELS}/extra`)).status, 404);
    told = [{ value: false }, { value: true }];
    const loaded = await ask("POST", `${MODELS}?name=extra`);
    assert.deepEqual([loaded.status, (await loaded.json()).loaded], [200, true]);
    const said = lines().map(({ message, key, ended, loaded }) => [message, key, ended, loaded]);
    assert.deepEqual(said, [
      ["admin unloaded the model extra", "ops", 2, undefined],
      ["admin loaded the model extra", "ops", undefined, true],
    ]);
  }, {
    log,
    admin: { askAll: asker(here, () => Promise.resolve(told)) },
  });
});

Deno.test("catchUp() logs what cannot be done of what was settled; does the rest", async () => {
  await withServer(async ({ ctx: { pool }, hub }) => {
    const lines: string[] = [];
    const write = (line: string) => void lines.push(line);
    const sink = { write, takeLost: () => 0, flush: () => Promise.resolve() };
    const log = new Log("error", { sink });
    const parts = {
      hub,
      pool,
      keys: new Keys([]),
      keysOf: () => [],
      modelsFolder: await Deno.makeTempDir(),
      fitMemory: () => {},
    };
    await catchUp([
      { do: "load", model: "gone" },
      { do: "unload", model: "never-there", endStreams: false },
      { do: "unload", model: "mute", endStreams: false },
    ], { parts, log });
    await Deno.remove(parts.modelsFolder);
    assert.deepEqual([...pool.models.keys()], ["tiny"]);
    assert.equal(lines.length, 1);
    assert.match(lines[0]!, /cannot be done here.*"load".*"gone".*model_not_found/);
  });
});

Deno.test("DELETE /v1/admin/models/{name} leaves one with streams, unless told to", async () => {
  await withModels(async ({ ask, connect }) => {
    const [uses, other] = [connect("model=mute"), connect("model=tiny")];
    const { resume } = await uses.next("ready");
    await other.next("ready");
    const refused = await ask("DELETE", `${MODELS}/mute`);
    assert.equal(refused.status, 409);
    const { code, message } = (await refused.json()).error;
    assert.equal(code, "model_in_use");
    assert.match(message, /mute has 1 stream; end_streams=1 ends them first/);
    await uses.mark();
    const ended = await ask("DELETE", `${MODELS}/mute?end_streams=1`);
    assert.deepEqual(await ended.json(), { id: "mute", ended: 1 });
    assert.equal(await uses.closed(), 1013);
    const [error] = uses.all("error");
    assert.deepEqual([error?.code, error?.retryable], ["model_unloaded", true]);
    const again = connect(`resume=${resume}&received=0`);
    assert.equal(await again.closed(), 4400);
    assert.equal(again.all("error")[0]?.code, "model_not_found");
    for (const query of ["", "?end_streams=1"]) {
      assert.equal((await ask("DELETE", `${MODELS}/tiny${query}`)).status, 409, "the default");
    }
    assert.equal((await ask("DELETE", `${MODELS}/tiny?end_streams=yes`)).status, 422);
    await other.mark();
    await other.terminate();
  });
});
