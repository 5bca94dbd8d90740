import assert from "node:assert/strict";
import { batchBytes } from "../../recordings/score_clips.ts";
import { streamingPlan } from "../../model/architecture.ts";
import { type RawRequest, requestHead, withHttpServer } from "../support/http_server.ts";
import { TEST_MODELS, wav } from "../support/server.ts";

const MIB = 2 ** 20;
const [tiny] = TEST_MODELS;

/** The status of an answer; the connection is closed. */
async function status({ socket, heard }: RawRequest): Promise<number> {
  const answer = await heard(/\r\n\r\n/);
  socket.destroy();
  return Number(/^HTTP\/1\.1 (\d+) /.exec(answer)?.[1]);
}

/** Asks again and again until the answer is this; others are answered meanwhile. */
async function eventually(wanted: number, ask: () => RawRequest): Promise<void> {
  const came: number[] = [];
  while (came.at(-1) !== wanted) {
    assert.ok(came.length < 200, `${wanted} never came: ${came}`);
    came.push(await status(ask()));
  }
}

Deno.test("of two uploads at once that do not fit into the memory for requests one is refused with 503, and the other goes on", async () => {
  const clip = wav(Float32Array.from({ length: 0.9 * MIB }, (_, i) => Math.sin(i / 9) / 2));
  const length = `Content-Length: ${clip.length}`; // takes 2 MiB
  await withHttpServer(async (request) => {
    const head = requestHead("/v1/embeddings?pool=mean", [length]);
    const cut = clip.length - 1000;
    let [refused, taken]: (RawRequest | undefined)[] = [];
    for (let tries = 0; !refused && tries < 20; tries++) { // rarely both are refused
      const both = [0, 1].map(() => request(head, clip.subarray(0, cut)));
      const first = await Promise.race(both.map(async (one) => {
        assert.match(await one.heard(/\r\n\r\n/), /^HTTP\/1\.1 503 .*\r\nretry-after: 5\r\n/is);
        return one;
      }));
      const other = both.find((one) => one !== first)!;
      other.socket.write(clip.subarray(cut));
      const answer = await other.heard(/\r\n\r\n/);
      if (answer.startsWith("HTTP/1.1 200 ")) [refused, taken] = [first, other];
      for (const { socket } of both) socket.destroy();
    }
    assert.ok(refused && taken, "no upload went on beside one that was refused");
    await eventually(200, () => request(head, clip)); // what the two held has been given back
  }, { requestMemoryBytes: 3 * MIB });
});

Deno.test("POST /v1/score: a client that leaves ends the thread that scores for it, and its memory is given back", async () => {
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
      await eventually(503, () => request(head, clip));
      first.socket.destroy();
      await ended.promise;
      await eventually(200, () => request(head, clip));
    }, { requestMemoryBytes: 2 * clip.length + 1.5 * batch });
  } finally {
    globalThis.Worker = RealWorker;
  }
});
