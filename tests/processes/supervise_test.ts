import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { type IncomingMessage, request } from "node:http";
import { type AddressInfo, createServer } from "node:net";
import { fixturePcm, maxDifference } from "../support/golden.ts";
import { entryOf, keyOf, withKeysFile } from "../support/keys_file.ts";
import { type HeardFrame, heardFrames, StreamClient } from "../support/stream_client.ts";
import { childrenOf, isAlive, startSupervisor, type Supervisor } from "../support/supervised.ts";

const MODELS = "tests/fixtures/golden/models";
const FLAGS = ["--model", `${MODELS}/single_layer`, "--processes", "2", "--workers", "2"];
const WIDTHS = { C: 16, Z: 24 };
const STREAMS = 24;
const BUSY_TRIES = 100;

/** Runs a test with a supervisor, which is ended afterwards. */
async function supervised(
  flags: readonly string[],
  use: (supervisor: Supervisor) => Promise<void>,
  environment: Readonly<Record<string, string>> = {},
): Promise<void> {
  const supervisor = await startSupervisor([...FLAGS, ...flags], environment);
  try {
    assert.ok(supervisor.url, supervisor.log);
    await use(supervisor);
  } finally {
    supervisor.kill("SIGKILL");
    await supervisor.ended;
    await Deno.remove(supervisor.folder, { recursive: true });
  }
}

/** Asks on a connection of its own, so that any server may get it. */
async function ask(
  url: string,
  { method = "GET", key = "" }: { method?: string; key?: string } = {},
): Promise<{ status: number; text: string }> {
  const asked = request(url, { method, agent: false, headers: { authorization: `Bearer ${key}` } });
  asked.end();
  const [answer] = await once(asked, "response") as [IncomingMessage];
  let text = "";
  for await (const part of answer.setEncoding("utf8")) text += part;
  return { status: answer.statusCode!, text };
}

/** A metric of all servers. */
async function metric(url: string, name: string, key: string): Promise<number> {
  const { text } = await ask(`${url}/metrics`, { key });
  return Number(text.split("\n").find((line) => line.startsWith(`${name} `))?.split(" ")[1]);
}

function connect(url: string, key: string, query = "format=binary"): StreamClient {
  return new StreamClient(url, { query, headers: { authorization: `Bearer ${key}` } });
}

/** Resumes a stream; another server may be busy with the others that do so. */
async function resumed(url: string, key: string, query: string): Promise<StreamClient> {
  for (let tries = 0;; tries++) {
    const client = connect(url, key, query);
    const [error] = await client.next("ready").then(() => [], () => client.all("error"));
    if (!error) return client;
    assert.ok(error.retryable && tries < BUSY_TRIES, JSON.stringify(error));
  }
}

function assertEqualFrames(heard: readonly HeardFrame[], truth: readonly HeardFrame[]): void {
  assert.deepEqual(heard.map(({ index }) => index), truth.map(({ index }) => index));
  for (const [i, frame] of heard.entries()) {
    assert.ok(maxDifference(frame.context!, truth[i]!.context!) <= 1e-5);
  }
}

