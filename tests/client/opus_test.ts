/** The client sends Opus: packets, and a recorder's blobs. */
import assert from "node:assert/strict";
import { connect } from "../../client/mod.ts";
import { decodeAll, decoders, streamDecoders } from "../../audio/decode.ts";
import { fixture, opusPackets } from "../audio/files.ts";
import { withCutProxy } from "../support/cut_proxy.ts";
import { withServer } from "../support/stream_server.ts";
import { assertFrames, chunksOf, truthOf } from "../support/stream_truth.ts";

async function clip(): Promise<Float32Array> {
  return (await decodeAll(fixture("mono.opus"))).samples;
}

for (const [encoding, file] of [["webm-opus", "mono.webm"], ["ogg-opus", "mono.opus"]] as const) {
  Deno.test(`connect() sends a recorder's blobs (${encoding}), none lost in a cut`, async () => {
    try {
      const truth = truthOf(await clip());
      await withServer({}, async ({ port }) => {
        await withCutProxy(port, async (proxy) => {
          const stream = await connect(`http://127.0.0.1:${proxy.port}`, { encoding });
          const rows: { index: number; context: number[] }[] = [];
          let resumed = 0;
          stream.on("state", ({ state }) => resumed += state === "resuming" ? 1 : 0);
          stream.on("frames", ({ first, context = [] }) => {
            for (const [i, row] of context.entries()) {
              rows.push({ index: first + i, context: [...row] });
            }
          });
          let sent = 0;
          for (const chunk of chunksOf(fixture(file), { longest: 200, seed: 3 })) {
            void stream.send(sent % 3 === 0 ? Uint8Array.from(chunk) : new Blob([chunk.slice()]));
            if (sent++ === 4) await stream.mark();
            if (sent === 6 || sent === 9) proxy.cut();
          }
          const done = await stream.finish();
          assert.equal(done.samples, 12_001);
          assert.ok(resumed > 0, "it was cut");
          assertFrames(rows, truth, { output: ["context"] });
        });
      });
    } finally {
      decoders.close();
      streamDecoders.close();
    }
  });
}

Deno.test("connect() sends a packet of Opus a call, after a head with the pre-skip", async () => {
  try {
    const samples = await clip();
    await withServer({}, async ({ url }) => {
      const stream = await connect(url, { encoding: "opus" });
      for (const packet of await opusPackets("mono.opus")) await stream.send(packet);
      const { samples: marked } = await stream.mark();
      assert.equal(marked, 38 * 320 - 104);
      await stream.finish();
      const rows: { index: number; context: number[] }[] = [];
      for await (const { first, context = [] } of stream) {
        for (const [i, row] of context.entries()) {
          rows.push({ index: first + i, context: [...row] });
        }
      }
      // the clip is cut 55 samples before its packets end
      const exact = truthOf(samples).slice(0, 74);
      assertFrames(rows.slice(0, 74), exact, { output: ["context"] });
    });
  } finally {
    decoders.close();
    streamDecoders.close();
  }
});
