/**
 * A client that computes the live scores again from the latents and predictions that it was sent,
 * by docs/scoring.md alone.
 */
import assert from "node:assert/strict";
import { z } from "zod";
import { type StreamServer, withServer } from "../support/stream_server.ts";
import { chunksOf, noise } from "../support/stream_truth.ts";
import type { StreamClient } from "../support/stream_client.ts";

const vector = z.array(z.number());
const framesSchema = z.object({
  type: z.literal("frames"),
  first: z.int(),
  latent: z.array(vector),
  prediction: z.array(z.array(vector)),
  score: z.array(
    z.object({
      nce: vector,
      correct: z.array(z.union([z.literal(0), z.literal(1)])),
      surprise: z.number(),
    }).nullable(),
  )
    .optional(),
});
interface Frame {
  readonly latent: number[];
  /** `[K][Z]` */
  readonly prediction: number[][];
  readonly score?: { nce: number[]; correct: number[]; surprise: number } | null;
}

function framesOf(client: StreamClient): Frame[] {
  const frames: Frame[] = [];
  for (const message of client.all("frames")) {
    const { first, latent, prediction, score } = framesSchema.parse(message);
    latent.forEach((row, i) =>
      frames[first + i] = { latent: row, prediction: prediction[i]!, score: score?.[i] }
    );
  }
  return frames;
}

const M = 16;
const WORD = 2n ** 32n;

/** draw(b) of docs/scoring.md, in whole numbers. */
function draw(b: number): number {
  let x = (0x43504331n + BigInt(b)) * 0x9E3779B1n % WORD;
  x = (x ^ (x >> 15n)) * 0x85EBCA6Bn % WORD;
  return 8 * b + Number((x ^ (x >> 13n)) >> 29n);
}

const dot = (a: readonly number[], b: readonly number[]) =>
  a.reduce((sum, x, i) => sum + x * b[i]!, 0);

/** score(t, k) of docs/scoring.md. */
function scoreOf(
  frames: readonly Frame[],
  { t, k, since }: { t: number; k: number; since: number },
) {
  const s = t - k;
  const e = Math.floor((s + 1) / 8);
  if (8 * (e - M) < since) return null;
  const prediction = frames[s]!.prediction[k - 1]!;
  const positive = dot(frames[t]!.latent, prediction);
  const negatives = Array.from(
    { length: M },
    (_, i) => dot(frames[draw(e - M + i)]!.latent, prediction),
  );
  const largest = Math.max(...negatives);
  return {
    nce: Math.log(1 + negatives.reduce((sum, n) => sum + Math.exp(n - positive), 0)),
    correct: positive - largest > 1e-5 * Math.max(1, Math.abs(largest)) ? 1 : 0,
  };
}

function assertScores(
  frames: readonly Frame[],
  { from, since }: { from: number; since: number },
): void {
  let scored = 0;
  for (let t = from; t < frames.length; t++) {
    const own = [1, 2, 3].map((k) => scoreOf(frames, { t, k, since }));
    const { score } = frames[t]!;
    if (own.includes(null)) {
      assert.equal(score, null, `frame ${t} should have no score yet`);
      continue;
    }
    assert.ok(score, `frame ${t} should have a score`);
    scored++;
    own.forEach((one, i) => {
      const nce = score.nce[i]!;
      assert.ok(
        Math.abs(one!.nce - nce) <= 1e-4,
        `frame ${t}, step ${i + 1}: ${nce} is not ${one!.nce}`,
      );
      assert.equal(score.correct[i], one!.correct, `frame ${t}, step ${i + 1}`);
    });
    assert.ok(Math.abs(score.surprise - own.reduce((sum, one) => sum + one!.nce, 0) / 3) <= 1e-4);
  }
  assert.ok(scored >= 50, `only ${scored} frames were scored`);
}

async function send(client: StreamClient, bytes: Uint8Array, seed: number): Promise<void> {
  for (const chunk of chunksOf(bytes, { longest: 4000, seed })) client.send(chunk);
  await client.mark();
}

const test = (name: string, use: (server: StreamServer) => Promise<void>) =>
  Deno.test(name, () => withServer({}, use));

test("output=score: a client gets these scores from its vectors by the rule", async (server) => {
  const client = server.connect("output=latent,prediction,score");
  await client.next("ready");
  await send(client, noise(36_000, 1).bytes, 1);
  client.send({ type: "finish" });
  await client.closed();
  const frames = framesOf(client);
  assert.equal(frames.length, 225);
  assertScores(frames, { from: 0, since: 0 });
});

test("output=score by an update: the same, from the frame where it began", async (server) => {
  const client = server.connect("output=latent,prediction");
  await client.next("ready");
  await send(client, noise(8000, 2).bytes, 2);
  const { frames: since } = await client.mark();
  client.send({ type: "update", output: ["latent", "prediction", "score"] });
  await client.next("updated");
  await send(client, noise(36_000, 3).bytes, 3);
  client.send({ type: "finish" });
  await client.closed();
  const frames = framesOf(client);
  assert.equal(frames[Number(since) - 1]!.score, undefined);
  assertScores(frames, { from: Number(since), since: Number(since) });
});