Deno.test("deno task start --processes 2: streams move; limits and keys are shared", async () => {
  const keysFile = await Deno.makeTempFile();
  const named = (name: string, more: object) => {
    return { name, sha256: createHash("sha256").update(`${name}-key`).digest("hex"), ...more };
  };
  const keys = [
    named("many", { max_streams: STREAMS - 1 }),
    named("few", { requests_per_minute: 5 }),
  ];
  await Deno.writeTextFile(keysFile, JSON.stringify(keys));
  const flags = ["--api-keys-file", keysFile, "--max-streams", String(STREAMS)];
  await supervised(flags, async (supervisor) => {
    const { url, folder } = supervisor;
    const key = "many-key";
    const pcm = fixturePcm("italian_short.wav").subarray(0, 32_000);
    const half = 14_002;

    const unbroken = connect(url, key);
    await unbroken.next("ready");
    unbroken.send(pcm);
    await unbroken.mark();
    const truth = heardFrames(unbroken.came, WIDTHS);
    assert.ok(truth.length > 90);
    unbroken.socket.close(1000);
    await unbroken.closed();

    // the bounds of the whole
    const streams = Array.from({ length: STREAMS - 1 }, () => connect(url, key));
    await Promise.all(streams.map((stream) => stream.next("ready")));
    const beyondKey = connect(url, key);
    assert.equal(await beyondKey.closed(), 4429);
    assert.match(String(beyondKey.all("error")[0]?.message), /this key may have 23 streams/);
    const last = connect(url, "few-key");
    await last.next("ready");
    const beyondAll = connect(url, "few-key");
    assert.equal(await beyondAll.closed(), 4429);
    assert.match(String(beyondAll.all("error")[0]?.message), /this server takes 24 streams/);
    const statuses = await Promise.all(
      Array.from({ length: 12 }, () => ask(`${url}/v1/models`, { key: "few-key" })),
    );
    assert.equal(statuses.filter(({ status }) => status === 200).length, 5);
    assert.equal(statuses.filter(({ status }) => status === 429).length, 7);
    const { text } = await ask(`${url}/v1/tokens`, { method: "POST", key });
    const { token } = JSON.parse(text);
    const byToken = await Promise.all(
      Array.from({ length: 12 }, () => ask(`${url}/v1/models`, { key: token })),
    );
    assert.ok(byToken.every(({ status }) => status === 200));

    // the store is private
    const [temporary] = [...Deno.readDirSync(folder)];
    const place = `${folder}/${temporary!.name}`;
    assert.equal(Deno.statSync(place).mode! & 0o777, 0o700);
    for (const { name } of Deno.readDirSync(place)) {
      assert.equal(Deno.statSync(`${place}/${name}`).mode! & 0o777, 0o600, name);
    }

    // one of the two is killed
    for (const stream of streams) stream.send(pcm.subarray(0, half));
    await Promise.all(streams.map((stream) => stream.mark()));
    const framesBefore = await metric(url, "cpc_frames_total", key);
    const usage = JSON.parse((await ask(`${url}/v1/usage`, { key })).text);
    assert.equal(usage.data[0].frames, framesBefore, "one key has them all");
    assert.equal(await metric(url, "cpc_streams", key), STREAMS);
    const servers = await childrenOf(supervisor.pid);
    assert.equal(servers.length, 2);
    Deno.kill(servers[0]!, "SIGKILL");
    const survived = await Promise.all(
      streams.map((one) => one.mark().then(() => true, () => false)),
    );
    const lost = survived.filter((survived) => !survived).length;
    assert.ok(lost > 0 && lost < streams.length, `${lost} streams were on the killed server`);
    await Promise.all(streams.map(async (stream, i) => {
      const heard = heardFrames(stream.came, WIDTHS);
      if (survived[i]) {
        stream.send(pcm.subarray(half));
      } else {
        const received = heard.length;
        const { resume } = await stream.next("ready");
        const next = await resumed(url, key, `resume=${resume}&received=${received}`);
        const { samples } = await next.next("ready");
        assert.ok(Number(samples) * 2 <= half);
        next.send(pcm.subarray(Number(samples) * 2));
        streams[i] = stream = next;
      }
      await stream.mark();
      const more = heardFrames(stream.came, WIDTHS);
      assertEqualFrames(survived[i] ? more : [...heard, ...more], truth);
    }));

    // it is started again
    while (await metric(url, "cpc_processes", key) < 2);
    assert.equal(await metric(url, "cpc_process_restarts_total", key), 1);
    assert.ok(await metric(url, "cpc_frames_total", key) >= framesBefore);
    assert.ok(!(await childrenOf(supervisor.pid)).includes(servers[0]!));

    // and the end of all
    supervisor.kill("SIGTERM");
    for (const stream of streams) {
      assert.equal(await stream.closed(), 1001);
      const warning = stream.all("warning").find(({ code }) => code === "draining");
      assert.ok(warning && !("resume" in warning));
    }
    const { code, stdout, stderr } = await supervisor.ended;
    assert.equal(code, 0);
    assert.equal(stdout, `listening on ${url}\n`);
    for (const line of stderr.trim().split("\n")) JSON.parse(line);
    assert.deepEqual([...Deno.readDirSync(folder)], []);
  });
  await Deno.remove(keysFile);
});

