/** Any script of commands on several streams of one server, checked against an offline oracle. */
import assert from "node:assert/strict";
import { isDeepStrictEqual } from "node:util";
import fc from "fast-check";
import { StreamingResampler } from "../../audio/resample.ts";
import { LastingClient } from "../support/lasting_client.ts";
import { type StreamServer, withServer } from "../support/stream_server.ts";
import { assertFrames, noise, signalOf, truthOf } from "../support/stream_truth.ts";

type Name = "context" | "latent" | "prediction";
interface Selection {
  readonly output: readonly Name[];
  readonly every: number;
}

const FORMATS = [
  { query: "", sampleBytes: 2 },
  { query: "format=binary", sampleBytes: 2 },
  { query: "encoding=mulaw&sample_rate=8000&format=binary", sampleBytes: 1 },
] as const;
const STREAMS = 4;
const SEGMENT_BYTES = 60_000;
/** Samples at 16 kHz of which the model makes its first frame. */
const SHORTEST = 159;

/** What a stream must be, from the commands alone. */
interface Expected {
  connected: boolean;
  readonly sampleBytes: number;
  segment: number;
  /** Of the segment; and how many of its bytes were said. */
  bytes: Uint8Array;
  sent: number;
  /** In force from a frame on. */
  selections: { from: number; selection: Selection }[];
}
type Model = Map<number, Expected>;
interface Real {
  readonly server: StreamServer;
  readonly streams: Map<number, LastingClient>;
}

/** Frames that the samples so far complete. */
function exactFrames({ sent, sampleBytes }: Expected): number {
  const samples = Math.floor(sent / sampleBytes);
  const known = sampleBytes === 2
    ? samples
    : new StreamingResampler({ fromRate: 8_000 }).outputsReady(samples);
  return Math.max(0, Math.floor((known - 312) / 160) + 1);
}

/**
 * Asserts that these are the first `frames` frames of the segment, each with what was asked for at
 * its time.
 */
function check(expected: Expected, stream: LastingClient, frames: number): void {
  void stream.received; // reads what came
  const selectionAt = (f: number) =>
    expected.selections.findLast(({ from }) => from <= f)!.selection;
  const indices = Array.from({ length: frames }, (_, f) => f).filter((f) =>
    f % selectionAt(f).every === 0
  );
  assert.deepEqual(stream.frames.map(({ index }) => index), indices);
  if (indices.length === 0) return;
  const truth = truthOf(signalOf(expected.bytes.subarray(0, expected.sent), expected.sampleBytes));
  for (const frame of stream.frames) {
    assertFrames([frame], [truth[frame.index]!], selectionAt(frame.index));
  }
}

/** One thing that a client does. */
class Command implements fc.AsyncCommand<Model, Real> {
  readonly #name: string;
  readonly #id: number;
  readonly #when: (expected: Expected | undefined) => boolean;
  readonly #run: (model: Model, real: Real) => Promise<void>;

  constructor(
    name: string,
    id: number,
    when: (expected: Expected | undefined) => boolean,
    run: (model: Model, real: Real) => Promise<void>,
  ) {
    this.#name = name;
    this.#id = id;
    this.#when = when;
    this.#run = run;
  }

  check(model: Readonly<Model>): boolean {
    return this.#when(model.get(this.#id));
  }

  run(model: Model, real: Real): Promise<void> {
    return this.#run(model, real);
  }

  toString(): string {
    return `${this.#name} of ${this.#id}`;
  }
}

const isConnected = (expected: Expected | undefined) => expected?.connected === true;

/** What a stream says to a message. @throws {Error} if the server ended its socket instead */
async function answered(stream: LastingClient, message: { type: string }, answer: string) {
  const told = await stream.say(message, answer);
  if (told !== undefined) return told;
  const { client } = stream;
  const errors = JSON.stringify(client.all("error"));
  throw new Error(`closed with ${client.closeCode} instead of "${answer}": ${errors}`);
}

/** A command on a stream that is connected. */
function onStream(
  name: string,
  id: number,
  run: (expected: Expected, stream: LastingClient) => Promise<void>,
): Command {
  return new Command(
    name,
    id,
    isConnected,
    (model, { streams }) => run(model.get(id)!, streams.get(id)!),
  );
}

function connect(id: number, format: number): Command {
  const { query, sampleBytes } = FORMATS[format]!;
  return new Command(
    `connect ${query}`,
    id,
    (expected) => expected === undefined,
    async (model, { server, streams }) => {
      const stream = new LastingClient(server.url, { query, sampleBytes });
      streams.set(id, stream);
      await stream.client.next("ready");
      const selections = [{ from: 0, selection: { output: ["context" as const], every: 1 } }];
      const { bytes } = noise(SEGMENT_BYTES / 2, 100 * id);
      model.set(id, { connected: true, sampleBytes, segment: 0, bytes, sent: 0, selections });
    },
  );
}

