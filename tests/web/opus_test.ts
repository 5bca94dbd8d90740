/** What Chromium's own `MediaRecorder` and WebCodecs give, streamed from a page. */
import assert from "node:assert/strict";
import { decodeLive } from "../../audio/live_opus.ts";
import type { OpusEncoding } from "../../audio/stream_encodings.ts";
import { wav } from "../support/server.ts";
import { maxDifference } from "../support/golden.ts";
import { concat } from "../audio/signals.ts";
import { TestBrowser, whyNoBrowser } from "./browser.ts";
import { withPages } from "./page_server.ts";

const why = whyNoBrowser();

/** What a page sent, and what came. */
interface Recorded {
  readonly messages: string[];
  readonly rows: number[][];
  readonly done: { samples: number; frames: number };
}

/** Runs in the page: records or encodes a second of sound, streams it, and returns all of both. */
const RECORD = String.raw`async (encoding) => {
  const { connect } = await import("/client.js");
  const stream = await connect(location.href, { encoding });
  const context = new AudioContext({ sampleRate: 48_000 });
  const output = context.createMediaStreamDestination();
  for (const hertz of [180, 900, 2_700]) {
    const tone = new OscillatorNode(context, { type: "sawtooth", frequency: hertz });
    tone.connect(new GainNode(context, { gain: 0.1 })).connect(output);
    tone.start();
  }
  const blobs = [];
  const send = (blob) => {
    blobs.push(blob);
    void stream.send(blob);
  };
  if (encoding === "opus") {
    const encoder = new AudioEncoder({
      output(chunk, metadata) {
        const head = metadata?.decoderConfig?.description;
        if (head && blobs.length === 0) send(new Blob([head]));
        const packet = new Uint8Array(chunk.byteLength);
        chunk.copyTo(packet);
        send(new Blob([packet]));
      },
      error: (error) => reportError(error),
    });
    encoder.configure({ codec: "opus", sampleRate: 48_000, numberOfChannels: 1 });
    for (let at = 0; at < 48_000; at += 960) {
      const toneAt = (sample) => 0.3 * Math.sin(sample ** 2 / 2e6);
      const data = Float32Array.from({ length: 960 }, (_, i) => toneAt(at + i));
      const timestamp = at / 0.048;
      const frames = { numberOfFrames: 960, numberOfChannels: 1, sampleRate: 48_000, timestamp };
      encoder.encode(new AudioData({ format: "f32", data, ...frames }));
    }
    await encoder.flush();
  } else {
    const recorder = new MediaRecorder(output.stream, {
      mimeType: "audio/webm;codecs=opus",
    });
    recorder.ondataavailable = ({ data }) => send(data);
    const stopped = new Promise((resolve) => recorder.onstop = resolve);
    recorder.start(60);
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    recorder.stop();
    await stopped;
  }
  await context.close();
  const done = await stream.finish();
  const rows = [];
  for await (const { context } of stream) {
    for (const row of context) rows.push([...row]);
  }
  const messages = await Promise.all(blobs.map(async (blob) => {
    const bytes = new Uint8Array(await blob.arrayBuffer());
    return btoa(String.fromCharCode(...bytes));
  }));
  return { messages, rows, done };
}`;

async function offline(messages: readonly Uint8Array[], encoding: OpusEncoding) {
  async function* each() {
    yield* messages;
  }
  const options = { encoding, channels: 1, split: false };
  return concat(await Array.fromAsync(decodeLive(each(), options)));
}

for (const encoding of ["webm-opus", "opus"] as const) {
  Deno.test({
    name: `a page streams what its ${
      encoding === "opus" ? "AudioEncoder" : "MediaRecorder"
    } gives: frames are those of the same packets offline${why ? ` (skipped: ${why})` : ""}`,
    ignore: why !== undefined,
    async fn() {
      await withPages({}, async ({ url }) => {
        const browser = await TestBrowser.start({});
        try {
          const { page } = await browser.open(url);
          const recorded: Recorded = await page.evaluate(`(${RECORD})("${encoding}")`);
          const messages = recorded.messages.map((text) =>
            Uint8Array.from(atob(text), (character) => character.charCodeAt(0))
          );
          assert.ok(messages.length > 5, `${messages.length} messages`);
          const samples = await offline(messages, encoding);
          assert.ok(samples.length > 8_000, `${samples.length} samples`);
          assert.ok(Math.max(...samples) > 0.05, "it is not silence");
          assert.equal(recorded.done.samples, samples.length);
          const answer = await fetch(`${url}/v1/embeddings`, {
            method: "POST",
            body: wav(samples, { tag: 3, bits: 32 }),
          });
          const { data: [{ context }] } = await answer.json();
          assert.equal(recorded.rows.length, context.length);
          assert.ok(maxDifference(recorded.rows.flat(), context.flat()) <= 1e-4);
        } finally {
          await browser.close();
        }
      });
    },
  });
}