Deno.test("deno task start --processes 2: SIGTERM to one server moves its streams", async () => {
  await supervised([], async ({ url, pid }) => {
    const streams = Array.from({ length: STREAMS }, () => connect(url, ""));
    await Promise.all(streams.map((stream) => stream.next("ready")));
    const [server] = await childrenOf(pid);
    Deno.kill(server!, "SIGTERM");
    while (await isAlive(server!));
    const alive = await Promise.all(streams.map((one) => one.mark().then(() => true, () => false)));
    const gone = streams.filter((_, i) => !alive[i]);
    assert.ok(gone.length > 0 && gone.length < STREAMS);
    for (const stream of gone) {
      const { resume } = stream.all("warning").find(({ code }) => code === "draining")!;
      const next = await resumed(url, "", `resume=${resume}&received=0`);
      assert.equal((await next.next("ready")).resumed, true);
      next.socket.close(1000);
      await next.closed();
    }
    for (const stream of streams) stream.socket.close(1000);
    await Promise.all(streams.map((stream) => stream.closed()));
  });
});

Deno.test("deno task start --processes 2 ends at a second SIGTERM, even if stopped", async () => {
  await supervised(["--drain-timeout", "3600"], async (supervisor) => {
    const [server] = await childrenOf(supervisor.pid);
    Deno.kill(server!, "SIGSTOP"); // it cannot drain, nor end by itself
    let ended = false;
    void supervisor.ended.finally(() => ended = true);
    supervisor.kill("SIGTERM");
    while (!supervisor.log.includes('"stopping"')) await isAlive(supervisor.pid);
    while (!ended) { // one that comes with the first is the same
      supervisor.kill("SIGTERM");
      await isAlive(supervisor.pid);
    }
    assert.equal((await supervisor.ended).code, 0);
    while (await isAlive(server!)); // a killed process takes a moment to go
  });
});

Deno.test("deno task start --processes 2: all ends with a killed supervisor", async () => {
  await supervised([], async (supervisor) => {
    const servers = await childrenOf(supervisor.pid);
    assert.equal(servers.length, 2);
    supervisor.kill("SIGKILL");
    for (const server of servers) while (await isAlive(server));
    assert.deepEqual([...Deno.readDirSync(supervisor.folder)], []);
  });
});

Deno.test("deno task start --processes 2 serves with LD_LIBRARY_PATH, as containers set it", async () => {
  await supervised([], async ({ url, pid }) => {
    assert.equal((await ask(`${url}/healthz`)).status, 200);
    assert.equal((await childrenOf(pid)).length, 2);
  }, { LD_LIBRARY_PATH: "/nowhere" });
});

Deno.test("deno task start --processes 2 refuses with one line and status 2", async () => {
  const blocker = createServer().listen({ host: "127.0.0.1", port: 0, reusePort: true });
  await once(blocker, "listening"); // as another supervisor's servers do
  const busy = String((blocker.address() as AddressInfo).port);
  const cases: [string[], RegExp][] = [
    [["--port", busy], new RegExp(`port ${busy} .* in use`)],
    [["--store", "memory:"], /--store memory: keeps sessions in one process/],
    [["--processes", "65"], /--processes takes a whole number from 1 to 64/],
    [["--model", "no/such/folder"], /no config\.json in the weights folder no\/such\/folder/],
  ];
  for (const [flags, message] of cases) {
    const { ended, folder } = await startSupervisor([...FLAGS, ...flags]);
    const { code, stdout, stderr } = await ended;
    assert.equal(code, 2, stderr);
    assert.equal(stdout, "");
    assert.match(stderr, message);
    assert.equal(stderr.trim().split("\n").length, 1, stderr);
    assert.deepEqual([...Deno.readDirSync(folder)], []);
    await Deno.remove(folder);
  }
  blocker.close();
  await once(blocker, "close");
});

