/** What leaves a server by its log and by telemetry: no key, no token, no audio, no voice. */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { randomBytes } from "node:crypto";
import { Collector } from "./support/collector.ts";
import { wav } from "./support/server.ts";
import { StreamClient } from "./support/stream_client.ts";
import { childrenOf, endSupervisor, isAlive, startSupervisor } from "./support/supervised.ts";

const RATE = 16_000;
/** A shorter run of characters of a key or token may be chance. */
const SECRET_CHARACTERS = 8;
/** Audio is longer, and its text more like that of ids. */
const AUDIO_CHARACTERS = 16;

const randomText = () => randomBytes(32).toString("base64url");
const bearer = (key: string) => ({ authorization: `Bearer ${key}` });

/** Every run of characters of a length. */
function runsOf(text: string, length: number): Set<string> {
  const runs = new Set<string>();
  for (let at = 0; at + length <= text.length; at++) runs.add(text.slice(at, at + length));
  return runs;
}

/** The ways in which bytes of samples may stand in a text. */
function writtenOut(samples: Int16Array): string[] {
  const bytes = Buffer.from(samples.buffer);
  const base64 = [0, 1, 2].map((skip) => bytes.subarray(skip).toString("base64"));
  const floats = Array.from(samples, (sample) => sample / 32768);
  return [
    ...base64,
    bytes.toString("base64url"),
    bytes.toString("hex"),
    bytes.toString("hex").toUpperCase(),
    bytes.join(","),
    samples.join(","),
    Array.from(samples).join(", "),
    floats.join(","),
    Array.from(Float32Array.from(floats)).join(","),
  ];
}

/** What was found of the secrets in a text. */
function leaks(text: string, secrets: Record<string, string>, length: number): string[] {
  const said = runsOf(text, length);
  return Object.entries(secrets).flatMap(([name, secret]) => {
    const run = runsOf(secret, length).values().find((run) => said.has(run));
    return run === undefined ? [] : [`${name}: ${JSON.stringify(run)}`];
  });
}

/** A stream that is not that of a server which was just killed. */
async function connected(connect: () => StreamClient): Promise<StreamClient> {
  for (let tries = 20;; tries--) {
    const client = connect();
    const error = await client.next("ready").then(() => undefined, (error) => error);
    if (!error) return client;
    if (tries === 0 || client.closeCode !== 1006) throw error;
  }
}

Deno.test("leaks() finds a part of a key, and audio however it is written", () => {
  const key = randomText();
  assert.deepEqual(leaks(`<${key.slice(5, 13)}>`, { key }, SECRET_CHARACTERS), [
    `key: "${key.slice(5, 13)}"`,
  ]);
  assert.deepEqual(leaks(key.slice(5, 12), { key }, SECRET_CHARACTERS), []);
  const samples = Int16Array.from({ length: 100 }, (_, i) => (i * 7919) % 30_011);
  for (const text of writtenOut(samples)) {
    const part = text.slice(40, 60);
    assert.ok(leaks(part, { audio: text }, AUDIO_CHARACTERS).length > 0);
  }
});