const send = (id: number, bytes: number) =>
  onStream(`send ${bytes}`, id, async (expected, stream) => {
    expected.sent = Math.min(SEGMENT_BYTES, expected.sent + bytes);
    await stream.audio(expected.bytes, expected.sent);
  });

const mark = (id: number) =>
  onStream("mark", id, async (expected, stream) => {
    const { samples, frames } = await answered(stream, { type: "mark" }, "marked");
    assert.deepEqual([samples, frames], [
      Math.floor(expected.sent / expected.sampleBytes),
      exactFrames(expected),
    ]);
    check(expected, stream, exactFrames(expected));
  });

const reset = (id: number) =>
  onStream("reset", id, async (expected, stream) => {
    const told = await answered(stream, { type: "reset" }, "reset");
    assert.equal(told.segment, ++expected.segment);
    check(expected, stream, exactFrames(expected));
    stream.restart();
    expected.sent = 0;
    expected.bytes = noise(SEGMENT_BYTES / 2, 100 * id + expected.segment).bytes;
    expected.selections = [{ ...expected.selections.at(-1)!, from: 0 }];
  });

const update = (id: number, selection: Selection) =>
  onStream(`update ${JSON.stringify(selection)}`, id, async (expected, stream) => {
    await answered(stream, { type: "update", ...selection }, "updated");
    // a resume tells of former updates again, and may still do so
    await stream.client.until(() => {
      const { output, every } = stream.client.all("updated").at(-1)!;
      return isDeepStrictEqual([output, every], [selection.output, selection.every]);
    }, JSON.stringify(selection));
    const from = exactFrames(expected);
    expected.selections = [...expected.selections.filter((earlier) => earlier.from < from), {
      from,
      selection,
    }];
  });

const drop = (id: number) =>
  onStream("drop", id, async (expected, stream) => {
    void stream.token; // reads what came
    await stream.client.terminate();
    expected.connected = false;
  });

/** Also of a stream whose socket lives. */
function resume(id: number): Command {
  return new Command(
    "resume",
    id,
    (expected) => expected !== undefined,
    async (model, { streams }) => {
      const [expected, stream] = [model.get(id)!, streams.get(id)!];
      const ready = await stream.resume();
      assert.deepEqual([ready?.resumed, ready?.segment], [true, expected.segment]);
      assert.ok(stream.sent <= expected.sent);
      await stream.audio(expected.bytes, expected.sent); // what the server has not heard
      expected.connected = true;
    },
  );
}

function finish(id: number): Command {
  return new Command("finish", id, isConnected, async (model, { streams }) => {
    const [expected, stream] = [model.get(id)!, streams.get(id)!];
    const { samples, frames } = await answered(stream, { type: "finish" }, "done");
    assert.equal(samples, Math.floor(expected.sent / expected.sampleBytes));
    const signal = signalOf(expected.bytes.subarray(0, expected.sent), expected.sampleBytes);
    assert.equal(frames, signal.length < SHORTEST ? 0 : truthOf(signal).length);
    check(expected, stream, frames as number);
    assert.equal(await stream.client.closed(), 1000);
    model.delete(id);
    streams.delete(id);
  });
}

const id = fc.nat(STREAMS - 1);
const output = fc.subarray<Name>(["context", "latent", "prediction"], { minLength: 1 });
const sends = fc.tuple(id, fc.integer({ min: 1, max: 9_000 })).map(([id, bytes]) =>
  send(id, bytes)
);
const commands = fc.commands([
  fc.tuple(id, fc.nat(FORMATS.length - 1)).map(([id, format]) => connect(id, format)),
  sends,
  sends,
  sends,
  id.map(mark),
  id.map(reset),
  fc.tuple(id, fc.record({ output, every: fc.integer({ min: 1, max: 4 }) })).map((
    [id, selection],
  ) => update(id, selection)),
  id.map(drop),
  id.map(resume),
  id.map(finish),
], { maxCommands: 60, size: "max" });

Deno.test("stream: any commands on many streams at once agree with an offline oracle", async () => {
  await withServer({}, async (server) => {
    await fc.assert(
      fc.asyncProperty(commands, async (commands) => {
        const [model, streams]: [Model, Map<number, LastingClient>] = [new Map(), new Map()];
        try {
          await fc.asyncModelRun(() => ({ model, real: { server, streams } }), commands);
          for (const [id, { connected }] of [...model]) { // every stream is brought to its end
            if (!connected) await resume(id).run(model, { server, streams });
            await finish(id).run(model, { server, streams });
          }
        } finally { // a script that failed leaves nothing to the next
          for (const { client } of streams.values()) {
            if (client.closeCode === undefined) await client.terminate();
          }
        }
        await server.settled();
        assert.equal(server.pool.streams, 0, "every lease was given back");
      }),
      { numRuns: 25 },
    );
  });
});
