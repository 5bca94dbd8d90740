import assert from "node:assert/strict";
import { UsageError } from "../../errors.ts";
import { modelLayout } from "../../model/engine.ts";
import { loadWeights, type Weights } from "../../model/weights.ts";
import { requestBytes, serverMemory } from "../../routes/memory_plan.ts";
import { keptSessionBytes, streamBytes } from "../../streaming/sizing.ts";
import { serverConfigOf } from "../support/config.ts";

Deno.test("serverMemory() holds the default bounds in 24 GB, and fewer in less", async () => {
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

Deno.test("streamBytes() and keptSessionBytes() are what docs/limits.md states", async () => {
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

Deno.test("requestBytes(): requests give way to a model; streams do not", async () => {
  const [base, small] = [
    await loadWeights("weights/cpc-base"),
    await loadWeights("weights/cpc-small"),
  ];
  const bytes = (flags: string[], models: Weights[]) => {
    const config = serverConfigOf(["--workers", "2", ...flags]);
    const plan = serverMemory(config, [small]);
    return [plan.requests, requestBytes(config, models, plan)] as const;
  };
  const bounds = ["--max-streams", "50", "--max-kept-sessions", "100"];
  const roomy = ["--memory-budget", "4GB", ...bounds];
  const [planned, left] = bytes(roomy, [small, base]);
  assert.ok(left < planned && left > planned / 2, `${planned} ${left}`);
  assert.equal(bytes(roomy, [small])[1], planned);
  const many = Array.from({ length: 60 }, (_, i) => ({ ...base, id: `base${i}` }));
  assert.throws(() => bytes(roomy, [small, ...many]), { code: "overloaded" });
  // all of it is for streams
  assert.throws(() => bytes(["--memory-budget", "2GB"], [small, base]), {
    code: "overloaded",
    message: /budget of 1\.8 GiB does not hold this model beside \d+ streams .*--max-streams/,
  });
});
