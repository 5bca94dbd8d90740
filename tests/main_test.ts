import assert from "node:assert/strict";
// @ts-types="@types/ws"
import { WebSocket } from "ws";
import { startServer } from "../bench/load.ts";
import { helpOf } from "../commands/cli.ts";
import { START } from "../commands/start.ts";
import { fixturePcm, fixtureSamples, maxDifference } from "./support/golden.ts";
import { entryOf, keyOf, withKeysFile } from "./support/keys_file.ts";
import { loadWeights } from "../model/weights.ts";
import { streamWhole } from "./support/stream.ts";
import { task } from "./support/task.ts";
import { createEngine } from "../model/engines/create.ts";

const ROOT = new URL("../", import.meta.url).pathname;
const WAV = "italian_short.wav";

/** Streams s16le audio in pieces and collects the contexts. */
function streamFile(
  url: string,
  pcm: Uint8Array,
  piece: number,
): Promise<{ context: number[]; done: Record<string, unknown>; code: number }> {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(`${url.replace("http", "ws")}/v1/stream`);
    const context: number[] = [];
    let done: Record<string, unknown> = {};
    socket.on("error", reject);
    socket.on("close", (code: number) => resolve({ context, done, code }));
    socket.on("message", (data: Uint8Array) => {
      const message = JSON.parse(new TextDecoder().decode(data));
      if (message.type === "ready") {
        for (let at = 0; at < pcm.length; at += piece) socket.send(pcm.subarray(at, at + piece));
        socket.send('{"type":"finish"}');
      } else if (message.type === "frames") context.push(...message.context.flat());
      else if (message.type === "done") done = message;
      else reject(new Error(JSON.stringify(message)));
    });
  });
}

Deno.test("deno task start serves: stream, REST and engine agree; SIGTERM exits 0", async () => {
  const pcm = fixturePcm(WAV);
  const engine = await createEngine("onnx", await loadWeights(`${ROOT}weights/cpc-base`), {
    device: "cpu",
    precision: "fp32",
    threads: 1,
  });
  const truth = await streamWhole(engine, fixtureSamples(WAV));
  await engine.dispose();
  const server = await startServer(["--workers", "2"]);
  try {
    const streamed = await streamFile(server.url, pcm, 641);
    assert.equal(streamed.code, 1000);
    assert.deepEqual([streamed.done.frames, streamed.done.samples], [truth.frames, pcm.length / 2]);
    assert.ok(maxDifference(streamed.context, truth.context) <= 1e-4);

    const body = await Deno.readFile(`${ROOT}tests/fixtures/speech/${WAV}`);
    const response = await fetch(`${server.url}/v1/embeddings`, { method: "POST", body });
    const { data } = await response.json();
    assert.ok(maxDifference(data[0].context.flat(), truth.context) <= 1e-4);

    const open = new WebSocket(`${server.url.replace("http", "ws")}/v1/stream`);
    const messages: { type: string; code?: string; resume?: string }[] = [];
    const closed = new Promise<number>((resolve) =>
      open.on("close", (code: number) => resolve(code))
    );
    const drained = new Promise<void>((resolve) =>
      open.on("message", (message: Uint8Array) => {
        messages.push(JSON.parse(new TextDecoder().decode(message)));
        if (messages[0].type === "ready" && messages.length === 1) resolve();
      })
    );
    await drained;
    const status = server.stop();
    assert.equal(await closed, 1001);
    assert.deepEqual(messages.map(({ type, code }) => [type, code]), [["ready", undefined], [
      "warning",
      "draining",
    ], [
      "error",
      "draining",
    ]]);
    assert.equal((await status).code, 0);
  } catch (error) {
    await server.stop();
    throw error;
  }
});

Deno.test("deno task start logs what a row of each head takes", async () => {
  const log = await Deno.makeTempFile();
  const flags = ["--model", "weights/cpc-small", "--workers", "1", "--log-level", "info"];
  const server = await startServer(flags, { errorsTo: log });
  try {
    await server.stop(); // the log is complete then
    const text = await Deno.readTextFile(log);
    for (const head of ["speaker", "speech"]) {
      assert.match(text, new RegExp(`cpc-small/${head}\\W+[\\d.e+-]+ µs a row`));
    }
  } finally {
    await Deno.remove(log);
  }
});

Deno.test("deno task start serves on when its log cannot be written, and exits 0", async () => {
  const flags = ["--model", "weights/cpc-small", "--workers", "1", "--log-level", "debug"];
  const server = await startServer(flags, { errorsTo: "/dev/full" });
  try {
    for (let i = 0; i < 3; i++) { // each is logged
      const answer = await fetch(`${server.url}/healthz`);
      assert.equal(answer.status, 200);
      await answer.body?.cancel();
    }
  } finally {
    assert.equal((await server.stop()).code, 0);
  }
});

/** A server, and an upload to it that never ends. */
async function withEndlessUpload(flags: readonly string[]) {
  const server = await startServer(["--model", "weights/cpc-small", "--workers", "1", ...flags]);
  const { hostname, port } = new URL(server.url);
  const upload = await Deno.connect({ hostname, port: Number(port) });
  const head = "POST /v1/embeddings HTTP/1.1\r\nHost: localhost\r\nContent-Type: audio/wav\r\n" +
    "Content-Length: 1000\r\n\r\nRIFF";
  await upload.write(new TextEncoder().encode(head));
  const alive = await fetch(`${server.url}/healthz`); // comes after the upload
  assert.equal(alive.status, 200);
  await alive.body?.cancel();
  return { server, upload };
}

