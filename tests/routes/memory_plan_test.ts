import assert from "node:assert/strict";
import { MAX_WORKERS } from "../../audio/decoders.ts";
import { LIMITS } from "../../config/limits.ts";
import { UsageError } from "../../errors.ts";
import { modelLayout } from "../../model/engine.ts";
import { loadWeights, parameterCount, type Weights } from "../../model/weights.ts";
import { requestBytes, serverMemory } from "../../routes/memory_plan.ts";
import { keptSessionBytes, streamBytes } from "../../streaming/sizing.ts";
import { serverConfigOf } from "../support/config.ts";
import { fadingHead } from "../support/heads.ts";
import { randomWeights, tinyConfig } from "../support/models.ts";

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

Deno.test("serverMemory() counts what docs/limits.md states", async () => {
  const page = (await Deno.readTextFile(new URL("../../docs/limits.md", import.meta.url)))
    .replace(/\s+/g, " ");
  const stated = (text: string) => {
    const found = new RegExp(text.replaceAll("N", "(\\d+)")).exec(page);
    assert.ok(found, `docs/limits.md has no "${text}"`);
    return found.slice(1).map(Number);
  };
  const MIB = 2 ** 20;
  const [ofProcess, ofWorker] = stated(
    "process itself is counted with N MiB, and each worker with N MiB and four times the weights",
  );
  const [ofOpusThread] = stated("each beyond the first counts N MiB");
  const [leastForRequests] = stated("REST requests get less, down to N MiB");
  const [share] = stated("default: N % of the machine's memory");
  const ofSupervisor = 150;

  const model: Weights = {
    ...randomWeights(tinyConfig, 1, "tiny"),
    heads: [fadingHead({ dims: 6 }), fadingHead({ dims: 6, name: "other" })],
  };
  const models = [model, { ...randomWeights(tinyConfig, 2, "headless") }];
  const weights = models.reduce((sum, one) => sum + 4 * parameterCount(one), 0) +
    model.heads!.reduce((sum, { graph }) => sum + graph.length, 0);
  for (const [processes, workers, all] of [[1, 3, 3], [2, 3, 3], [4, 1, 4]] as const) {
    const bounds = ["--max-streams", "10", "--max-kept-sessions", "20"];
    const ample = serverConfigOf([...bounds, "--memory-budget", "100GB"]);
    const config = { ...ample, processes, workers };
    const { total, requests, maxStreams, maxKeptSessions } = serverMemory(config, models);
    assert.deepEqual([maxStreams, maxKeptSessions], [10, 20]);
    const layout = modelLayout(tinyConfig);
    const streams = 10 * streamBytes(layout, config, model.heads) +
      20 * keptSessionBytes(layout, model.heads);
    const ofEach = (ofProcess! + (MAX_WORKERS - 1) * ofOpusThread!) * MIB + weights;
    assert.equal(
      total - requests - streams,
      processes * ofEach + (processes > 1 ? ofSupervisor * MIB : 0) +
        all * (ofWorker! * MIB + 4 * weights),
      `${processes} processes, ${workers} workers`,
    );
    assert.equal(requests, LIMITS.requestMemoryBytes);
    const least = processes * leastForRequests! * MIB;
    const memoryBudget = total - requests + least;
    assert.equal(serverMemory({ ...config, memoryBudget }, models).requests, least);
    const short = { ...config, memoryBudget: memoryBudget - 1 };
    assert.equal(serverMemory(short, models).maxKeptSessions, 19);
  }
  const { budget } = serverMemory(serverConfigOf(["--max-streams", "1"]), models);
  assert.equal(budget, Math.floor(share! / 100 * Deno.systemMemoryInfo().total), "whole bytes");
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
  const config = serverConfigOf(bounds);
  const { total, requests } = serverMemory({ ...config, memoryBudget: 1e12 }, [small, base]);
  const least = 256 * 2 ** 20;
  for (const missing of [0, 1]) { // bytes; one costs a kept session
    const scarce = { ...config, memoryBudget: total - requests + least - missing };
    const plan = serverMemory(scarce, [small]);
    assert.deepEqual([plan.maxStreams, plan.maxKeptSessions], [50, 100]);
    const ask = () => requestBytes(scarce, [small, base], plan);
    if (missing === 0) assert.equal(ask(), least);
    else assert.throws(ask, { code: "overloaded" });
  }
  const many = Array.from({ length: 60 }, (_, i) => ({ ...base, id: `base${i}` }));
  assert.throws(() => bytes(roomy, [small, ...many]), { code: "overloaded" });
  // all of it is for streams
  assert.throws(() => bytes(["--memory-budget", "2GB"], [small, base]), {
    code: "overloaded",
    message: /budget of 1\.8 GiB does not hold this model beside \d+ streams .*--max-streams/,
  });
});
