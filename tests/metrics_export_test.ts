import assert from "node:assert/strict";
import { Registry } from "prom-client";
import { ExportedHistogram } from "../metrics_export.ts";

Deno.test("ExportedHistogram.record() has counted every value once when it is read", async () => {
  const registry = new Registry();
  const about = { help: "a test's", buckets: [1, 10], registers: [registry] };
  const plain = new ExportedHistogram({ ...about, name: "plain" });
  const labelled = new ExportedHistogram({ ...about, name: "labelled", labelNames: ["route"] });
  for (let i = 0; i < 600; i++) plain.record(i % 3 === 0 ? 0.5 : 5); // more than wait
  labelled.record(5, { route: "a" });
  for (const later of [0, 1]) {
    if (later) plain.record(20);
    const lines = (await registry.metrics()).split("\n");
    assert.ok(lines.includes('plain_bucket{le="1"} 200'));
    assert.ok(lines.includes('plain_bucket{le="10"} 600'));
    assert.ok(lines.includes(`plain_count ${600 + later}`));
    assert.ok(lines.includes(`plain_sum ${100 + 2000 + 20 * later}`));
    assert.ok(lines.includes('labelled_count{route="a"} 1'));
  }
});
