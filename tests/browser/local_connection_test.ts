/** The stream of a browser, with the engine of a server: what is the same needs no browser. */
import assert from "node:assert/strict";
import { LocalConnection } from "../../browser/local_connection.ts";
import { LocalStreams } from "../../browser/local_streams.ts";
import { decodeBinary, readRows } from "../../client/binary_frame.ts";
import type { StreamState } from "../../client/engine_messages.ts";
import type { Engine, StepInput } from "../../model/engine.ts";
import { createEngine } from "../../model/engines/create.ts";
import { modelDims } from "../../model/weights.ts";
import { OnnxHead } from "../../model/engines/onnx_head.ts";
import { fadingHead } from "../support/heads.ts";
import { seeded } from "../../model/seeded.ts";
import { maxDifference } from "../support/golden.ts";
import { tiny, withServer } from "../support/stream_server.ts";

/** What a connection sent, in order, and how it closed. */
interface Page {
  readonly came: (Record<string, unknown> | Uint8Array)[];
  readonly connection: LocalConnection;
  readonly closed: Promise<number>;
}

const turn = () => new Promise<void>((resolve) => setTimeout(resolve));

/** Runs a test with an engine. @param change of the engine, for faults */
async function withEngine(
  use: (open: (query: string, state?: StreamState) => Page) => Promise<void>,
  { change = (engine) => engine, version = "v1" }: {
    change?: (engine: Engine) => Engine;
    version?: string;
  } = {},
): Promise<void> {
  const weights = { ...tiny, heads: [fadingHead({ every: 3, dims: 6 })] };
  const dims = modelDims(weights.config);
  const engine = await createEngine("onnx", weights, {
    device: "cpu",
    precision: "fp32",
    threads: 1,
  });
  const head = await OnnxHead.create(weights.heads[0]!, { dims });
  const heads = new Map([[head.name, head]]);
  const streams = new LocalStreams(weights.id, { engine: change(engine), heads, turn });
  const connections: LocalConnection[] = [];
  try {
    await use((query, state) => {
      const closed = Promise.withResolvers<number>();
      const came: Page["came"] = [];
      const connection = new LocalConnection({
        send: (data) => void came.push(typeof data === "string" ? JSON.parse(data) : data.slice()),
        close: (code) => closed.resolve(code),
      }, { model: { weights, version }, streams });
      connections.push(connection);
      connection.start(query, state);
      return { came, connection, closed: closed.promise };
    });
  } finally {
    for (const connection of connections) connection.end();
    for (let n = 0; n < 2; n++) await turn(); // the steps' own turn ends first
    await head.dispose();
    await engine.dispose();
  }
}

const DIMS = { context: 6, latent: 8, steps: 3 };
const next = seeded(5);
const AUDIO = Float32Array.from({ length: 16_000 }, () => next() - 0.5);
/** Messages of 37 ms, and others between them. */
const SCRIPT: (string | Uint8Array)[] = [];
for (let at = 0; at < AUDIO.length; at += 592) {
  SCRIPT.push(new Uint8Array(AUDIO.slice(at, at + 592).buffer));
  if (at === 592 * 9) SCRIPT.push('{"type":"mark","id":[1]}', '{"type":"keep_alive"}');
  if (at === 592 * 12) SCRIPT.push('{"type":"update","output":["latent","score"],"every":2}');
  if (at === 592 * 20) SCRIPT.push('{"type":"reset"}');
}
SCRIPT.push('{"type":"finish"}');
const QUERY = "encoding=f32le&sample_rate=22050&output=context,prediction&steps=1,3";

/** Messages without what differs from stream to stream. */
function comparable(came: readonly unknown[]): unknown[] {
  const rows: Record<string, unknown>[] = [];
  for (const one of came) {
    const { session: _, resume: __, limits: ___, stats: ____, ...rest } = one as Record<
      string,
      unknown
    >;
    const last = rows.at(-1);
    // how many rows come in a message depends on when
    if (rest.type === "frames" && last?.type === "frames") {
      for (const [name, value] of Object.entries(rest)) {
        if (Array.isArray(value)) last[name] = [...last[name] as unknown[], ...value];
      }
    } else if (rest.type === "frames") {
      const { count: _, time: __, ...frames } = rest;
      rows.push(frames);
    } else rows.push(rest);
  }
  return rows;
}

/** Compares values whose numbers may be apart by what a step's company changes. */
function assertNear(actual: unknown, expected: unknown): void {
  if (typeof actual === "number" && typeof expected === "number") {
    assert.ok(Math.abs(actual - expected) <= 1e-5, `${actual} is not ${expected}`);
  } else if (Array.isArray(actual) && Array.isArray(expected)) {
    assert.equal(actual.length, expected.length);
    actual.forEach((one, i) => assertNear(one, expected[i]));
  } else if (actual && expected && typeof actual === "object") {
    assertNear(Object.entries(actual).sort(), Object.entries(expected).sort());
  } else assert.deepEqual(actual, expected);
}

