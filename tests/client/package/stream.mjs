// Streams a second of a tone with the installed package, in Node or Bun, and checks what comes
// back.
import assert from "node:assert/strict";
import process from "node:process";
import { connect } from "@cpc-stream/client";

const WebSocket = globalThis.WebSocket ?? (await import("ws")).default;
const stream = await connect(process.argv[2], { encoding: "s16le", WebSocket });
const tone = Int16Array.from({ length: 16_000 }, (_, i) => 8000 * Math.sin(i / 20));
for (let at = 0; at < tone.length; at += 777) await stream.send(tone.subarray(at, at + 777));
const done = stream.finish();
let frames = 0;
for await (const { first, count, context } of stream) {
  assert.equal(first, frames);
  assert.ok(context.every((row) => row.length === stream.ready.dims.context && row.some(Boolean)));
  frames += count;
}
assert.equal(frames, 100);
assert.equal((await done).frames, 100);
console.log(`100 frames in ${globalThis.Bun ? "Bun" : "Node"} ${process.version}`);