Deno.test("deno task start --processes 2: /v1/admin/ and SIGHUP reach both", async () => {
  const entries = [entryOf("ops", { admin: true }), entryOf("lab"), entryOf("desk")];
  await withKeysFile(entries, async (file) => {
    const flags = ["--api-keys-file", file.path, "--log-level", "info", "--api-key", "a-plain-key"];
    await supervised(flags, async (supervisor) => {
      const { url } = supervisor;
      const admin = async (method: string, path: string) =>
        JSON.parse((await ask(`${url}/v1/admin/${path}`, { method, key: keyOf("ops") })).text);
      const list = async (query = "") => (await admin("GET", `sessions${query}`)).data;
      const streams = Array.from(
        { length: STREAMS },
        (_, i) => connect(url, keyOf(i % 2 ? "lab" : "desk")),
      );
      const ready = await Promise.all(streams.map((stream) => stream.next("ready")));
      const ids = ready.map(({ session }) => String(session)).sort();
      const listed = (await list()).map(({ id }: { id: string }) => id);
      assert.deepEqual(listed, ids, "they are spread over both servers");

      for (const i of [0, 2, 4, 6]) { // whichever has them
        const { session } = ready[i]!;
        assert.equal((await admin("DELETE", `sessions/${session}`)).state, "live");
        assert.equal(await streams[i]!.closed(), 4403);
      }
      await streams[1]!.terminate();
      while ((await list("?key=lab")).every(({ state }: { state: string }) => state === "live"));
      assert.equal((await admin("DELETE", `sessions/${ready[1]!.session}`)).state, "kept");
      const again = connect(url, keyOf("lab"), `resume=${ready[1]!.resume}&received=0`);
      assert.equal(await again.closed(), 4404);

      await file.write(JSON.stringify([entryOf("ops", { admin: true }), entryOf("lab")]));
      supervisor.kill("SIGHUP");
      await Promise.all(streams.map((stream, i) => i % 2 ? undefined : stream.closed()));
      assert.equal(streams[8]!.closeCode, 4401);
      await streams[3]!.mark();
      await file.write("[");
      const { error } = await admin("POST", "reload");
      assert.match(error.message, /nothing is changed/);
      await file.write(JSON.stringify(entries));
      const { added, keys } = await admin("POST", "reload");
      assert.deepEqual([added, keys], [["desk"], 4]);

      const { settings } = await admin("GET", "config");
      assert.deepEqual(settings["api-key"], { value: ["***"], from: "flag" });
      assert.deepEqual(settings.workers, { value: 2, from: "flag" });
      assert.equal((await admin("POST", "drain?seconds=20")).within_seconds, 20);
      assert.equal(await streams[3]!.closed(), 1001);
      const { code, stderr } = await supervisor.ended;
      assert.equal(code, 0);
      const lines = stderr.trim().split("\n").map((line) => JSON.parse(line));
      const said = (message: string) => lines.filter((line) => line.message === message);
      assert.equal(said("settings in force").length, 1);
      assert.deepEqual(said("the keys were read again")[0]?.removed, ["desk"]);
      assert.equal(said("admin drains the server")[0]?.key, "ops");
      for (const secret of ["a-plain-key", keyOf("ops")]) assert.ok(!stderr.includes(secret));
    });
  });
});

Deno.test("deno task start --processes 2: models come and go at both servers", async () => {
  await withKeysFile([entryOf("ops", { admin: true })], async ({ path }) => {
    // few streams: the memory budget has to hold them beside one model more
    const args = ["--api-keys-file", path, "--max-streams", "64"];
    await supervised(args, async ({ url, pid }) => {
      const key = keyOf("ops");
      const admin = async (method: string, path: string) =>
        JSON.parse((await ask(`${url}/v1/admin/${path}`, { method, key })).text);
      const model = { id: "odd_strides", loaded: true };
      assert.deepEqual(await admin("POST", "models?name=odd_strides"), model);
      const [server] = await childrenOf(pid);
      Deno.kill(server!, "SIGKILL");
      // the port may still lead to the killed one
      const now = (name: string) => metric(url, name, key).catch(() => 0);
      while (await now("cpc_process_restarts_total") !== 1);
      while (await now("cpc_processes") < 2);
      const query = "model=odd_strides&output=latent";
      const streams = Array.from({ length: STREAMS }, () => connect(url, key, query));
      const told = await Promise.all(streams.map((stream) => stream.next("ready")));
      assert.ok(told.every(({ model }) => model === "odd_strides"));
      const { error } = await admin("DELETE", "models/odd_strides");
      assert.match(error.message, /has 24 streams; end_streams=1/);
      assert.equal((await admin("DELETE", "models/odd_strides?end_streams=1")).ended, STREAMS);
      for (const stream of streams) assert.equal(await stream.closed(), 1013);
      const refused = await Promise.all(
        streams.map(() => connect(url, key, query).closed()),
      );
      assert.ok(refused.every((code) => code === 4400));
    });
  });
});