Deno.test("LocalConnection answers messages as a server does, number by number", async () => {
  const { came: expected } = await new Promise<{ came: unknown[] }>((resolve, reject) => {
    withServer({}, async (server) => {
      const client = server.connect(`${QUERY}&model=tiny`);
      await client.next("ready");
      for (const message of SCRIPT) client.socket.send(message);
      await client.closed();
      resolve({ came: client.came });
    }).catch(reject);
  });
  await withEngine(async (open) => {
    const { came, connection, closed } = open(QUERY);
    for (const message of SCRIPT) connection.receive(message);
    assert.equal(await closed, 1000);
    assertNear(comparable(came), comparable(expected));
    assert.ok(comparable(came).length > 6);
  });
});

Deno.test("LocalConnection.save(): another engine goes on as if unbroken", async () => {
  const query = `${QUERY.replace("prediction", "score,head.fading")}&format=binary`;
  const audio = SCRIPT.filter((one) => typeof one !== "string");
  const whole: Page["came"] = [];
  await withEngine(async (open) => {
    const { came, connection, closed } = open(query);
    for (const message of audio) connection.receive(message);
    connection.receive('{"type":"finish"}');
    await closed;
    whole.push(...came);
  });
  const broken: Page["came"] = [];
  let state: StreamState | undefined;
  await withEngine(async (open) => {
    const { came, connection } = open(query);
    for (const message of audio.slice(0, 17)) connection.receive(message);
    state = await new Promise<StreamState>((resolve) => connection.save(resolve));
    broken.push(...came);
  });
  await withEngine(async (open) => {
    const { came, connection, closed } = open("", structuredClone(state));
    for (const message of audio.slice(17)) connection.receive(message);
    connection.receive('{"type":"finish"}');
    assert.equal(await closed, 1000);
    const [ready] = came as [Record<string, unknown>];
    assert.deepEqual([ready.resumed, ready.samples, ready.segment], [true, 17 * 592, 0]);
    broken.push(...came.slice(1));
  });
  const rowsOf = (came: Page["came"]) =>
    came.filter((one) => one instanceof Uint8Array).flatMap((bytes) => {
      const frame = decodeBinary(new Uint8Array(bytes).buffer);
      const { context = [], score = [] } = readRows(frame, DIMS);
      return context.map((row, i) => [
        frame.first + i,
        ...row,
        ...(score[i] ? [...score[i].nce, ...score[i].correct] : [-1, -1, -1, -1]),
      ]);
    });
  const [ours, theirs] = [rowsOf(broken), rowsOf(whole)];
  assert.deepEqual(ours.map(([first]) => first), theirs.map(([first]) => first));
  assert.ok(maxDifference(ours.flat(), theirs.flat()) <= 1e-5);
  const headRows = (came: Page["came"]) =>
    came.flatMap((one) => "type" in one && one.type === "head" ? one.rows as unknown[] : []);
  const numbers = (rows: unknown[]) =>
    Array.from(JSON.stringify(rows).matchAll(/-?[\d.]+(?:e-\d+)?/g), Number);
  assert.ok(maxDifference(numbers(headRows(broken)), numbers(headRows(whole))) <= 1e-5);
  assert.ok(headRows(whole).length > 10);
  await withEngine(async (open) => {
    const { came, closed } = open("", state);
    assert.equal(await closed, 4400);
    assert.match(String((came[0] as { message: string }).message), /state: .* other weights/);
  }, { version: "v2" });
  await withEngine(async (open) => {
    for (const wrong of [{ ...state!, session: {} }, { ...state!, frames: -1 }]) {
      assert.equal(await open("", wrong).closed, 4400);
    }
    const { came, closed } = open("sample_rate=8000", state);
    assert.equal(await closed, 4400);
    assert.match(String((came[0] as { message: string }).message), /sample_rate: .*22050/);
  });
});

Deno.test("LocalConnection: a fault or wrong message ends its stream alone, with why", async () => {
  await withEngine(async (open) => {
    const other = open("");
    for (
      const [message, code, reason] of [
        ["hello", 1007, "invalid_json"],
        ['{"type":"sing"}', 4400, "invalid_message"],
        ['{"type":"update","steps":[9]}', 4400, "invalid_option"],
        ['{"type":"update","output":["head.nobody"]}', 4400, "invalid_option"],
      ] as const
    ) {
      const { came, connection, closed } = open("");
      connection.receive(message);
      assert.equal(await closed, code);
      assert.equal((came.at(-1) as { code: string }).code, reason);
    }
    for (const query of ["encoding=opus", "sample_rate=1", "loud=1"]) {
      assert.equal(await open(query).closed, 4400, query);
    }
    other.connection.receive('{"type":"finish"}');
    assert.equal(await other.closed, 1000);
  });
  let failing = false;
  const change = (engine: Engine): Engine =>
    Object.assign(Object.create(engine), {
      layout: engine.layout,
      maxRows: engine.maxRows,
      step: (input: StepInput) =>
        failing ? Promise.reject(new Error("no memory")) : engine.step(input),
      predict: (hidden: Float32Array) => engine.predict(hidden),
    });
  await withEngine(async (open) => {
    const { came, connection, closed } = open("");
    failing = true;
    connection.receive(new Uint8Array(3200));
    assert.equal(await closed, 4500);
    assert.match(String((came.at(-1) as { message: string }).message), /no memory/);
    failing = false;
    const again = open("");
    again.connection.receive(new Uint8Array(3200));
    again.connection.receive('{"type":"finish"}');
    assert.equal(await again.closed, 1000);
  }, { change });
});