Deno.test("deno task start ends within --drain-timeout, whatever its clients do", async () => {
  const { server, upload } = await withEndlessUpload(["--drain-timeout", "1"]);
  assert.equal((await server.stop()).code, 0);
  upload.close();
});

Deno.test("deno task start ends at once on a second SIGTERM", async () => {
  const { server, upload } = await withEndlessUpload(["--drain-timeout", "3600"]);
  let ended = false;
  const status = server.stop().finally(() => ended = true);
  const ready = () =>
    fetch(new URL("/readyz", server.url)).then(async (answer) => {
      await answer.body?.cancel();
      return answer.status;
    }, () => undefined);
  while (await ready() === 200); // until it drains
  assert.equal(await ready(), 503, "it says so while a request is under way");
  while (!ended) { // one that comes with the first is the same
    try {
      Deno.kill(server.pid, "SIGTERM");
    } catch {
      break; // it has just ended
    }
    await Promise.race([ready(), status]);
  }
  assert.equal((await status).code, 0);
  upload.close();
});

Deno.test("deno task start refuses flags and busy ports with one line and 2", async () => {
  const blocker = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const busy = String((blocker.addr as Deno.NetAddr).port);
  const cases: [string[], RegExp][] = [
    [["--colour", "red"], /--colour/],
    [["--port", busy, "--model", "weights/cpc-small"], new RegExp(`port ${busy} .* in use`)],
  ];
  for (const [args, message] of cases) {
    const { code, text, errors } = await task("start", args);
    assert.deepEqual([code, text], [2, ""], errors);
    assert.match(errors, message);
    assert.equal(errors.trim().split("\n").length, 1, errors);
  }
  blocker.close();
});

Deno.test("deno task start --help prints the help and ends with 0", async () => {
  const { code, text, errors } = await task("start", ["--help"]);
  assert.deepEqual([code, errors], [0, ""]);
  assert.equal(text, `${helpOf(START)}\n`);
});

Deno.test("deno task embed gives the server's numbers, from files and stdin", async () => {
  const engine = await createEngine("onnx", await loadWeights(`${ROOT}weights/cpc-base`), {
    device: "cpu",
    precision: "fp32",
    threads: 1,
  });
  const truth = await streamWhole(engine, fixtureSamples(WAV));
  await engine.dispose();
  const file = `tests/fixtures/speech/${WAV}`;
  const json = await task("embed", [file, "--format", "json", "--workers", "1"]);
  assert.equal(json.code, 0, json.errors);
  assert.ok(maxDifference(JSON.parse(json.text).data[0].context.flat(), truth.context) <= 1e-4);
  const piped = await task("embed", ["-", "--pool", "last", "--workers", "1"], {
    stdin: await Deno.readFile(ROOT + file),
  });
  const last = new Float32Array(piped.stdout.slice(128).buffer);
  assert.ok(maxDifference(last, truth.context.slice(-256)) <= 1e-4);
});

Deno.test("deno task embed says what is wrong: 2 for command lines, 1 for files", async () => {
  assert.equal((await task("embed", [])).code, 2);
  assert.equal((await task("embed", ["a.wav", "--pool", "median"])).code, 2);
  const missing = await task("embed", ["no-such.wav", "--workers", "1"]);
  assert.equal(missing.code, 1);
  assert.match(missing.errors, /cannot read no-such\.wav/);
});

Deno.test("deno task start tells its settings but no secret; SIGHUP reads keys", async () => {
  const log = await Deno.makeTempFile();
  const store = `redis://user:hunter2@127.0.0.1:1/3`;
  await withKeysFile([entryOf("lab")], async (file) => {
    const flags = ["--model", "weights/cpc-small", "--workers", "1", "--log-level", "info"];
    const secrets = ["--api-keys-file", file.path, "--api-key", "a-plain-key", "--store", store];
    const server = await startServer([...flags, ...secrets], { errorsTo: log });
    const status = async (name: string) => {
      const headers = { authorization: `Bearer ${keyOf(name)}` };
      const answer = await fetch(`${server.url}/v1/models`, { headers });
      await answer.body?.cancel();
      return answer.status;
    };
    try {
      assert.deepEqual([await status("lab"), await status("desk")], [200, 401]);
      await file.write(JSON.stringify([entryOf("desk")]));
      Deno.kill(server.pid, "SIGHUP");
      while (await status("desk") !== 200);
      assert.equal(await status("lab"), 401);
    } finally {
      await server.stop(); // the log is complete then
      const text = await Deno.readTextFile(log);
      const lines = text.trim().split("\n").map((line) => JSON.parse(line));
      const { settings, keys } = lines.find(({ message }) => message === "settings in force");
      assert.deepEqual(keys, { count: 2, admins: [] });
      assert.deepEqual(settings["api-key"], { value: ["***"], from: "flag" });
      assert.equal(settings.store.value, store.replace("hunter2", "***"));
      assert.deepEqual(settings["drain-timeout"], { value: 30, from: "default" });
      for (const secret of ["a-plain-key", "hunter2", keyOf("lab")]) {
        assert.ok(!text.includes(secret), secret);
      }
      const reread = lines.find(({ message }) => message === "the keys were read again");
      assert.deepEqual([reread.signal, reread.added, reread.removed], ["SIGHUP", ["desk"], [
        "lab",
      ]]);
      await Deno.remove(log);
    }
  });
});
