import assert from "node:assert/strict";
import { UsageError } from "../../errors.ts";
import { modelLayout } from "../../model/engine.ts";
import { loadWeights } from "../../model/weights.ts";
import { serverMemory } from "../../routes/memory_plan.ts";
import { keptSessionBytes, streamBytes } from "../../streaming/sizing.ts";
import { serverConfigOf } from "../support/config.ts";

Deno.test("serverMemory() of the shipped model holds the default bounds in 24 GB, and fewer in less", async () => {
  const models = [await loadWeights("weights/cpc-base")];
  const memory = (budget: string, ...flags: string[]) =>
    serverMemory(serverConfigOf(["--workers", "2", "--memory-budget", budget, ...flags]), models);
  const large = memory("24GB");
  assert.deepEqual([large.maxStreams, large.maxKeptSessions], [1024, 1000]);
  assert.ok(large.total <= 24e9);
  const small = memory("2GB");
  assert.ok(small.maxStreams > 20 && small.maxStreams < 300, `${small.maxStreams} streams`);
  assert.ok(small.total <= 2e9);
  assert.throws(() => memory("2GB", "--max-streams", "1000"), UsageError);
  assert.throws(() => memory("500MB"), UsageError);
});

Deno.test("streamBytes() and keptSessionBytes() are the sizes that docs/limits.md states", async () => {
  const page = await Deno.readTextFile(new URL("../../docs/limits.md", import.meta.url));
  const config = serverConfigOf([]);
  for (const name of ["cpc-base", "cpc-small"]) {
    const layout = modelLayout((await loadWeights(`weights/${name}`)).config);
    const [stream, kept] = [streamBytes(layout, config), keptSessionBytes(layout)]
      .map((bytes) => `${(bytes / 2 ** 20).toFixed(1)} MiB`);
    const row = page.split("\n").find((line) => line.startsWith(`| ${name}`)) ?? "";
    const cells = row.split("|").map((cell) => cell.trim());
    assert.deepEqual(cells.slice(2, 4), [stream, kept], name);
  }
});