Deno.test("neither log nor telemetry holds keys, tokens, audio or voices", async () => {
  const [key, other, wrong, inQuery] = Array.from({ length: 4 }, randomText);
  const secrets: Record<string, string> = { key, other, wrong, inQuery };
  const noise = new Int16Array(new Uint8Array(randomBytes(2 * RATE)).buffer);
  const bytes = new Uint8Array(noise.buffer);
  const voice = Array.from({ length: 64 }, (_, i) => noise[i]! / 32768);
  await using collector = new Collector();
  const flags = ["--model", "weights/cpc-small", "--workers", "1", "--processes", "2"];
  const settings = ["--log-level", "debug", "--api-key", key, "--api-key", other];
  const server = await startSupervisor([...flags, ...settings], collector.environment);
  const statuses: number[] = [];
  const closes: number[] = [];
  const post = async (path: string, init: RequestInit) => {
    const answer = await fetch(`${server.url}${path}`, { method: "POST", ...init });
    statuses.push(answer.status);
    return await answer.text();
  };
  const stream = (...[options]: ConstructorParameters<typeof StreamClient>[1][]) =>
    new StreamClient(server.url, { headers: bearer(key), ...options });
  const refused = async (...options: Parameters<typeof stream>) => {
    const client = stream(...options);
    client.socket.on("open", () => {
      client.socket.send(bytes);
      client.socket.send('{"type":"finish"}');
    });
    closes.push(await client.closed());
  };
  const allServe = async () => {
    const asked = fetch(`${server.url}/metrics`, { headers: bearer(key) });
    const text = await asked.then((answer) => answer.text(), () => ""); // of one that was killed
    return /^cpc_processes 2$/m.test(text);
  };
  const resumeOf = async (client: StreamClient) => {
    const token = String((await client.next("ready")).resume);
    secrets[`resume token ${Object.keys(secrets).length}`] = token;
    return token;
  };
  try {
    // recordings, whole, broken, and in JSON
    const headers = bearer(key);
    const recording = wav(Float32Array.from(noise, (sample) => sample / 32768));
    const base64 = Buffer.from(recording).toString("base64");
    await post("/v1/embeddings?pool=mean", { headers, body: recording });
    await post("/v1/embeddings", { headers, body: recording.subarray(0, 30) });
    await post("/v1/embeddings", { headers, body: bytes });
    const json = { ...headers, "content-type": "application/json" };
    await post("/v1/embeddings?pool=mean", { headers: json, body: `{"input":["${base64}"]}` });
    await post("/v1/embeddings", { headers: json, body: `{"input":["${base64}"` });
    await post("/v1/embeddings", {
      headers: json,
      body: `{"input":"${base64}","pool":"none","x":1}`,
    });
    await post("/v1/compare", { headers: json, body: JSON.stringify({ input: [base64], voice }) });
    // keys and tokens, right and wrong, where they belong and where they don't
    await post("/v1/embeddings", { headers: bearer(wrong), body: recording });
    await post(`/v1/embeddings?api_key=${inQuery}`, { headers, body: recording });
    await post("/v1/tokens", { headers: bearer(wrong) });
    const { token } = JSON.parse(await post("/v1/tokens?seconds=300", { headers }));
    secrets.token = token;
    await post("/v1/tokens", { headers: bearer(token) });
    await post("/v1/embeddings?pool=mean", { headers: bearer(token), body: recording });
    assert.deepEqual(
      statuses,
      [200, 400, 415, 200, 400, 422, 422, 401, 422, 401, 201, 401, 200],
    );
    // streams that are refused or fail
    await refused({ headers: bearer(wrong) });
    await refused({ headers: {}, protocols: ["cpc.v1", `bearer.${wrong}`] });
    await refused({ query: `api_key=${inQuery}` });
    await refused({ query: "model=none" });
    await refused({ query: `resume=${wrong}&received=1` });
    await refused({ query: "encoding=f32le" }); // noise has NaNs
    const talker = stream({ query: "output=head.speaker" });
    await resumeOf(talker);
    talker.socket.send(JSON.stringify({ type: "update", voice }));
    talker.socket.send(
      JSON.stringify({ type: "audio", data: Buffer.from(bytes).toString("base64") }),
    );
    closes.push(await talker.closed());
    const singer = stream({ headers: {}, protocols: ["cpc.v1", `bearer.${token}`] });
    await resumeOf(singer);
    singer.socket.send(`{"type":"mark","id":"${inQuery}"`);
    closes.push(await singer.closed());
    // a resume by somebody else, over HTTP, and after the server was killed
    const client = stream();
    const first = await resumeOf(client);
    client.socket.send(bytes);
    client.socket.send('{"type":"mark"}');
    await client.next("marked");
    await refused({ headers: bearer(other), query: `resume=${first}&received=99` });
    const plain = await fetch(`${server.url}/v1/stream?resume=${first}`);
    assert.equal(plain.status, 426);
    await plain.body?.cancel();
    for (const pid of await childrenOf(server.pid)) { // one of two has it
      Deno.kill(pid, "SIGKILL");
      client.socket.send('{"type":"mark"}');
      if (await client.next("marked", 1).then(() => false, () => true)) break;
      while (!await allServe()) await isAlive(server.pid);
    }
    const again = await connected(() => stream({ query: `resume=${first}&received=99` }));
    await resumeOf(again);
    again.socket.send(bytes);
    again.socket.send('{"type":"finish"}');
    closes.push(await again.closed());
    assert.deepEqual(closes, [4401, 4401, 4400, 4400, 4404, 4400, 4400, 1007, 4404, 1000]);
    await collector.span("resume");
  } finally {
    server.kill("SIGTERM");
  }
  const { stdout, stderr } = await endSupervisor(server);
  await Deno.remove(server.folder, { recursive: true });
  assert.match(stderr, /"message":"request"/);
  const opened = stderr.split("\n").filter((line) => line.includes('"stream opened"'))
    .map((line) => JSON.parse(line));
  assert.deepEqual(opened.map(({ resumed }) => resumed), [false, false, false, false, true]);
  assert.equal(opened[4].session, opened[3].session);
  for (const { request, trace, key, address } of opened) {
    assert.match(request, /^[\w-]{36}$/);
    assert.match(trace, /^[0-9a-f]{32}$/);
    assert.deepEqual([key, address], ["key1", "127.0.0.1"]);
  }
  assert.match(stderr, /"code":"invalid_option"/);
  assert.match(stderr, /"message":"a server was lost"/);
  assert.match(collector.text, /"POST \/v1\/embeddings"/);
  const audio = Object.fromEntries([
    ...writtenOut(noise).map((text, i) => [`audio ${i}`, text]),
    ["voice", voice.join(",")],
  ]);
  for (const [place, said] of Object.entries({ stdout, stderr, telemetry: collector.text })) {
    assert.deepEqual(leaks(said, secrets, SECRET_CHARACTERS), [], place);
    assert.deepEqual(leaks(said, audio, AUDIO_CHARACTERS), [], place);
  }
});
