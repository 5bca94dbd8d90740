import assert from "node:assert/strict";
import { join } from "node:path";
import { capacity, isHeld } from "../../bench/capacity.ts";
import { withServer } from "../support/stream_server.ts";

Deno.test("capacity() measures a server, and writes a table, JSON and a chart", async () => {
  const out = await Deno.makeTempDir();
  try {
    await withServer({}, async ({ url }) => {
      const lines: string[] = [];
      const print = (line: string) => lines.push(line);
      await capacity({ model: "none", url, seconds: 1, streams: 2, out, print });
      assert.match(lines.at(-2)!, /^ {6}2 ( +\d+\.\d){5} +0 +0 +– +\d+\.\d +(yes|no)$/);
      assert.match(lines.at(-1)!, /^largest number of streams held at p99 ≤ 40 ms: [02]$/);
    });
    const { levels, largest } = JSON.parse(await Deno.readTextFile(join(out, "capacity.json")));
    assert.equal(levels.length, 1);
    assert.equal(largest, isHeld(levels[0]) ? 2 : 0);
    assert.ok(levels[0].p50Ms > 0 && levels[0].maxMs >= levels[0].p99Ms);
    assert.match(await Deno.readTextFile(join(out, "capacity.svg")), /^<svg/);
  } finally {
    await Deno.remove(out, { recursive: true });
  }
});

Deno.test("capacity() starts a server of its own, and reads its time on processors", async () => {
  const lines: string[] = [];
  const print = (line: string) => lines.push(line);
  await capacity({ model: "weights/cpc-small", seconds: 1, streams: 1, print });
  const cpu = Deno.build.os === "linux" ? "\\d\\.\\d\\d" : "–";
  assert.match(lines.at(-2)!, new RegExp(`^ {6}1 ( +[\\d.]+){5} +\\d+ +0 +${cpu} `));
  assert.match(lines.at(-1)!, /: [01]$/);
});

Deno.test("capacity() fails where no stream is taken, and says why", async () => {
  await withServer({ keys: true }, async ({ url }) => {
    const lines: string[] = [];
    const print = (line: string) => lines.push(line);
    await assert.rejects(
      capacity({ model: "none", url, key: "wrong", seconds: 1, streams: 2, print }),
      /no stream can be opened at ws:.*: the server does not know this key$/,
    );
    await capacity({ model: "none", url, key: "key-a", seconds: 1, streams: 1, print });
    assert.match(lines.at(-2)!, / 0 +0 +– .* (yes|no)$/);
  });
});
