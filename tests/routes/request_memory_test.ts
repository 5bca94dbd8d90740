import assert from "node:assert/strict";
import { EncodedFile } from "../../recordings/encoded_file.ts";
import { batchBytes } from "../../recordings/score_clips.ts";
import { streamingPlan } from "../../model/architecture.ts";
import { type RawRequest, requestHead, withHttpServer } from "../support/http_server.ts";
import { TEST_MODELS, wav } from "../support/server.ts";

const MIB = 2 ** 20;
const [tiny] = TEST_MODELS;

/** The status of an answer, once the server is done with the connection. */
async function status({ socket, heard }: RawRequest): Promise<number> {
  const answer = await heard(/\r\n\r\n/);
  const status = Number(/^HTTP\/1\.1 (\d+) /.exec(answer)?.[1]);
  if (status === 429) {
    assert.match(answer, /\r\nretry-after: 5\r\n/i);
    await heard(NEVER); // the server hears the client out first, for half a second
  }
  socket.destroy();
  return status;
}

/** Matches nothing that comes: the connection ends. */
const NEVER = /$^/;

/** Asks again and again until the answer is this; others are answered meanwhile. */
async function eventually(wanted: number, ask: () => RawRequest): Promise<void> {
  const came: number[] = [];
  while (came.at(-1) !== wanted) {
    assert.ok(came.length < 200, `${wanted} never came: ${came}`);
    came.push(await status(ask()));
  }
}

Deno.test("of two uploads too large for the memory at once, one gets 429", async () => {
  const clip = wav(Float32Array.from({ length: 0.9 * MIB }, (_, i) => Math.sin(i / 9) / 2));
  const head = requestHead("/v1/embeddings?pool=mean", [`Content-Length: ${clip.length}`]);
  const cut = clip.length - 1000;
  const { append } = EncodedFile.prototype;
  const arrived = Promise.withResolvers<void>();
  EncodedFile.prototype.append = function (bytes) {
    append.call(this, bytes);
    if (this.length === cut) arrived.resolve();
  };
  try {
    await withHttpServer(async (request) => {
      const first = request(head, clip.subarray(0, cut)); // takes 2 MiB
      await arrived.promise;
      assert.equal(await status(request(head, clip)), 429);
      first.socket.write(clip.subarray(cut));
      assert.equal(await status(first), 200);
      assert.equal(await status(request(head, clip)), 200); // what it held has been given back
    }, { requestMemoryBytes: 3 * MIB });
  } finally {
    EncodedFile.prototype.append = append;
  }
});

Deno.test("POST /v1/score: a client that leaves ends its thread, frees its memory", async () => {
  const { hopSamples } = streamingPlan(tiny.config);
  const window = 40 * hopSamples;
  const clip = wav(Float32Array.from({ length: 64 * window }, (_, i) => Math.sin(i / 9) / 2));
  const head = requestHead(`/v1/score?window=${window}&t=0`, [`Content-Length: ${clip.length}`]);
  const { steps: K, Z } = {
    steps: tiny.config.predictors!.steps,
    Z: tiny.config.encoder.at(-1)!.channels,
  };
  const batch = batchBytes({ windows: 64, times: 1, K, Z });
  const started = Promise.withResolvers<void>();
  const ended = Promise.withResolvers<void>();
  const RealWorker = globalThis.Worker;
  let hung = 0;
  /** The first thread that scores never comes to an end. */
  globalThis.Worker = class extends RealWorker {
    readonly #hangs: boolean;
    constructor(...[url, options]: ConstructorParameters<typeof Worker>) {
      super(url, options);
      this.#hangs = String(url).endsWith("/score_worker.ts") && hung++ === 0;
    }
    override postMessage(...args: [unknown]): void {
      if (this.#hangs) started.resolve();
      else super.postMessage(...args);
    }
    override terminate(): void {
      super.terminate();
      if (this.#hangs) ended.resolve();
    }
  } as typeof Worker;
  try {
    // one request fits, two do not
    await withHttpServer(async (request) => {
      const first = request(head, clip);
      assert.equal(await Promise.race([started.promise, first.heard(/\r\n\r\n/)]), undefined);
      await eventually(429, () => request(head, clip));
      first.socket.destroy();
      await ended.promise;
      await eventually(200, () => request(head, clip));
    }, { requestMemoryBytes: 2 * clip.length + 1.5 * batch });
  } finally {
    globalThis.Worker = RealWorker;
  }
});
